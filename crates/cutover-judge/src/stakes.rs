//! Stakes: what all bets of one process have won so far, at two time scales.
//!
//! Requests of one instance in one stretch of time are alike, so that counts scatter more than
//! chance alone makes them. What is won by a tick is therefore multiplied by a part between 0 and 1
//! ([`crate::tempering`]), by blocks of 10 s and of 60 s; the evidence is the smaller of the two scales'
//! results. The part is fixed before labels are known, and (1+x)^w ≤ 1 + wx for 0 ≤ w ≤ 1
//! (Bernoulli), so that a supermartingale stays one, whatever the part.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::bets::{log_add, log_mean};

/// Lengths of blocks in seconds.
pub(crate) const SCALES: [u32; 2] = [10, 60];

/// Parts of a win that count, by scale; 1 where counts scatter by chance alone.
pub(crate) type Parts = [f64; SCALES.len()];

/// Logarithms of what each of K stakes is worth, at both scales.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "[f64; K]: Serialize", deserialize = "[f64; K]: DeserializeOwned"))]
pub(crate) struct Stakes<const K: usize> {
    scales: [[f64; K]; SCALES.len()],
}

impl<const K: usize> Stakes<K> {
    /// Each stake is worth this (a logarithm).
    pub(crate) fn new(worth: f64) -> Stakes<K> {
        Stakes { scales: [[worth; K]; SCALES.len()] }
    }

    /// Adds what each stake won, as far as it counts.
    pub(crate) fn win(&mut self, won: &[f64; K], parts: Parts) {
        for (scale, part) in self.scales.iter_mut().zip(parts) {
            for (worth, won) in scale.iter_mut().zip(won) {
                *worth += part * won;
            }
        }
    }

    /// Another part of the capital (a logarithm) is staked from now on.
    pub(crate) fn restart(&mut self, capital: f64) {
        for worth in self.scales.iter_mut().flatten() {
            *worth = log_add(*worth, capital);
        }
    }

    /// Is the evidence at least this? Cheaper than computing it.
    pub(crate) fn reaches(&self, threshold: f64) -> bool {
        // No mean is larger than its largest part.
        let could = self.scales.iter().all(|scale| scale.iter().any(|worth| *worth >= threshold));
        could && self.log_e() >= threshold
    }

    /// The evidence (a logarithm): the mean over the stakes, the smaller of both scales.
    pub(crate) fn log_e(&self) -> f64 {
        self.scales.iter().map(|scale| log_mean(scale)).fold(f64::INFINITY, f64::min)
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
