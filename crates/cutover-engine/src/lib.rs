//! Drives rollouts: journal, clock, ports, events.

pub mod ports;
