//! The driver of one app: look, decide, record, act; again and again. Everything it decides is
//! decided by `cutover_core::progress::next`.

mod act;
mod begin;
mod commands;
mod compare;
mod hooks;
mod judge;
mod metrics;
mod people;
mod prune;
mod ramp;
mod records;
mod status;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::app::{App, Phase};
use cutover_core::event::EventKind;
use cutover_core::id::{InstanceId, ReleaseId, Subject};
use cutover_core::observed::{Observed, State};
use cutover_core::plan::{Gate, Route};
use cutover_core::progress;
use cutover_core::record::{Outcome, Record, Verdict, Why};
use cutover_core::release::Release;
use cutover_core::units::{At, Share};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use commands::{Command, Prepared};

use crate::context::{Context, chain};
use crate::journal::{Entry, Journal, JournalError, PrunedRelease};
use crate::lineage::Lineage;
use crate::ports::{Clock, Platform, Seen, World};
use crate::tally::Tally;
use crate::watch::Watch;
use hooks::HookEnd;
use metrics::MetricRead;

/// Drives one app.
pub(crate) struct Driver<W: World> {
    context: Arc<Context<W>>,
    subject: Subject,
    app: App,
    releases: BTreeMap<ReleaseId, Arc<Release>>,
    /// Releases that were pruned: their names stay known.
    pruned: BTreeMap<ReleaseId, PrunedRelease>,
    lineage: Lineage,
    run: Run,
    watch: Watch,
    seen: BTreeMap<InstanceId, Seen>,
    /// Decided and done, but not recorded yet: the journal cannot be written.
    unrecorded: Vec<(Record, Option<String>)>,
    /// What is wrong now, by kind, so that each is told once.
    troubles: BTreeMap<&'static str, String>,
    hooks: JoinSet<HookEnd>,
    /// Looks at metrics that are under way.
    looks: JoinSet<MetricRead>,
    /// Hooks that ended and could not be recorded yet: (stage, hook, ok).
    ended_hooks: Vec<(usize, u32, bool)>,
    /// When the data plane last refused a table.
    refused_at: Option<At>,
    /// Since when the proxy does not answer.
    blind_since: Option<At>,
    down_replies: Vec<commands::Reply<crate::api::Acted>>,
}

/// The newest rollout as far as the journal does not hold it.
#[derive(Default)]
struct Run {
    number: u64,
    actor: String,
    tally: Tally,
    verdict: Option<(Verdict, String)>,
    told_verdict: At,
    reason: Option<String>,
    /// Did a table in force ever serve the candidate?
    exposed: bool,
    held_since: Option<At>,
    held: Duration,
    waiting_told: Option<usize>,
    /// How it ended, when that was read from the journal.
    ended: Option<(Outcome, At)>,
}

/// How soon to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Now,
    After(Duration),
}

impl<W: World> Driver<W> {
    /// Takes an app up where its journal left it.
    pub(crate) async fn take_up(
        context: Arc<Context<W>>,
        subject: Subject,
    ) -> Result<Driver<W>, JournalError> {
        let entries = context.journal.records(&subject)?;
        let releases = context.journal.releases(&subject)?;
        let pruned = context.journal.pruned(&subject)?;
        let mut driver = Driver {
            subject,
            app: App::default(),
            releases: releases.into_iter().map(|r| (r.id, Arc::new(r))).collect(),
            pruned,
            lineage: Lineage::default(),
            run: Run::default(),
            watch: Watch::default(),
            seen: BTreeMap::new(),
            unrecorded: vec![],
            troubles: BTreeMap::new(),
            hooks: JoinSet::new(),
            looks: JoinSet::new(),
            ended_hooks: vec![],
            refused_at: None,
            blind_since: None,
            down_replies: vec![],
            context,
        };
        for entry in &entries {
            driver.replay(entry);
        }
        driver.take_up_tally();
        let started = Record::EngineStarted { epoch: driver.context.epoch };
        driver.apply(driver.context.clock.now(), &started);
        if !entries.is_empty() {
            driver
                .context
                .journal
                .append(&driver.subject, driver.context.clock.stamp(), None, vec![started])
                .await?;
        }
        driver.tell_missed_end().await?;
        Ok(driver)
    }

