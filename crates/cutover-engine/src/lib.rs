//! Drives rollouts: journal, clock, ports, events.

pub mod api;
pub mod ports;
