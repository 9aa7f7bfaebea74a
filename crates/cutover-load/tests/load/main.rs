//! The load against small servers that behave badly in one way each.

mod account;
mod failures;
mod open_loop;
#[cfg(test)]
mod server;
