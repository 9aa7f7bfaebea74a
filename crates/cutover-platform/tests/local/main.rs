//! The local platform with real keepers and real processes.

mod adoption;
mod details;
mod ends;
mod ground;
mod starts;
