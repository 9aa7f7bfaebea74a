//! What may go wrong.

use std::time::Duration;

/// How the instances of one release behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Ready after a while, and stays so.
    Good,
    /// Runs, and is never ready.
    NeverReady,
    /// Exits now and then, before it is ready or soon after.
    CrashLoop,
    /// Loses its readiness now and then, for a moment.
    Flappy,
    /// Is ready once, and then unready for good.
    Fading,
    /// The slots below this one exit over and over; the others are good.
    Degraded(u32),
}

/// What requests and metrics show of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// It is as good as stable.
    Alike,
    /// A third of its answers are errors, and its metrics are out of bounds.
    Worse,
    /// Nobody sends requests, and metrics are empty.
    Nothing,
    /// Counts and metrics cannot be read.
    Down,
    /// Now this, now that; metrics are not even numbers.
    Wavering,
}

/// How often things outside of the releases go wrong, in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The engine dies at one of its calls to the world: before it, or after it took effect.
    pub engine_death: u32,
    /// The data plane dies within a tick; its keeper starts it again with the table in force.
    pub proxy_death: u32,
    /// A table, or the answer to it, is lost on its way.
    pub lost: u32,
    /// The platform cannot look, or does half of what was asked, or does it and says it failed.
    pub platform: u32,
    /// A call to the platform hangs for a while.
    pub hangs: u32,
    /// The journal has no room, for some seconds.
    pub journal: u32,
    /// A good instance exits within a tick.
    pub stray_exit: u32,
    /// The longest that a table needs to arrive, again to come into force, and again to be answered.
    pub late: Duration,
}
