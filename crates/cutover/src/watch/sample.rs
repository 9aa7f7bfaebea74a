//! Apps in realistic situations, for tests.

use std::collections::BTreeMap;

use cutover_core::dataplane::{Counters, InFlight, Measured, Second, Seconds};
use cutover_core::event::{Event, EventKind};
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::observed::State as Life;
use cutover_core::patterns::Pattern;
use cutover_core::plan::{Gate, Plan};
use cutover_core::record::{Outcome, Verdict, Why};
use cutover_core::release::ReleaseName;
use cutover_core::spec::Guard;
use cutover_core::units::{At, Share, Span};
use cutover_engine::api::{AppStatus, HistoryEntry, InstanceStatus, RolloutStatus};
use serde_json::json;

/// 2026-11-23T18:13:20Z, which is now in all of them.
pub(crate) const NOW: At = At(1_795_457_600_000);

pub(crate) fn ago(seconds: u64) -> At {
    At(NOW.0 - seconds * 1000)
}

pub(crate) fn release(id: u32, version: &str) -> ReleaseName {
    ReleaseName { id: ReleaseId(id), version: version.parse().unwrap(), ordinal: 1 }
}

fn instance(release: &ReleaseName, slot: u32, state: Life, serving: bool) -> InstanceStatus {
    let requests = if serving { 2 + slot % 3 } else { 0 };
    InstanceStatus {
        id: InstanceId { release: release.id, slot },
        release: release.clone(),
        state,
        since: ago(4000 / u64::from(release.id.0) / u64::from(release.id.0)),
        address: Some(format!("127.0.0.1:{}", 20_000 + release.id.0 * 10 + slot)),
        in_flight: InFlight { requests, upgraded: 0 },
        serving,
        exits: 0,
        detail: None,
    }
}

fn app(instances: Vec<InstanceStatus>, shares: &[(u32, u32)]) -> AppStatus {
    let shares = shares.iter().map(|(id, part)| (ReleaseId(*id), Share::from_permille(*part)));
    AppStatus {
        subject: "shop".parse().unwrap(),
        n: 4,
        scaled: false,
        listen: Some("127.0.0.1:8080".into()),
        preview: None,
        live: Some(release(1, "v1")),
        standby: None,
        instances,
        shares: shares.collect(),
        held: false,
        flags: Default::default(),
        routed: true,
        killed: Default::default(),
        frozen: None,
        rollout: None,
        troubles: vec![],
    }
}

fn ready(release: &ReleaseName, n: u32, serving: bool) -> Vec<InstanceStatus> {
    (0..n).map(|slot| instance(release, slot, Life::Ready, serving)).collect()
}

fn rollout(plan: Plan, stage: usize) -> RolloutStatus {
    RolloutStatus {
        number: 12,
        to: release(2, "v2"),
        plan: Box::new(plan),
        begun: ago(250),
        actor: "ana (uid 1000)".into(),
        stage: Some(stage),
        reached: true,
        entered_at: Some(ago(52)),
        reached_at: Some(ago(48)),
        approved: false,
        turned_back: None,
        waiting: false,
        paused: false,
        verdict: None,
        confirm_until: None,
        comparison: None,
    }
}

/// A plan of these stages, in the words of the API.
fn plan(pattern: Pattern, stages: serde_json::Value) -> Plan {
    let patience = json!({"ready": 60_000, "lost": 5000, "stage": 300_000, "held": 86_400_000,
        "exits": 3, "drain": 30_000, "upgraded": 30_000});
    let mut plan: Plan = serde_json::from_value(json!({
        "pattern": "canary", "before": {"live": "r1", "standby": null},
        "candidate": "r2", "n": 4, "spec_n": 4, "keep": 600_000, "patience": patience,
        "budget": {"surge": "all", "unavailable": "zero", "downtime": "never"}, "stages": stages,
    }))
    .unwrap();
    plan.pattern = pattern;
    let errors = Share::from_permille(10);
    plan.guard = Some(Guard { errors, p99: Some(Span::millis(500)), min_requests: 100 });
    plan
}

