//! Simulated rollouts: streams of requests, the judge and its rivals on them.

pub(crate) mod chance;
pub(crate) mod checks;
pub(crate) mod errors;
pub(crate) mod exact;
pub(crate) mod fleet;
pub(crate) mod kayenta;
pub(crate) mod looks;
pub(crate) mod outcome;
pub(crate) mod slowness;
pub(crate) mod world;
