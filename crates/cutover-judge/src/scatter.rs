//! Scatter between stable instances: each in turn is a candidate that is known to be fine.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::noise::RateNoise;
use crate::stakes::SCALES;

/// Instances that are told apart; more share a place.
const PLACES: usize = 16;
/// Seconds over which instances are compared for differences that last.
const LASTING: u32 = 600;
/// Instances whose lasting differences say something about those of others.
const ENOUGH: usize = 3;

/// What each stable instance did in blocks that are not over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scatter {
    open: [Places; SCALES.len()],
    lasting: Places,
    between: Option<RateNoise>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Places {
    seconds: u32,
    places: Vec<Counts>,
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
    fn busy(&self) -> usize {
        self.places.iter().filter(|place| place.requests > 0).count()
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
        for ((open, noise), length) in self.open.iter_mut().zip(noise).zip(SCALES) {
            open.take(seconds, instances);
            if open.seconds >= length {
                open.pairs().for_each(|(one, others)| noise.learn(one, others));
                *open = Places::default();
            }
        }
        self.lasting.take(seconds, instances);
        if self.lasting.seconds >= LASTING {
            if self.lasting.busy() >= ENOUGH {
                let between = self.between.get_or_insert_with(RateNoise::new);
                self.lasting.pairs().for_each(|(one, others)| between.learn(one, others));
            }
            self.lasting = Places::default();
        }
    }

    /// How much instances differ for ten minutes; `None` when there are too few to tell.
    pub(crate) fn between_instances(&self) -> Option<RateNoise> {
        self.between
    }
}
