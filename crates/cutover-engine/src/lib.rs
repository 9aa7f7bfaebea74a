//! Drives rollouts: journal, clock, ports, events.

pub mod api;
mod engine;
pub mod ports;

pub use engine::Engine;
