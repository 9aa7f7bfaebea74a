//! Targets: each is a figure and a limit.

use crate::page;

/// All that were measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Targets {
    all: Vec<Target>,
}

#[derive(Debug, Clone)]
struct Target {
    what: String,
    found: String,
    limit: String,
    met: bool,
}

impl Targets {
    /// A share that may not be larger.
    pub(crate) fn share(&mut self, what: &str, found: f64, limit: f64) {
        let met = found <= limit;
        self.add(what, page::percent(found), format!("≤ {}", page::percent(limit)), met);
    }

    /// A count that may not be larger; `None` is more than anything.
    pub(crate) fn at_most(&mut self, what: &str, found: Option<u64>, limit: u64, unit: &str) {
        let met = found.is_some_and(|found| found <= limit);
        let text = found.map_or("never".to_owned(), |found| format!("{found}{unit}"));
        self.add(what, text, format!("≤ {limit}{unit}"), met);
    }

    /// A number that may not be smaller.
    pub(crate) fn at_least(&mut self, what: &str, found: f64, limit: f64, unit: &str) {
        let text = format!("{found:.2}{unit}");
        self.add(what, text, format!("≥ {limit}{unit}"), found >= limit);
    }

    fn add(&mut self, what: &str, found: String, limit: String, met: bool) {
        self.all.push(Target { what: what.to_owned(), found, limit, met });
    }

    pub(crate) fn all_met(&self) -> bool {
        self.all.iter().all(|target| target.met)
    }

    pub(crate) fn print(&self) {
        page::head("Targets", &["figure", "measured", "target", ""]);
        for target in &self.all {
            let met = if target.met { "met" } else { "**not met**" }.to_owned();
            page::row(&[target.what.clone(), target.found.clone(), target.limit.clone(), met]);
        }
    }
}
