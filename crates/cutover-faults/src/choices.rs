//! What a run does, all of it drawn from one number.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use crate::fault::Fault;
use crate::world::{Pattern, Version};

/// The number that a run is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = ParseIntError;
    fn from_str(text: &str) -> Result<Seed, ParseIntError> {
        u64::from_str_radix(text, 16).map(Seed)
    }
}

/// When the fault comes, counted from when the release is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// After a time.
    Time(Duration),
    /// As soon as the journal holds so many records more.
    Record(u32),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Time(time) => write!(f, "after {:.2} s", time.as_secs_f64()),
            Moment::Record(number) => write!(f, "at record {number}"),
        }
    }
}

/// Everything about a run that is left to chance, but for how the machine schedules it.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(crate) seed: Seed,
    pub(crate) fault: Fault,
    pub(crate) pattern: Pattern,
    /// What is released.
    pub(crate) version: Version,
    pub(crate) moment: Moment,
    /// How long the fault lasts, where it does, from 0 for the shortest to 1 for the longest.
    pub(crate) length: f64,
    /// Which of several victims, from 0 to below 1.
    pub(crate) which: f64,
    /// A second thing that may be done or not.
    pub(crate) also: bool,
    /// Is an experiment concluded in favour of the new version?
    pub(crate) conclude: bool,
}

impl Choices {
    /// The choices of one seed.
    pub(crate) fn of(seed: Seed) -> Choices {
        let mut random = fastrand::Rng::with_seed(seed.0);
        let fault = Fault::ALL[random.usize(..Fault::ALL.len())];
        let pattern = Pattern::ALL[random.usize(..Pattern::ALL.len())];
        let version = if random.u8(..5) == 0 { Version::Bad } else { Version::Good };
        let moment = if random.bool() {
            Moment::Time(Duration::from_millis(random.u64(0..4000)))
        } else {
            Moment::Record(random.u32(1..=9))
        };
        Choices {
            seed,
            fault,
            pattern,
            version,
            moment,
            length: random.f64(),
            which: random.f64(),
            also: random.bool(),
            conclude: random.bool(),
        }
    }

    /// A time from `least` to `most`, as the seed says.
    pub(crate) fn between(&self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.length)
    }
}

/// The next seed from which this fault is drawn.
pub(crate) fn seed_for(fault: Fault, random: &mut fastrand::Rng) -> Seed {
    loop {
        let seed = Seed(random.u64(..));
        if Choices::of(seed).fault == fault {
            return seed;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_alone_decides_and_every_fault_and_pattern_can_be_drawn() {
        let mut random = fastrand::Rng::with_seed(7);
        for fault in Fault::ALL {
            let seed = seed_for(fault, &mut random);
            let again: Seed = seed.to_string().parse().unwrap();
            let (one, other) = (Choices::of(seed), Choices::of(again));
            assert_eq!(format!("{one:?}"), format!("{other:?}"));
            assert_eq!(one.fault, fault);
        }
        let patterns: BTreeSet<Pattern> =
            (0..500).map(|seed| Choices::of(Seed(seed)).pattern).collect();
        assert_eq!(patterns.len(), Pattern::ALL.len());
    }
}