fn split(part: u32, permille: u32, gate: serde_json::Value) -> serde_json::Value {
    json!({"sizes": {"stable": "all", "candidate": {"part": [part, 4]}},
           "route": {"split": {"candidate": Share::from_permille(permille), "sticky": "no"}},
           "gates": ["ready", gate]})
}

fn canary_plan() -> Plan {
    let judge = json!({"judge": {"bake": 120_000, "limit": 600_000}});
    let whole = |stable: &str, gate| {
        json!({"sizes": {"stable": stable, "candidate": "all"}, "route": "even",
               "gates": ["ready", gate]})
    };
    let all = json!({"sizes": {"stable": "all", "candidate": "all"},
        "route": {"split": {"candidate": "100%", "sticky": "no"}}, "gates": ["ready", judge]});
    let stages = json!([
        split(1, 50, judge.clone()),
        split(1, 250, judge.clone()),
        split(2, 500, judge),
        all,
        whole("zero", json!({"hold": 10_000})),
    ]);
    plan(Pattern::Canary, stages)
}

/// A canary in its second stage; one of its instances is failing.
pub(crate) fn canary() -> AppStatus {
    let (old, new) = (release(1, "v1"), release(2, "v2"));
    let mut all = ready(&old, 4, true);
    all.extend(ready(&new, 1, true));
    let mut bad = instance(&new, 1, Life::Unready, false);
    bad.since = ago(7);
    bad.exits = 2;
    bad.detail = Some("GET /health → 503 \"database: too many connections\" (try 3)".into());
    all.push(bad);
    let mut app = app(all, &[(1, 750), (2, 250)]);
    let mut going = rollout(canary_plan(), 1);
    let reason = "errors 12.50% > 1% (31 of 248 requests)".to_owned();
    going.verdict = Some((Verdict::Fail, reason));
    app.rollout = Some(going);
    app
}

/// A blue-green rollout that waits for its approval.
pub(crate) fn waiting() -> AppStatus {
    let (old, new) = (release(1, "v1"), release(2, "v2"));
    let mut all = ready(&old, 4, true);
    all.extend(ready(&new, 4, false));
    let mut app = app(all, &[(1, 1000)]);
    let stages = json!([
        {"sizes": {"stable": "all", "candidate": "all"},
         "route": {"split": {"candidate": "0%", "sticky": "no"}}, "aside": "preview",
         "gates": ["ready", "hooks", "approval"]},
        {"sizes": {"stable": "all", "candidate": "all"},
         "route": {"split": {"candidate": "100%", "sticky": "no"}},
         "gates": ["ready", {"hold": 30_000}]},
    ]);
    let mut going = rollout(plan(Pattern::BlueGreen, stages), 0);
    going.waiting = true;
    app.preview = Some("127.0.0.1:41007".into());
    app.rollout = Some(going);
    app
}

/// Nothing is going on.
pub(crate) fn idle() -> AppStatus {
    app(ready(&release(1, "v1"), 4, true), &[(1, 1000)])
}

/// The first release, on its way.
pub(crate) fn first() -> AppStatus {
    let new = release(1, "v1");
    let mut all = ready(&new, 1, false);
    for slot in 1..4 {
        let mut one = instance(&new, slot, Life::Starting, false);
        one.since = ago(3);
        one.detail = Some("GET /health → connection refused (try 2)".into());
        all.push(one);
    }
    let mut app = app(all, &[]);
    (app.live, app.held) = (None, true);
    let stage = |gate| {
        json!({"sizes": {"stable": "zero", "candidate": "all"}, "route": "even",
               "gates": ["ready", gate]})
    };
    let mut plan = plan(Pattern::Rolling, json!([stage(json!({"hold": 10_000}))]));
    (plan.before, plan.candidate, plan.guard) = (None, new.id, None);
    let mut going = rollout(plan, 0);
    (going.number, going.to, going.begun) = (1, new, ago(4));
    (going.reached, going.reached_at, going.entered_at) = (false, None, Some(ago(4)));
    app.rollout = Some(going);
    app
}

