//! A cohort compared: counts, sample ratio, lifts, and what is to be made of them.

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::id::Environment;
use cutover_core::units::At;
use cutover_judge::conversions::{InvalidConversions, Variant};
use cutover_judge::srm::{ALPHA, MOST_ARMS, SampleRatio};

use super::amounts::difference;
use super::cohort::{Cohort, Person};
use super::comparison::{Dealt, lift};
use super::question::Question;
use super::report::{ExperimentReport, Losses, SampleRatioCheck, Segment, VariantCount, Verdict};

/// Values of an attribute that are told.
const MOST_SEGMENTS: usize = 20;
/// Users that the sample ratio is looked at after.
const TICK: usize = 100;
/// Beyond this part of all users strays are no accidents.
const MOST_STRAYS: f64 = 0.01;

type Weights = BTreeMap<String, f64>;

/// What is fixed while a cohort is compared.
struct Setting<'a> {
    cohort: &'a Cohort,
    question: &'a Question,
    now: At,
    /// The shares of each split, or those that were asked for in all of them.
    weights: Vec<Weights>,
    control: Option<usize>,
}

/// Compares a cohort; environment, losses and names of outcomes are the caller's.
#[must_use]
pub fn analyse(cohort: &Cohort, question: &Question, now: At) -> ExperimentReport {
    let given = question.shares.as_ref();
    let of_split = |weights: &BTreeMap<String, u64>| {
        weights.iter().map(|(name, weight)| (name.clone(), *weight as f64)).collect()
    };
    let weights = cohort.splits.iter().map(|split| match given {
        Some(given) => given.clone(),
        None => of_split(&split.weights),
    });
    let control = control(cohort, question);
    let weights = weights.chain(given.cloned()).collect();
    let setting = Setting { cohort, question, now, weights, control };
    let everybody: Vec<&Person> = cohort.people.iter().collect();
    let strays = everybody.iter().filter(|person| setting.is_stray(person)).count();
    let sample_ratio = setting.sample_ratio();
    let (variants, failed) = setting.variants(&everybody, 1, &setting.expected());
    let (segments, more_segments) = setting.segments();
    ExperimentReport {
        environment: Environment::default(),
        flag: question.flag.clone(),
        outcome: question.outcome.clone(),
        control: control.and_then(|at| cohort.variants.get(at)).cloned(),
        first: cohort.people.first().map(|person| person.at),
        last: cohort.people.last().map(|person| person.at),
        contaminated: everybody.iter().filter(|person| person.contaminated).count() as u64,
        strays: strays as u64,
        undealt: everybody.iter().filter(|person| setting.weights_of(person).is_none()).count()
            as u64,
        picks: given.is_none() && cohort.splits.iter().any(|split| split.picks),
        verdict: setting.verdict(&sample_ratio, &variants, strays, failed),
        variants,
        sample_ratio,
        within: question.within,
        alpha: question.alpha,
        by: question.by.clone(),
        segments,
        more_segments,
        outcomes: vec![],
        losses: Losses::default(),
    }
}

/// The variant asked for, else the default variant of the newest split, else the one with most users.
fn control(cohort: &Cohort, question: &Question) -> Option<usize> {
    let of_split = cohort
        .people
        .iter()
        .rev()
        .find_map(|person| cohort.splits.get(person.split?)?.default.as_ref());
    let place = |name: &String| cohort.variants.iter().position(|variant| variant == name);
    if let Some(asked) = &question.control {
        return place(asked);
    }
    let users = |at: &usize| cohort.people.iter().filter(|person| person.variant == *at).count();
    of_split.and_then(place).or_else(|| (0..cohort.variants.len()).max_by_key(users))
}