    /// A start that was killed between recording an end and telling it left followers waiting.
    async fn tell_missed_end(&mut self) -> Result<(), JournalError> {
        let Some((outcome, at)) = self.run.ended else { return Ok(()) };
        let told = self.context.events.finished(&self.subject)?;
        if !told.iter().any(|event| event.rollout == Some(self.run.number)) {
            self.run.tally.partial = true;
            self.tell_finished(outcome, at, &Observed::default()).await;
        }
        Ok(())
    }

    fn take_up_tally(&mut self) {
        let Some(rollout) = &self.app.rollout else { return };
        let stage = match rollout.phase {
            Phase::Forward(forward) => Some(forward.stage),
            Phase::Back { .. } | Phase::Done(_) => None,
        };
        match self.context.events.kept_tally(&self.subject, self.run.number) {
            Some(tally) => {
                self.run.tally = tally;
                // Nothing was read before it was stored.
                self.run.tally.partial |= self.run.tally.cursor().is_none();
            }
            // What was counted before this start is not known.
            None => self.run.tally.partial = true,
        }
        if let Some(stage) = stage {
            self.run.tally.enter(stage);
        }
    }

    fn replay(&mut self, entry: &Entry) {
        if let Record::Begun(_) = &entry.record {
            self.run = Run { number: entry.index, ..Run::default() };
            self.run.actor = entry.actor.clone().unwrap_or_default();
        }
        if let Record::Reached { stage } = &entry.record {
            let rollout = self.app.rollout.as_ref();
            let stage = rollout.and_then(|rollout| rollout.plan.stages.get(*stage));
            // Nobody knows the share of marked requests.
            self.run.exposed |= stage.is_some_and(|stage| {
                matches!(stage.route, Route::Match { .. })
                    || stage.route.share() != Some(Share::ZERO)
            });
        }
        if let Record::Finished(outcome) = &entry.record {
            self.run.ended = Some((*outcome, entry.at));
        }
        self.apply(entry.at, &entry.record);
    }

    /// Folds a record in. One that does not fit is left out, and that is told: a journal that
    /// stops the engine would help nobody.
    fn apply(&mut self, at: At, record: &Record) {
        match self.app.apply(at, record) {
            Ok(()) => self.lineage.apply(record),
            Err(error) => self.trouble("record", &error.to_string()),
        }
    }

    /// Drives until told to stop.
    pub(crate) async fn drive(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) {
        let mut pace = Pace::Now;
        loop {
            let context = Arc::clone(&self.context);
            let subject = self.subject.clone();
            let wait = match pace {
                Pace::Now => Duration::ZERO,
                Pace::After(span) => span,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                Some(end) = self.hooks.join_next(), if !self.hooks.is_empty() => {
                    self.hook_ended(end).await;
                }
                Some(end) = self.looks.join_next(), if !self.looks.is_empty() => {
                    self.metric_read(end);
                }
                () = context.platform.changed(&subject) => {}
                () = context.clock.sleep(wait) => {}
            }
            pace = self.turn().await;
        }
    }

