//! What happens: traffic, a true error rate for each instance and second, harm and noise.

use cutover_judge::Counts;

use super::chance::Chance;

/// The candidate's share of requests.
pub(crate) const SHARE: f64 = 0.1;
/// Seconds of a rollout, and of the history before it.
pub(crate) const HORIZON: u32 = 3600;
pub(crate) const HISTORY: u32 = 1800;
/// Instances, where they are told apart; the last one becomes the candidate.
pub(crate) const INSTANCES: usize = 10;

/// What is wrong with the candidate, as an addition to its error rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Harm {
    None,
    Always(f64),
    /// From minute 30 on.
    Late(f64),
    /// Grows over the whole hour up to this.
    Leak(f64),
}

impl Harm {
    fn at(self, second: u32) -> f64 {
        match self {
            Harm::None => 0.0,
            Harm::Always(more) => more,
            Harm::Late(more) => {
                if second >= LATE {
                    more
                } else {
                    0.0
                }
            }
            Harm::Leak(most) => most * f64::from(second) / f64::from(HORIZON),
        }
    }
    /// When it starts.
    pub(crate) fn start(self) -> u32 {
        match self {
            Harm::None | Harm::Always(_) | Harm::Leak(_) => 0,
            Harm::Late(_) => LATE,
        }
    }
}

/// When late harm begins.
pub(crate) const LATE: u32 = 1800;

/// What makes counts scatter beyond chance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Noise {
    /// Both sides drift together: a sine over the hour and an AR(1) of five minutes, about 50 % CV.
    pub(crate) drift: bool,
    /// Both sides fail 20 times as often for 60 s, six times an hour.
    pub(crate) incidents: bool,
    /// Each instance (or side) differs for 10 s, with this CV.
    pub(crate) brief: f64,
    /// ... for 60 s.
    pub(crate) longer: f64,
    /// ... throughout: exp(N(0, this)).
    pub(crate) lasting: f64,
}

impl Noise {
    pub(crate) const NONE: Noise =
        Noise { drift: false, incidents: false, brief: 0.0, longer: 0.0, lasting: 0.0 };
    pub(crate) const ALL: Noise =
        Noise { drift: true, incidents: true, brief: 0.5, longer: 0.3, lasting: 0.1 };
}

/// Who has noise of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parties {
    /// The two sides, each as a whole; only the candidate differs throughout.
    Sides,
    /// Ten instances, nine of them stable.
    Instances,
}

/// A world, in which many rollouts are simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct World {
    /// Requests per second, both sides together.
    pub(crate) rate: f64,
    /// Stable's error rate.
    pub(crate) base: f64,
    pub(crate) harm: Harm,
    pub(crate) noise: Noise,
    pub(crate) parties: Parties,
}

impl World {
    pub(crate) fn clean(rate: f64, harm: Harm) -> World {
        World { rate, base: 0.005, harm, noise: Noise::NONE, parties: Parties::Sides }
    }
}

/// One second: the candidate, and each stable party.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Second {
    pub(crate) candidate: Counts,
    /// Stable as a whole.
    pub(crate) stable: Counts,
    /// Each stable instance; the first is all of them where sides are parties.
    pub(crate) instances: [Counts; INSTANCES],
    /// The rate of bad answers of stable, as it really is.
    pub(crate) truth: f64,
}

/// The world of one rollout, second by second.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    world: World,
    chance: Chance,
    parties: [Party; INSTANCES],
    number: usize,
    phase: f64,
    wander: f64,
    incident: u32,
}

#[derive(Debug, Clone, Copy)]
struct Party {
    part: f64,
    lasting: f64,
    brief: f64,
    longer: f64,
}

impl Stream {
    pub(crate) fn new(world: World, seed: u64) -> Stream {
        let mut chance = Chance::new(seed);
        let number = match world.parties {
            Parties::Sides => 2,
            Parties::Instances => INSTANCES,
        };
        let mut parties = [Party { part: 0.0, lasting: 1.0, brief: 1.0, longer: 1.0 }; INSTANCES];
        for (index, party) in parties.iter_mut().take(number).enumerate() {
            let last = index + 1 == number;
            party.part = if last { SHARE } else { (1.0 - SHARE) / (number - 1) as f64 };
            if world.noise.lasting > 0.0 && (last || number > 2) {
                party.lasting = (world.noise.lasting * chance.normal()).exp();
            }
        }
        let phase = std::f64::consts::TAU * chance.unit();
        let wander = WANDER * chance.normal();
        Stream { world, chance, parties, number, phase, wander, incident: 0 }
    }

    /// History: the second before the rollout, in which all parties are stable.
    pub(crate) fn before(&mut self, second: u32) -> Second {
        self.next(second, 0.0)
    }

    /// A second of the rollout.
    pub(crate) fn second(&mut self, second: u32) -> Second {
        self.next(second, self.world.harm.at(second))
    }

    /// The release is a new one: the candidate's instance starts anew.
    pub(crate) fn replace(&mut self) {
        let lasting = self.world.noise.lasting;
        if let Some(party) = self.parties.get_mut(self.number - 1)
            && lasting > 0.0
        {
            party.lasting = (lasting * self.chance.normal()).exp();
        }
    }

    fn next(&mut self, second: u32, harm: f64) -> Second {
        let noise = self.world.noise;
        let shared = self.world.base * self.shared(second);
        let mut out = Second::default();
        let last = self.number - 1;
        for index in 0..self.number {
            let Some(party) = self.parties.get_mut(index) else { break };
            if noise.brief > 0.0 && second.is_multiple_of(10) {
                party.brief = self.chance.gamma(noise.brief);
            }
            if noise.longer > 0.0 && second.is_multiple_of(60) {
                party.longer = self.chance.gamma(noise.longer);
            }
            let own = party.lasting * party.brief * party.longer;
            let bad = own * (shared + if index == last { harm } else { 0.0 });
            let (rate, bad) = (self.world.rate * party.part, bad.min(0.95));
            let failed = self.chance.poisson(rate * bad);
            let counts = Counts::new(failed + self.chance.poisson(rate * (1.0 - bad)), failed);
            if index == last {
                out.candidate = counts;
            } else {
                out.stable.add(counts);
                out.truth += bad / last as f64;
                if let Some(place) = out.instances.get_mut(index) {
                    *place = counts;
                }
            }
        }
        out
    }

    /// How many times as often as usual both sides fail.
    fn shared(&mut self, second: u32) -> f64 {
        let mut times = 1.0;
        if self.world.noise.drift {
            self.wander =
                KEPT * self.wander + WANDER * (1.0 - KEPT * KEPT).sqrt() * self.chance.normal();
            let turn = f64::from(second) / 3600.0 * std::f64::consts::TAU;
            times *= (1.0 + 0.5 * (turn + self.phase).sin())
                * (self.wander - 0.5 * WANDER * WANDER).exp();
        }
        if self.world.noise.incidents {
            if self.incident == 0 && self.chance.unit() < 1.0 / 600.0 {
                self.incident = 60;
            }
            if self.incident > 0 {
                self.incident -= 1;
                times *= 20.0;
            }
        }
        times
    }
}

/// The AR(1) of the drift: its standard deviation, and what is left of it after a second.
const WANDER: f64 = 0.35;
const KEPT: f64 = 0.996_672;
