//! The proxy with real processes and sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what supports the tests may fail them, and show the proxy's log"
)]

mod control;
mod descriptors;
mod drain;
mod experiment;
mod flags;
mod full_disk;
#[path = "../../../cutover-flags/tests/gherkin/mod.rs"]
mod gherkin;
mod hold;
mod keeper;
mod retry;
mod routing;
mod served_flags;
mod shadow;
mod streams;
mod support;
mod testbed;
