//! A world of few seconds without chance: instances are ready after one second, drained after one,
//! gone after one, and a table is in force after half of one. What happens is told line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cutover_core::app::{App, HookState, Phase};
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::{Instance, Observed, State};
use cutover_core::patterns::{Making, plan, plan_back};
use cutover_core::plan::Gate;
use cutover_core::progress::next;
use cutover_core::record::{Keep, Record, Verdict};
use cutover_core::spec::{Source, Spec, parse};
use cutover_core::table::{Deal, Table};
use cutover_core::units::{At, Count};

const TICK: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_secs(1);
/// When a world begins: no age is older than it.
const START: At = At(1_000_000);
/// Ticks until a rollout must be over.
const LONGEST: usize = 4_000;

/// What somebody or nature does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Judge(Verdict),
    Approve,
    Conclude(Keep),
    Confirm,
    Pause,
    Resume,
    Abort {
        force: bool,
    },
    Scale(Count),
    KillFlag,
    Deploy(u32),
    Rollback(u32),
    HookEnds(bool),
    /// The engine starts again.
    Restart,
    /// An instance exits, and starts again after a second.
    Exit(u32, u32),
    /// An instance answers no more.
    Lose(u32, u32),
    /// Nothing of this release becomes ready from now on.
    Break(u32),
    /// Requests in this release never end.
    Cling(u32),
}

/// A world, its people, and what was told of it.
pub(crate) struct World {
    pub(crate) app: App,
    spec: Spec,
    now: At,
    seen: Observed,
    ports: u16,
    broken: BTreeSet<u32>,
    clinging: BTreeSet<u32>,
    /// What is done once a record was told as this, or so many half seconds after the begin.
    script: Vec<(String, Act)>,
    /// Deployments ask for a confirmation within this time.
    confirm: Option<Duration>,
    /// Verdicts pass, people approve, and hooks end well by themselves.
    pub(crate) obliging: bool,
    told: String,
    line: String,
}

impl World {
    /// An app whose first release is live, and nothing told yet.
    pub(crate) fn at_rest(settings: &str) -> World {
        let mut world = World::empty(settings);
        world.play(&[("0", Act::Deploy(1))]);
        world.told.clear();
        world
    }

    /// An app without any release.
    pub(crate) fn empty(settings: &str) -> World {
        let source = Source { name: "cutover.yaml".into(), text: settings.to_owned() };
        let spec = parse(&source, &[]).unwrap();
        let mut world = World {
            app: App::default(),
            spec,
            now: START,
            seen: Observed::default(),
            ports: 20_000,
            broken: BTreeSet::new(),
            clinging: BTreeSet::new(),
            script: vec![],
            confirm: None,
            obliging: true,
            told: String::new(),
            line: String::new(),
        };
        world.app.n = world.spec.instances;
        world.record(Record::EngineStarted { epoch: 1 });
        world.told.clear();
        world
    }

    /// Deployments from now on have to be confirmed.
    pub(crate) fn confirm_within(&mut self, limit: Duration) {
        self.confirm = Some(limit);
    }

    /// Plays a script until nothing changes any more, and gives what happened.
    pub(crate) fn play(&mut self, script: &[(&str, Act)]) -> String {
        self.script = script.iter().map(|(when, act)| ((*when).to_owned(), *act)).collect();
        let mut still = 0;
        for tick in 0..LONGEST {
            self.due(&tick.to_string());
            self.oblige();
            let before = (self.app.clone(), self.seen.clone());
            self.look();
            self.nature();
            self.tell_world();
            let same = before.0 == self.app && before.1 == self.seen;
            still = if same && self.app.live().is_none() { still + 1 } else { 0 };
            self.now = self.now + TICK;
            let kept =
                self.app.rest.as_ref().is_some_and(|rest| {
                    rest.standby.is_some_and(|standby| self.now < standby.until)
                });
            let awaited = self.script.iter().any(|(when, _)| when.parse::<usize>().is_ok());
            if still > 3 && !kept && !awaited {
                break;
            }
        }
        assert!(self.app.live().is_none(), "it does not end:\n{}", self.told);
        std::mem::take(&mut self.told)
    }

    fn due(&mut self, what: &str) {
        let all = std::mem::take(&mut self.script);
        let (due, later) = all.into_iter().partition(|(when, _)| when == what);
        self.script = later;
        for (_, act) in due {
            self.act(act);
        }
    }

