//! The journal of the world, and what strikes while something is written in it.

use std::time::Duration;

use cutover_core::app::Phase;
use cutover_core::id::FlagKey;
use cutover_core::progress;
use cutover_core::record::Record;
use cutover_core::units::At;
use cutover_engine::journal::Entry;

use super::World;
use crate::scenario::Op;
use crate::strike::Blow;

impl World {
    /// Is there no room in the journal now?
    pub(crate) fn is_full(&mut self) -> bool {
        if self.dice.chance(self.scenario.faults.journal) {
            self.full_until = self.now + self.dice.up_to(Duration::from_secs(4));
            self.tell(|| "the journal has no room".to_owned());
        }
        self.now < self.full_until
    }

    /// The blow that strikes at the record that is to be written now.
    pub(crate) fn blow(&self) -> Option<Blow> {
        self.scenario
            .strike
            .filter(|strike| strike.record == self.written)
            .map(|strike| strike.what)
    }

    /// Writes one record; its number.
    pub(crate) fn write(&mut self, at: At, actor: Option<String>, record: Record) -> u64 {
        self.tell(|| match &record {
            Record::Begun(plan) => {
                let stages = plan.stages.len();
                format!("BEGUN {} to {}, {stages} stages", plan.pattern, plan.candidate)
            }
            other => format!("{other:?}"),
        });
        if self.ahead.first() == Some(&record) {
            // It was done before there was room for it.
            self.ahead.remove(0);
        } else {
            self.fold(at, &record);
        }
        self.written += 1;
        let index = self.journal.last().map_or(1, |last| last.index + 1);
        self.journal.push(Entry { index, at, actor, record });
        index
    }

    /// A record that there was no room for. What only takes traffic off is done all the same.
    pub(crate) fn not_written(&mut self, at: At, record: Record) {
        self.tell(|| format!("no room for {record:?}"));
        let known = self.ahead.contains(&record);
        let takes_off = matches!(
            record,
            Record::AbortRequested { .. } | Record::TurnedBack(_) | Record::FlagKilled { .. }
        );
        if known || !takes_off {
            return;
        }
        self.go_ahead(at, record.clone());
        if let Record::FlagKilled { flag } = record
            && self.is_raising(&flag)
        {
            // The rollout goes with its flag, and nobody tries to write that after a kill that is not.
            self.go_ahead(at, Record::AbortRequested { force: false });
        }
    }

    fn go_ahead(&mut self, at: At, record: Record) {
        self.fold(at, &record);
        self.ahead.push(record);
    }

    /// Does a rollout on its way forward raise this flag?
    fn is_raising(&self, flag: &FlagKey) -> bool {
        self.app.live().is_some_and(|rollout| {
            let forward = matches!(rollout.phase, Phase::Forward(_));
            forward && !rollout.abort && rollout.plan.flag.as_ref() == Some(flag)
        })
    }

    /// An engine that is ahead of its journal turns back, too, and does not even try to write it.
    pub(crate) fn follow_ahead(&mut self) {
        if self.ahead.is_empty() || self.blind {
            return;
        }
        let decided = progress::next(&self.app, &self.looked.1, self.looked.0);
        if let Some(record @ Record::TurnedBack(_)) = decided.records.first() {
            self.go_ahead(self.looked.0, record.clone());
        }
    }

    fn fold(&mut self, at: At, record: &Record) {
        let check = self.before_record(record);
        self.check(check);
        let folded = self.app.apply(at, record);
        self.check(folded.map_err(|error| format!("I0 illegal {record:?}: {error}")));
    }

    /// A dead engine forgets what is not in the journal.
    pub(crate) fn forget_ahead(&mut self) {
        if self.ahead.is_empty() {
            return;
        }
        self.ahead.clear();
        self.off = None;
        match self.replayed() {
            Ok(app) => self.app = app,
            Err(what) => self.check(Err(what)),
        }
        self.aborted &= self.app.live().is_some_and(|rollout| rollout.abort);
    }

    /// What strikes once a record is written.
    pub(crate) fn strike(&mut self, blow: Blow) {
        self.tell(|| format!("STRIKE {blow:?}"));
        match blow {
            Blow::DeathBefore | Blow::NoRoom => {}
            Blow::DeathAfter => self.kill_engine(),
            Blow::PlatformFails
            | Blow::PlatformHalfFails
            | Blow::PlatformRepeats
            | Blow::TableLost
            | Blow::AnswerLost => self.next_blow = Some(blow),
            Blow::ProxyDeath => self.proxy_dies(),
            Blow::Exit => self.one_exits(),
            Blow::Abort => self.soon.push(Op::Abort { force: false }),
            Blow::ScaleUp => self.soon.push(Op::Scale(self.app.n + 2)),
            Blow::ScaleDown => self.soon.push(Op::Scale(self.app.n.saturating_sub(1).max(1))),
            Blow::Supersede => {
                let pattern = self.scenario.spec.pattern;
                self.soon.push(Op::Deploy { pattern, version: 3, supersede: true });
            }
        }
    }
}
