//! What tells the proxy what to route, and makes sure that it runs.

mod client;
mod connection;
mod listening;
mod port_holder;

pub use client::ProxyClient;