    fn act(&mut self, act: Act) {
        let stage = match self.app.live().map(|rollout| rollout.phase) {
            Some(Phase::Forward(now)) => now.stage,
            Some(Phase::Back { .. } | Phase::Done(_)) | None => 0,
        };
        match act {
            Act::Judge(verdict) => self.record(Record::Judged { stage, verdict }),
            Act::Approve => self.record(Record::Approved { stage }),
            Act::Conclude(keep) => self.record(Record::Concluded { stage, keep }),
            Act::Confirm => self.record(Record::Confirmed),
            Act::Pause => self.record(Record::Paused),
            Act::Resume => self.record(Record::Resumed),
            Act::Abort { force } => self.record(Record::AbortRequested { force }),
            Act::Scale(n) => self.record(Record::Scaled { n, by_spec: false }),
            Act::KillFlag => {
                self.record(Record::FlagKilled { flag: "new-checkout".parse().unwrap() });
            }
            Act::Deploy(release) => self.begin(release, false),
            Act::Rollback(release) => self.begin(release, true),
            Act::HookEnds(ok) => self.hook_ends(ok),
            Act::Restart => self.record(Record::EngineStarted { epoch: self.app.epoch + 1 }),
            Act::Exit(release, slot) => self.becomes(release, slot, State::Exited),
            Act::Lose(release, slot) => self.becomes(release, slot, State::Unready),
            Act::Break(release) => drop(self.broken.insert(release)),
            Act::Cling(release) => drop(self.clinging.insert(release)),
        }
    }

    fn begin(&mut self, release: u32, back: bool) {
        let live = self.app.live();
        let before = live.map_or(&self.app.rest, |rollout| &rollout.plan.before).clone();
        let candidate = ReleaseId(release);
        let making = Making { spec: &self.spec, n: self.app.n, before, candidate };
        let mut plan = if back { plan_back(making) } else { plan(self.spec.pattern, making) };
        if let Some(limit) = self.confirm {
            plan.confirm_within(limit);
        }
        self.record(Record::Begun(Box::new(plan)));
    }

    fn hook_ends(&mut self, ok: bool) {
        let running = |(_, state): &(_, &HookState)| matches!(state, HookState::Running { .. });
        let rollout = self.app.live().and_then(|rollout| rollout.hooks.iter().find(running));
        if let Some(((stage, hook), _)) = rollout {
            let (stage, hook) = (*stage, *hook);
            self.record(Record::HookEnded { stage, hook, ok });
        }
    }

    fn becomes(&mut self, release: u32, slot: u32, state: State) {
        let id = InstanceId { release: ReleaseId(release), slot };
        if let Some(instance) = self.seen.instances.get_mut(&id) {
            (instance.state, instance.since) = (state, self.now);
            if state == State::Exited {
                instance.exits.push(self.now);
                instance.in_flight = 0;
            }
        }
    }

    /// Who is asked says yes.
    fn oblige(&mut self) {
        if !self.obliging {
            return;
        }
        self.hook_ends(true);
        let Some(rollout) = self.app.live() else { return };
        let Phase::Forward(now) = rollout.phase else { return };
        let gates = rollout.plan.stages[now.stage].gates.clone();
        for gate in gates.iter().filter(|_| now.reached.is_some()) {
            match gate {
                Gate::Judge { .. } if now.verdict.is_none() => self.act(Act::Judge(Verdict::Pass)),
                Gate::Approval if !now.approved => self.act(Act::Approve),
                _ => {}
            }
        }
    }

    fn record(&mut self, record: Record) {
        let told = short(&record);
        let fits = self.app.apply(self.now, &record);
        let refused = fits.err().map_or(String::new(), |illegal| format!("  REFUSED, {illegal}"));
        let seconds = self.now.since(START).as_secs_f64();
        let _ = writeln!(self.told, "{seconds:>7.1}  {told}{refused}");
        self.due(&told);
    }

