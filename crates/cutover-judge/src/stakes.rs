//! Stakes: what all bets of one process have won so far, at two time scales.
//!
//! Requests of one instance in one stretch of time are alike, so that counts scatter more than
//! chance alone makes them. Wins are therefore collected in blocks of 10 s and of 60 s, and each
//! block's win is divided by its design effect ([`crate::noise`]); the evidence is the smaller of the
//! two scales' results. Tempering keeps a supermartingale one (Jensen), if the effect is known.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::bets::{log_add, log_mean};

/// Lengths of blocks in seconds.
pub(crate) const SCALES: [u32; 2] = [10, 60];

/// Design effects, by scale; 1 where counts scatter by chance alone.
pub(crate) type Effects = [f64; 2];

/// Logarithms of what each of K stakes is worth, at both scales.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "[f64; K]: Serialize", deserialize = "[f64; K]: DeserializeOwned"))]
pub(crate) struct Stakes<const K: usize> {
    scales: [Scale<K>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "[f64; K]: Serialize", deserialize = "[f64; K]: DeserializeOwned"))]
struct Scale<const K: usize> {
    /// By blocks that are over.
    closed: [f64; K],
    /// By the block that is not, before it is tempered.
    open: [f64; K],
}

impl<const K: usize> Stakes<K> {
    /// Each stake is worth this (a logarithm).
    pub(crate) fn new(worth: f64) -> Stakes<K> {
        let scale = Scale { closed: [worth; K], open: [0.0; K] };
        Stakes { scales: [scale; 2] }
    }

    /// Adds what each stake won.
    pub(crate) fn win(&mut self, won: &[f64; K]) {
        for scale in &mut self.scales {
            for (open, won) in scale.open.iter_mut().zip(won) {
                *open += won;
            }
        }
    }

    /// A block of this scale is over; it had this design effect.
    pub(crate) fn close(&mut self, scale: usize, effect: f64) {
        if let Some(scale) = self.scales.get_mut(scale) {
            for (closed, open) in scale.closed.iter_mut().zip(&mut scale.open) {
                *closed += *open / effect;
                *open = 0.0;
            }
        }
    }

    /// Another part of the capital (a logarithm) is staked from now on, between blocks.
    pub(crate) fn restart(&mut self, capital: f64) {
        for scale in &mut self.scales {
            for closed in &mut scale.closed {
                *closed = log_add(*closed, capital);
            }
        }
    }

    /// Is the evidence at least this? Cheaper than computing it.
    pub(crate) fn reaches(&self, threshold: f64, effects: Effects) -> bool {
        let could = self.scales.iter().zip(effects).all(|(scale, effect)| {
            // No mean is larger than its largest part.
            let mut parts = scale.closed.iter().zip(&scale.open);
            parts.any(|(closed, open)| closed + open / effect >= threshold)
        });
        could && self.log_e(effects) >= threshold
    }

    /// The evidence (a logarithm): the mean over the stakes, the smaller of both scales.
    pub(crate) fn log_e(&self, effects: Effects) -> f64 {
        let logs = self.scales.iter().zip(effects).map(|(scale, effect)| {
            let mut worth = scale.closed;
            for (worth, open) in worth.iter_mut().zip(&scale.open) {
                *worth += open / effect;
            }
            log_mean(&worth)
        });
        logs.fold(f64::INFINITY, f64::min)
    }
}

/// When capital is staked anew, so that harm that begins late is found as fast as one at the start:
/// half of it at once, the other half in equal parts at each of 60 marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restarts {
    /// Seconds between marks; a multiple of the longest block.
    every: u32,
    /// Seconds since the last one.
    seconds: u32,
    /// Marks still to come.
    left: u32,
}

/// Marks of a planned horizon.
const MARKS: u32 = 60;

impl Restarts {
    /// Marks over so many seconds, one a minute at most.
    pub(crate) fn over(horizon: u64) -> Restarts {
        let minutes = horizon.div_ceil(60 * u64::from(MARKS)).max(1);
        let every = u32::try_from(minutes.saturating_mul(60)).unwrap_or(u32::MAX);
        Restarts { every, seconds: 0, left: MARKS }
    }
    /// What is staked at the start (a logarithm).
    pub(crate) fn first(self) -> f64 {
        0.5_f64.ln()
    }
    /// What is staked at a mark (a logarithm).
    pub(crate) fn each(self) -> f64 {
        (0.5 / f64::from(MARKS)).ln()
    }
    /// Time goes by; true when a mark is reached.
    pub(crate) fn pass(&mut self, seconds: u32) -> bool {
        self.seconds = self.seconds.saturating_add(seconds);
        let due = self.seconds >= self.every && self.left > 0;
        if due {
            self.seconds = 0;
            self.left -= 1;
        }
        due
    }
}
