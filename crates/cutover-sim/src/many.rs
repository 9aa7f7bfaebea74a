//! Many worlds at once, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::ops::Range;

use cutover_core::record::Outcome;

use crate::conduct::{Ending, Stage};
use crate::scenario::Scenario;

/// Seeds of broken worlds that are named.
const NAMED: usize = 10;

/// What became of many worlds.
#[derive(Debug, Default)]
pub struct Many {
    /// Worlds run.
    pub worlds: u64,
    /// Rollouts begun in them.
    pub rollouts: u64,
    /// Tables published.
    pub tables: u64,
    /// Records written.
    pub records: u64,
    /// Times that an engine looked, and decided.
    pub looks: u64,
    /// Engines started.
    pub engines: u64,
    /// How rollouts ended.
    pub outcomes: BTreeMap<String, u64>,
    /// Broken promises by their number.
    pub broken: BTreeMap<String, Broken>,
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Broken {
    /// In how many worlds.
    pub times: u64,
    /// The names of some of them.
    pub some: Vec<String>,
    /// What happened in the first, and the world then.
    pub first: String,
}

impl Many {
    /// Adds one world by its name.
    pub fn add(&mut self, name: &str, ending: Result<Ending, String>) {
        self.worlds += 1;
        let (what, told) = match ending {
            Ok(ending) => {
                self.rollouts += ending.begun as u64;
                self.tables += u64::from(ending.published);
                self.records += ending.written as u64;
                self.looks += ending.looks;
                self.engines += u64::from(ending.starts);
                for outcome in &ending.outcomes {
                    *self.outcomes.entry(format!("{outcome:?}")).or_default() += 1;
                }
                let Some(what) = ending.broken else { return };
                (what, ending.told)
            }
            Err(what) => (what, String::new()),
        };
        let key = what.split_whitespace().next().unwrap_or_default().to_owned();
        let first = format!("{what}\n  {told}");
        let broken = self.broken.entry(key).or_insert(Broken { times: 0, some: vec![], first });
        broken.times += 1;
        if broken.some.len() < NAMED {
            broken.some.push(name.to_owned());
        }
    }

    /// Adds what became of others.
    pub fn merge(&mut self, other: Many) {
        self.worlds += other.worlds;
        self.rollouts += other.rollouts;
        self.tables += other.tables;
        self.records += other.records;
        self.looks += other.looks;
        self.engines += other.engines;
        for (outcome, times) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += times;
        }
        for (key, more) in other.broken {
            match self.broken.get_mut(&key) {
                Some(known) => {
                    known.times += more.times;
                    known.some.extend(more.some);
                    known.some.truncate(NAMED);
                }
                None => drop(self.broken.insert(key, more)),
            }
        }
    }

    /// Did a rollout end like this?
    #[must_use]
    pub fn has(&self, outcome: &Outcome) -> bool {
        self.outcomes.contains_key(&format!("{outcome:?}"))
    }
}

impl fmt::Display for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Many { worlds, rollouts, tables, records, looks, engines, outcomes, broken } = self;
        writeln!(
            f,
            "{worlds} worlds, {rollouts} rollouts, {records} records, {tables} tables, {looks} looks, {engines} starts of the engine"
        )?;
        for (outcome, times) in outcomes {
            writeln!(f, "  {times:>9}  {outcome}")?;
        }
        for Broken { times, some, first } in broken.values() {
            writeln!(f, "BROKEN in {times} worlds, such as {some:?}; one of them: {first}")?;
        }
        Ok(())
    }
}

/// Runs the worlds of a range, named and made by `make`, on all cores.
#[must_use]
pub fn run(
    range: Range<u64>,
    make: impl Fn(u64) -> (String, Result<Scenario, String>) + Sync,
) -> Many {
    let parts = on_all_cores(|k, cores| {
        let mut many = Many::default();
        let stage = Stage::new().map_err(|error| error.to_string());
        for place in range.clone().skip(k).step_by(cores) {
            let (name, scenario) = make(place);
            let ending = match (&stage, scenario) {
                (Ok(stage), Ok(scenario)) => Ok(stage.run(scenario, false)),
                (Err(what), _) => Err(what.clone()),
                (_, Err(what)) => Err(what),
            };
            many.add(&name, ending);
        }
        many
    });
    let mut many = Many::default();
    parts.into_iter().for_each(|part| many.merge(part));
    many
}

/// Does each core's part of something: `part` is given the core's number, from 0, and how many there
/// are.
pub(crate) fn on_all_cores<T: Send>(part: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let part = &part;
        let running: Vec<_> = (0..cores).map(|k| scope.spawn(move || part(k, cores))).collect();
        let parts = running.into_iter().map(|part| match part.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        parts.collect()
    })
}