    /// The engine looks, records, and acts.
    fn look(&mut self) {
        let next = next(&self.app, &self.seen, self.now);
        for record in next.records {
            self.record(record);
        }
        let desired = next.desired;
        for (id, instance) in &mut self.seen.instances {
            if !desired.instances.contains(id) && instance.state != State::Stopping {
                (instance.state, instance.since) = (State::Stopping, self.now);
            }
        }
        for id in desired.instances {
            let port = &mut self.ports;
            self.seen.instances.entry(id).or_insert_with(|| {
                *port += 1;
                Instance {
                    state: State::Starting,
                    since: self.now,
                    address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))),
                    exits: vec![],
                    in_flight: 0,
                    upgraded: 0,
                    off_since: None,
                }
            });
        }
        if desired.table != *self.seen.newest() {
            self.seen.pending.push(desired.table);
        }
    }

    fn nature(&mut self) {
        if !self.seen.pending.is_empty() {
            self.seen.in_force = self.seen.pending.remove(0);
        }
        let now = self.now;
        self.seen.instances.retain(|_, instance| {
            instance.state != State::Stopping || now < instance.since + SECOND
        });
        let routed: Vec<InstanceId> =
            self.seen.instances.keys().copied().filter(|id| self.seen.routed(*id)).collect();
        for (id, instance) in &mut self.seen.instances {
            let healthy = !self.broken.contains(&id.release.0);
            let old = now >= instance.since + SECOND;
            let becomes = match instance.state {
                State::Starting if old && healthy => State::Ready,
                State::Exited if old => State::Starting,
                same => same,
            };
            if becomes != instance.state {
                (instance.state, instance.since) = (becomes, now);
            }
            if routed.contains(id) {
                instance.off_since = None;
                instance.in_flight = u32::from(instance.state == State::Ready);
            } else {
                let since = *instance.off_since.get_or_insert(now);
                let clings = self.clinging.contains(&id.release.0);
                if now >= since + SECOND && !clings {
                    instance.in_flight = 0;
                }
            }
        }
    }

    /// One line, if anything looks different.
    fn tell_world(&mut self) {
        let mut releases: BTreeMap<ReleaseId, String> = BTreeMap::new();
        for (id, instance) in &self.seen.instances {
            let letter = match instance.state {
                State::Starting => 'S',
                State::Ready => 'R',
                State::Unready => 'U',
                State::Exited => 'X',
                State::Stopping => 'T',
            };
            let serves = self.seen.in_force.1.serving.contains_key(id);
            let row = releases.entry(id.release).or_default();
            while row.chars().count() < id.slot as usize {
                row.push('.');
            }
            row.push(if serves { letter } else { letter.to_ascii_lowercase() });
        }
        let mut line = String::new();
        for (release, row) in releases {
            let _ = write!(line, "{release} {row}  ");
        }
        line += &table(&self.seen.in_force.1);
        if line != self.line {
            let _ = writeln!(self.told, "{:>7.1}      {line}", self.now.since(START).as_secs_f64());
            self.line = line;
        }
    }
}

fn table(table: &Table) -> String {
    let mut text = match &table.deal {
        Deal::Held => "held".to_owned(),
        Deal::Even => "even".to_owned(),
        Deal::Split { shares, .. } => {
            let shares = shares.iter().map(|(release, share)| format!("{release} {share}"));
            shares.collect::<Vec<_>>().join(", ")
        }
    };
    if let Some(marked) = &table.marked {
        let _ = write!(text, ", marked to {}", marked.to);
    }
    if !table.preview.is_empty() {
        let _ = write!(text, ", preview {}", table.preview.len());
    }
    if !table.mirrored.is_empty() {
        let _ = write!(text, ", mirror {} to {}", table.mirror, table.mirrored.len());
    }
    for (key, raised) in &table.flags {
        let _ = write!(text, ", {key} {}", raised.share);
    }
    text
}

/// A record in few words, by which scripts know it.
pub(crate) fn short(record: &Record) -> String {
    match record {
        Record::EngineStarted { epoch } => format!("engine {epoch}"),
        Record::Begun(plan) => format!("begun {}", plan.candidate),
        Record::Reached { stage } => format!("reached {stage}"),
        Record::Passed { stage } => format!("passed {stage}"),
        Record::Judged { stage, verdict } => format!("judged {stage} {verdict:?}"),
        Record::Approved { stage } => format!("approved {stage}"),
        Record::Concluded { stage, keep } => format!("concluded {stage} {keep:?}"),
        Record::HookStarted { stage, hook } => format!("hook {stage}.{hook} starts"),
        Record::HookEnded { stage, hook, ok } => format!("hook {stage}.{hook} ends {ok}"),
        Record::Scaled { n, .. } => format!("scaled {n}"),
        Record::FlagKilled { flag } => format!("killed {flag}"),
        Record::Holding { stage } => format!("holding {stage}"),
        Record::TurnedBack(why) => format!("turned back {why:?}"),
        Record::Finished(outcome) => format!("finished {outcome:?}"),
        other => format!("{other:?}").to_lowercase(),
    }
}
