//! Scatter between stable instances: each in turn is a candidate that is known to be fine.

use serde::{Deserialize, Serialize};

use crate::counts::{Counts, float};
use crate::noise::RateNoise;
use crate::stakes::SCALES;

/// Instances that are told apart; more share a place.
const PLACES: usize = 16;
/// Instances whose lasting differences say something about those of others.
const ENOUGH: usize = 3;

/// What each stable instance did in blocks that are not over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scatter {
    open: [Places; SCALES.len()],
    lasting: Vec<Lasting>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Places {
    seconds: u32,
    places: Vec<Counts>,
}

/// How far one instance is from the others, block after block: sums of u·x and u, and of their
/// squares, where x is about the logarithm of the ratio of its rate to theirs and u its precision.
/// What two different blocks have in common lasts; noise of either has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Lasting {
    off: f64,
    off_squares: f64,
    weight: f64,
    weight_squares: f64,
}

impl Lasting {
    fn take(&mut self, one: Counts, others: Counts, noise: RateNoise) {
        let all = float(one.requests + others.requests);
        let bad = float(one.bad + others.bad);
        let theta = if all > 0.0 { float(one.requests) / all } else { 0.0 };
        let size = bad * theta * (1.0 - theta);
        if size <= 0.0 {
            return;
        }
        let tempered = 1.0 + size * noise.variance();
        let weight = size / tempered;
        let most = 5.0 * weight.sqrt();
        let off = ((float(one.bad) - bad * theta) / tempered).clamp(-most, most);
        self.off += off;
        self.off_squares += off * off;
        self.weight += weight;
        self.weight_squares += weight * weight;
    }
    /// (surplus, weight): their quotient is the variance of what lasts.
    fn pairs(&self) -> (f64, f64) {
        (self.off * self.off - self.off_squares, self.weight * self.weight - self.weight_squares)
    }
}

impl Places {
    fn take(&mut self, seconds: u32, instances: &[Counts]) {
        self.seconds += seconds;
        self.places.resize(self.places.len().max(instances.len().min(PLACES)), Counts::default());
        for (place, counts) in self.places.iter_mut().zip(instances) {
            place.add(*counts);
        }
        let more = instances.iter().skip(PLACES).enumerate();
        for (number, counts) in more {
            if let Some(place) = self.places.get_mut(number % PLACES) {
                place.add(*counts);
            }
        }
    }
    /// Each place, and all others together.
    fn pairs(&self) -> impl Iterator<Item = (Counts, Counts)> {
        let mut all = Counts::default();
        for place in &self.places {
            all.add(*place);
        }
        self.places.iter().map(move |place| {
            let others = Counts::new(all.requests - place.requests, all.bad - place.bad);
            (*place, others)
        })
    }
    fn close(&mut self) {
        self.seconds = 0;
        self.places.clear();
    }
}

impl Scatter {
    pub(crate) fn take(
        &mut self,
        seconds: u32,
        instances: &[Counts],
        noise: &mut [RateNoise; SCALES.len()],
    ) {
        if instances.len() < 2 {
            return;
        }
        let last = SCALES.len() - 1;
        for (scale, (open, noise)) in self.open.iter_mut().zip(noise).enumerate() {
            open.take(seconds, instances);
            if open.seconds < SCALES.get(scale).copied().unwrap_or_default() {
                continue;
            }
            open.pairs().for_each(|(one, others)| noise.learn(one, others));
            if scale == last {
                let number = self.lasting.len().max(open.places.len());
                self.lasting.resize(number, Lasting::default());
                for (lasting, (one, others)) in self.lasting.iter_mut().zip(open.pairs()) {
                    lasting.take(one, others, *noise);
                }
            }
            open.close();
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        let open = self.open.iter().map(|open| open.places.capacity() * size_of::<Counts>());
        open.sum::<usize>() + self.lasting.capacity() * size_of::<Lasting>()
    }

    /// How many times as bad as others a healthy instance may always be, by what instances were so
    /// far; 1 when there are too few to tell, or when it may be chance.
    pub(crate) fn lasting_ratio(&self) -> f64 {
        if self.lasting.len() < ENOUGH {
            return 1.0;
        }
        let (surplus, weight) = self
            .lasting
            .iter()
            .map(Lasting::pairs)
            .fold((0.0, 0.0), |(surplus, weight), (more, heavy)| (surplus + more, weight + heavy));
        // By chance alone the surplus has a variance of twice the weight.
        let variance = (surplus - (2.0 * weight).sqrt()) / weight.max(f64::MIN_POSITIVE);
        if variance > 0.0 { (DEVIATIONS * variance.sqrt()).exp().min(MOST_RATIO) } else { 1.0 }
    }
}

/// How many standard deviations from the others an instance may be.
const DEVIATIONS: f64 = 2.0;
/// More than this is no difference between healthy instances.
const MOST_RATIO: f64 = 3.0;
