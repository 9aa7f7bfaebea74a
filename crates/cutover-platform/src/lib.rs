//! Adapters behind the ports of the engine.
//!
//! | module | holds |
//! |---|---|
//! | [`local`] | instances as processes of this machine, each under its keeper |
//! | [`dataplane`] | the client that tells the proxy what to route |
//! | [`metrics`] | counters and values from elsewhere, for the judge |

#[cfg(not(target_os = "linux"))]
compile_error!("Cutover runs on Linux 5.4 or newer: it needs pidfds, subreapers and /proc");

pub mod dataplane;
pub mod local;
pub mod metrics;

pub use dataplane::ProxyClient;
pub use local::{KeepError, LocalPlatform, keep};
pub use metrics::{Document, Fetched, Metrics, Unfetched};