/// The canary is given up.
pub(crate) fn turning_back() -> AppStatus {
    let mut app = canary();
    app.shares = BTreeMap::from([(ReleaseId(1), Share::FULL)]);
    for one in app.instances.iter_mut().filter(|one| one.release.id == ReleaseId(2)) {
        (one.state, one.serving, one.since) = (Life::Stopping, false, ago(2));
        one.detail = Some("stopping".into());
    }
    if let Some(rollout) = &mut app.rollout {
        rollout.stage = None;
        rollout.reached = false;
        (rollout.entered_at, rollout.reached_at) = (None, None);
        let seen = rollout.verdict.clone().map(|(_, reason)| reason).unwrap_or_default();
        rollout.turned_back = Some((Why::Verdict, seen));
    }
    app
}

/// Twenty instances; one starts again and again.
pub(crate) fn large() -> AppStatus {
    let (old, new) = (release(1, "v1"), release(2, "v2"));
    let mut all = ready(&old, 15, true);
    all.extend(ready(&new, 4, true));
    let mut bad = instance(&new, 4, Life::Exited, false);
    (bad.since, bad.exits, bad.in_flight) = (ago(2), 3, InFlight::default());
    bad.detail = Some("exit code 1: cannot open /etc/shop/config: permission denied".into());
    all.push(bad);
    let mut app = app(all, &[(1, 750), (2, 250)]);
    app.n = 20;
    app.rollout = Some(rollout(canary_plan(), 1));
    app
}

/// A worker without users, in another environment.
pub(crate) fn worker() -> AppStatus {
    let mut app = idle();
    (app.subject, app.listen, app.n) = ("mailer.staging".parse().unwrap(), None, 4);
    app.shares.clear();
    app
}

pub(crate) fn three_apps() -> Vec<AppStatus> {
    let named = |name: &str, mut app: AppStatus| {
        app.subject = name.parse().unwrap();
        app
    };
    vec![named("search", waiting()), named("cart", idle()), named("shop", canary())]
}

/// Rollouts of the past.
pub(crate) fn past() -> Vec<HistoryEntry> {
    let entry = |number, to: (u32, &str), from: (u32, &str), outcome, ended| HistoryEntry {
        number,
        subject: "shop".parse().unwrap(),
        pattern: Pattern::Canary,
        from: Some(release(from.0, from.1)),
        to: release(to.0, to.1),
        ramp: None,
        actor: "ana (uid 1000)".into(),
        begun: ago(ended + 300),
        ended: Some(ago(ended)),
        outcome: Some(outcome),
        superseded: false,
        rollback: false,
        went_live: outcome == Outcome::Succeeded,
        turned_back_at: None,
        aborted_by: None,
        exit_code: None,
        counts: Some(Counters::default()),
        counts_partial: false,
        message: None,
        judged: vec![],
        reason: match outcome {
            Outcome::Succeeded => None,
            _ => Some("errors 12.50% > 1% (31 of 248 requests)".into()),
        },
    };
    vec![
        entry(11, (2, "v2"), (1, "v1"), Outcome::RolledBack(Why::Verdict), 1500),
        entry(9, (1, "v1"), (0, "v0"), Outcome::Succeeded, 100_000),
    ]
}

pub(crate) fn event(seconds_ago: u64, kind: EventKind) -> Event {
    let subject = "shop".parse().unwrap();
    Event { index: 1, at: ago(seconds_ago), subject, rollout: Some(12), kind }
}

pub(crate) fn warning(text: &str) -> Event {
    event(0, EventKind::Warning { text: text.to_owned() })
}

/// What happened until the canary was in its second stage.
pub(crate) fn events() -> Vec<Event> {
    let (one, two) = (ReleaseId(1), ReleaseId(2));
    let routed = |part: u32| {
        let new = Share::from_permille(part);
        let shares = BTreeMap::from([(one, new.rest()), (two, new)]);
        EventKind::Routed { shares, held: false, preview: None, flags: BTreeMap::new() }
    };
    let judged = |verdict, reason: &str| EventKind::Judged {
        stage: 1,
        verdict,
        reason: reason.to_owned(),
        evidence: None,
    };
    vec![
        event(250, EventKind::StageEntered { stage: 0 }),
        event(248, routed(50)),
        event(247, EventKind::StageReached { stage: 0 }),
        event(127, judged(Verdict::Pass, "errors 0.00% ≤ 1%, p99 12 ms, 312 requests")),
        event(52, EventKind::StageEntered { stage: 1 }),
        event(49, routed(250)),
        event(48, EventKind::StageReached { stage: 1 }),
        event(8, judged(Verdict::Fail, "errors 12.50% > 1% (31 of 248 requests)")),
        event(
            7,
            EventKind::Instance {
                instance: InstanceId { release: two, slot: 1 },
                release: release(2, "v2"),
                state: Some(Life::Unready),
                address: None,
                detail: Some("GET /health → 503".into()),
            },
        ),
    ]
}