    /// One look, and all that follows from it.
    async fn turn(&mut self) -> Pace {
        let now = self.context.clock.now();
        self.flush().await;
        let seen = match self.context.platform.observe(&self.subject, now).await {
            Ok(seen) => seen,
            Err(error) => {
                self.trouble("platform", &chain(&error));
                return Pace::After(Duration::from_millis(200));
            }
        };
        self.fine("platform");
        self.tell_instances(&seen);
        let state = match self.app_state().await {
            Ok(state) => state,
            Err(error) => {
                self.trouble("proxy", &chain(&error));
                self.keep_running(&seen, now).await;
                self.seen = seen;
                self.give_up_blind(now).await;
                return Pace::After(Duration::from_millis(50));
            }
        };
        self.fine("proxy");
        self.blind_since = None;
        let observed = self.watch.observe(&seen, state, now);
        self.seen = seen;
        self.count(now).await;
        self.look_at_metrics(now);
        self.judge(now).await;
        self.record_hooks().await;
        let next = progress::next(&self.app, &observed, now);
        let decided = !next.records.is_empty();
        let recorded = self.commit(next.records, &observed).await;
        // What could not be recorded is not done: the desired world is that of what is recorded.
        let desired = match recorded {
            true => next.desired,
            false => progress::desired(&self.app, &observed, now),
        };
        let published = self.publish(&observed, &desired).await;
        self.converge(&desired, now).await;
        self.leave_if_down(&observed).await;
        self.tell_waiting();
        if (decided && recorded) || published {
            Pace::Now
        } else {
            Pace::After(self.pace(&observed, &desired.instances, now))
        }
    }

    fn pace(
        &self,
        observed: &Observed,
        wanted: &std::collections::BTreeSet<InstanceId>,
        now: At,
    ) -> Duration {
        const BUSY: Duration = Duration::from_millis(10);
        const WATCHING: Duration = Duration::from_millis(250);
        const IDLE: Duration = Duration::from_secs(1);
        let calm = observed.instances.keys().eq(wanted.iter())
            && observed.instances.values().all(|i| i.state == State::Ready)
            && observed.is_settled();
        let Some(rollout) = self.app.live() else { return if calm { IDLE } else { WATCHING / 5 } };
        let Phase::Forward(forward) = rollout.phase else { return BUSY };
        let Some(reached) = forward.reached else { return BUSY };
        let gates = rollout.plan.stages.get(forward.stage).map(|stage| stage.gates.as_slice());
        let ends = gates.unwrap_or_default().iter().filter_map(|gate| match gate {
            Gate::Hold(span) | Gate::Conclude(span) | Gate::Confirm(span) => Some(reached + *span),
            Gate::Judge { bake, .. } => Some(reached + *bake),
            Gate::Ready | Gate::Approval | Gate::Hooks => None,
        });
        let next = ends.filter(|end| *end > now).min();
        next.map_or(WATCHING, |end| end.since(now).clamp(Duration::from_millis(1), WATCHING))
    }

    /// The plane of control is blind: crashed instances are started again, nothing else is done.
    async fn keep_running(&mut self, seen: &BTreeMap<InstanceId, Seen>, now: At) {
        let wanted = seen.iter().filter(|(_, seen)| seen.state != State::Stopping);
        let wanted: BTreeMap<InstanceId, Arc<Release>> = wanted
            .filter_map(|(id, _)| Some((*id, Arc::clone(self.releases.get(&id.release)?))))
            .collect();
        if let Err(error) = self.context.platform.converge(&self.subject, &wanted, now).await {
            self.trouble("platform", &chain(&error));
        }
    }

    /// A rollout does not wait longer for the proxy than for anything else.
    async fn give_up_blind(&mut self, now: At) {
        let since = *self.blind_since.get_or_insert(now);
        let limit = self.app.live().filter(|rollout| matches!(rollout.phase, Phase::Forward(_)));
        let limit = limit.map(|rollout| rollout.plan.patience.stage);
        if limit.is_some_and(|limit| now >= since + limit) {
            let record = Record::TurnedBack(Why::Deadline);
            let detail = self.explain(Why::Deadline).await;
            if self.record(record.clone(), None).await.is_ok() {
                self.run.reason = Some(detail.clone());
                self.tell(EventKind::TurnedBack { why: Why::Deadline, detail });
            }
        }
    }

    /// Tells what is wrong, once, until it is fine again.
    fn trouble(&mut self, kind: &'static str, text: &str) {
        let known = self.troubles.insert(kind, text.to_owned());
        if known.is_none() {
            let rollout = self.app.live().map(|_| self.run.number);
            let text = text.to_owned();
            self.context.tell(&self.subject, rollout, EventKind::Warning { text });
        }
    }

    fn fine(&mut self, kind: &'static str) {
        self.troubles.remove(kind);
    }
}