impl Setting<'_> {
    /// The shares when a user came.
    fn weights_of(&self, person: &Person) -> Option<&Weights> {
        match self.question.shares {
            Some(_) => self.weights.last(),
            None => self.weights.get(person.split?),
        }
    }

    fn name(&self, variant: usize) -> &str {
        self.cohort.variants.get(variant).map_or("", String::as_str)
    }

    fn weight(&self, weights: &Weights, variant: usize) -> f64 {
        weights.get(self.name(variant)).copied().unwrap_or(0.0)
    }

    /// Saw a user what nobody was to see?
    fn is_stray(&self, person: &Person) -> bool {
        self.weights_of(person).is_some_and(|weights| self.weight(weights, person.variant) <= 0.0)
    }

    /// How many users of each variant there were to be, of those who were dealt out.
    fn expected(&self) -> BTreeMap<&str, f64> {
        let mut expected: BTreeMap<&str, f64> = BTreeMap::new();
        for person in self.cohort.people.iter().filter(|person| !self.is_stray(person)) {
            let Some(weights) = self.weights_of(person) else { continue };
            let sum: f64 = weights.values().sum();
            for (name, weight) in weights {
                *expected.entry(name).or_default() += weight / sum;
            }
        }
        expected
    }

    /// Users in the order in which they came, some at a time: looking is part of the test.
    fn sample_ratio(&self) -> SampleRatioCheck {
        let names: BTreeSet<&String> = self.weights.iter().flat_map(BTreeMap::keys).collect();
        let names: Vec<&String> = names.into_iter().collect();
        if names.len() < 2 || names.len() > MOST_ARMS || self.cohort.people.is_empty() {
            return SampleRatioCheck::Unknown;
        }
        let mut ratio = SampleRatio::default();
        let mut left = self.cohort.people.as_slice();
        let mut any = false;
        while let Some(first) = left.first() {
            let same = |person: &&Person| person.split == first.split;
            let (tick, rest) = left.split_at(left.iter().take(TICK).take_while(same).count());
            left = rest;
            let Some(weights) = self.weights_of(first) else { continue };
            any = true;
            let of = |name: &&String| {
                let is_of = |person: &&Person| {
                    self.name(person.variant) == name.as_str() && !self.is_stray(person)
                };
                tick.iter().filter(is_of).count() as u64
            };
            let counts: Vec<u64> = names.iter().map(of).collect();
            let shares: Vec<f64> =
                names.iter().map(|name| weights.get(*name).copied().unwrap_or(0.0)).collect();
            if ratio.observe(&counts, &shares).is_err() {
                return SampleRatioCheck::Unknown;
            }
        }
        let p = ratio.p_value();
        match ratio.is_mismatch(ALPHA) {
            _ if !any => SampleRatioCheck::Unknown,
            true => SampleRatioCheck::Mismatch { p },
            false => SampleRatioCheck::Fits { p },
        }
    }

    /// Every variant with its difference to the control, which comes first; and why there is none.
    /// `times` are comparisons of this kind that are made beside each other.
    fn variants(
        &self,
        people: &[&Person],
        times: usize,
        expected: &BTreeMap<&str, f64>,
    ) -> (Vec<VariantCount>, Option<InvalidConversions>) {
        let mut order: Vec<usize> = (0..self.cohort.variants.len()).collect();
        order.sort_by_key(|at| (Some(*at) != self.control, self.name(*at)));
        let looks = order.len().saturating_sub(1).max(1) * times.max(1);
        let mut failed = None;
        let of = |variant: usize| {
            let own = || people.iter().filter(move |person| person.variant == variant);
            let users = self.dealt(people, variant);
            let (question, alpha) = (self.question, self.question.alpha / looks as f64);
            let has_outcome = question.outcome.is_some();
            let lift = match has_outcome && !users.is_empty() {
                true => lift(&users, question.alpha, looks).unwrap_or_else(|error| {
                    failed = Some(error);
                    None
                }),
                false => None,
            };
            let has_amounts = has_outcome && self.cohort.has_amounts;
            let amount = || difference(&users, question.within, self.now, alpha);
            VariantCount {
                variant: self.name(variant).to_owned(),
                users: own().count() as u64,
                expected: expected.get(self.name(variant)).copied(),
                converted: own().filter(|person| person.converted.is_some()).count() as u64,
                lift,
                amount: has_amounts.then(amount).flatten(),
            }
        };
        let counts = order.into_iter().map(of).collect();
        (counts, failed)
    }

    /// The users of a variant and of the control, where both had a share when they came.
    fn dealt<'a>(&self, people: &[&'a Person], variant: usize) -> Vec<Dealt<'a>> {
        let Some(control) = self.control.filter(|control| *control != variant) else {
            return vec![];
        };
        let dealt = |person: &&'a Person| {
            let of = match person.variant {
                own if own == variant => Variant::Treatment,
                own if own == control => Variant::Control,
                _ => return None,
            };
            let weights = self.weights_of(person)?;
            let (ours, theirs) = (self.weight(weights, variant), self.weight(weights, control));
            let share = ours / (ours + theirs);
            (ours > 0.0 && theirs > 0.0).then_some(Dealt { person, of, share })
        };
        people.iter().filter_map(dealt).collect()
    }

    /// The largest segments, and how many more there are.
    fn segments(&self) -> (Vec<Segment>, usize) {
        if self.question.by.is_none() {
            return (vec![], 0);
        }
        let mut found: BTreeMap<Option<usize>, Vec<&Person>> = BTreeMap::new();
        for person in &self.cohort.people {
            found.entry(person.segment).or_default().push(person);
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(_, people)| std::cmp::Reverse(people.len()));
        let more = found.len().saturating_sub(MOST_SEGMENTS);
        found.truncate(MOST_SEGMENTS);
        let times = found.len();
        let segment = |(value, people): (Option<usize>, Vec<&Person>)| Segment {
            value: value.and_then(|at| self.cohort.segments.get(at)).cloned(),
            variants: self.variants(&people, times, &BTreeMap::new()).0,
        };
        (found.into_iter().map(segment).collect(), more)
    }

    fn verdict(
        &self,
        sample_ratio: &SampleRatioCheck,
        variants: &[VariantCount],
        strays: usize,
        failed: Option<InvalidConversions>,
    ) -> Verdict {
        let untested = |why: String| Verdict::Untested { why };
        if matches!(sample_ratio, SampleRatioCheck::Mismatch { .. }) {
            return Verdict::Invalid;
        }
        if self.cohort.people.is_empty() {
            return untested("nobody was exposed yet".to_owned());
        }
        if strays as f64 > MOST_STRAYS * self.cohort.people.len() as f64 {
            let why = "too many users saw a variant that had no share when they came";
            return untested(why.to_owned());
        }
        if *sample_ratio == SampleRatioCheck::Unknown {
            let why = "it is not known which share of users each variant was to get";
            return untested(why.to_owned());
        }
        if self.question.outcome.is_none() {
            return untested("no outcome was asked for".to_owned());
        }
        if let Some(failed) = failed {
            return untested(failed.to_string());
        }
        if self.control.is_none() || variants.len() < 2 {
            return untested("there is nothing to compare with".to_owned());
        }
        let (mut better, mut worse) = (vec![], vec![]);
        for variant in variants {
            let Some(lift) = variant.lift.filter(|lift| lift.p < self.question.alpha) else {
                continue;
            };
            let more = lift.interval.estimate.map_or(lift.interval.low >= 0.0, |more| more > 0.0);
            if more { &mut better } else { &mut worse }.push(variant.variant.clone());
        }
        match better.is_empty() && worse.is_empty() {
            true => Verdict::Undecided,
            false => Verdict::Different { better, worse },
        }
    }
}
