//! What may go wrong, and the dice that decide when.

use std::time::Duration;

/// A small generator (splitmix64): the same seed is the same world on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 77)
    }
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// From 0 to `sides` - 1.
    pub(crate) fn below(&mut self, sides: u32) -> u32 {
        let sides = u64::from(sides.max(1));
        u32::try_from(self.roll() % sides).unwrap_or(0)
    }
    /// True in `of_thousand` of a thousand throws.
    pub(crate) fn chance(&mut self, of_thousand: u32) -> bool {
        self.below(1000) < of_thousand
    }
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let sides = u32::try_from(from.len()).unwrap_or(1);
        from.get(self.below(sides) as usize).cloned()
    }
    /// Up to `most`, in steps of 250 ms.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let steps = u32::try_from(most.as_millis() / 250).unwrap_or(0);
        Duration::from_millis(250) * self.below(steps + 1)
    }
}

/// How the instances of one release behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
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

/// What the judge says of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judging {
    Passes,
    Fails,
    Unsure,
    Broken,
    Wavers,
}

/// How often things outside of the releases go wrong, in thousandths of a tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// The engine dies between two of its steps.
    pub(crate) engine_crash: u32,
    /// The data plane dies; its keeper starts it again with the table in force.
    pub(crate) proxy_crash: u32,
    /// A table is lost on its way.
    pub(crate) lost: u32,
    /// A good instance exits.
    pub(crate) stray_exit: u32,
    /// The longest that a table needs to arrive, and again to come into force.
    pub(crate) late: Duration,
}