/// The judge looked, and so much of the evidence was there.
pub(crate) fn judged(stage: usize, not_worse: f64, worse: f64) -> Event {
    let look =
        crate::render::sample_look("continue", not_worse * 20_f64.ln(), worse * 100_f64.ln());
    let reason = "errors 0.61% against 0.49% of v1, at most +1.20pp (95%); 820 requests, share \
                  25.00%; needs about 40s more"
        .to_owned();
    let (verdict, evidence) = (Verdict::Inconclusive, Some(Box::new(look)));
    event(0, EventKind::Judged { stage, verdict, reason, evidence })
}

/// A canary whose second stage is judged.
pub(crate) fn judging() -> AppStatus {
    let mut app = canary();
    app.instances.retain(|one| one.state == Life::Ready);
    if let (Some(rollout), EventKind::Judged { verdict, reason, .. }) =
        (&mut app.rollout, judged(1, 0.0, 0.0).kind)
    {
        rollout.verdict = Some((verdict, reason));
    }
    app
}

/// A second in the making.
pub(crate) struct MadeSecond(Second);

pub(crate) fn second(number: u64) -> MadeSecond {
    MadeSecond(Second { number, ..Second::default() })
}

impl MadeSecond {
    /// Requests of a release, how many of them were errors, and how long each took.
    pub(crate) fn of(
        mut self,
        release: u32,
        requests: u64,
        errors: u64,
        millis: u64,
    ) -> MadeSecond {
        let id = InstanceId { release: ReleaseId(release), slot: 0 };
        let counts = Counters { requests, errors, ..Counters::default() };
        let latency = if requests > 0 { vec![(millis * 1000, requests)] } else { vec![] };
        let measured = Measured { instances: BTreeMap::from([(id, counts)]), latency };
        self.0.releases.insert(id.release, measured);
        self
    }
    /// Requests that no release got.
    pub(crate) fn nobody(mut self, failed: u64) -> MadeSecond {
        self.0.none = Counters { requests: failed, failed, ..Counters::default() };
        self
    }
    pub(crate) fn made(self) -> Second {
        self.0
    }
}

pub(crate) fn seconds(epoch: u64, seconds: Vec<Second>) -> Seconds {
    let cursor = seconds.last().map_or(0, |second| second.number);
    Seconds { epoch, cursor, seconds, ..Seconds::default() }
}

/// Some minutes of load; the candidate comes in the last one and gets worse.
pub(crate) fn minutes(minutes: u64) -> Seconds {
    let all = minutes * 60;
    let of = |number: u64| {
        let wave = 40 + number % 7;
        let made = second(number).of(1, wave, 0, 9 + number % 3);
        match number.checked_sub(all - 60) {
            Some(since) => made.of(2, wave / 3, since / 12, 9 + since / 2).made(),
            None => made.made(),
        }
    };
    seconds(7, (1..=all).map(of).collect())
}

/// Are all gates of the plan known here? A new one needs a sample.
#[test]
fn the_samples_have_every_gate() {
    let seen = |wanted: fn(&Gate) -> bool| {
        let plans = [canary(), waiting()].map(|app| app.rollout.unwrap().plan);
        plans.iter().flat_map(|plan| &plan.stages).flat_map(|stage| &stage.gates).any(wanted)
    };
    assert!(seen(|gate| matches!(gate, Gate::Ready)));
    assert!(seen(|gate| matches!(gate, Gate::Hold(_))));
    assert!(seen(|gate| matches!(gate, Gate::Judge { .. })));
    assert!(seen(|gate| matches!(gate, Gate::Approval)));
    assert!(seen(|gate| matches!(gate, Gate::Hooks)));
}
