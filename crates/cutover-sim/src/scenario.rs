//! One world to try: a spec, behaviours, faults, and what people do in it. All from one seed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::patterns::Pattern;
use cutover_core::record::Keep;
use cutover_core::spec::{Source, Spec, parse};
use cutover_core::units::{At, Count, Share};

use crate::dice::Dice;
use crate::strike::Strike;
use crate::suppose::Suppose;
use crate::weather::{Behaviour, Faults, Showing};

/// The versions that there are: `v1` is live at first, or deployed first.
pub const VERSIONS: usize = 3;

/// What a person does.
#[derive(Debug, Clone)]
pub enum Op {
    /// Releases `v1`, `v2` or `v3`.
    Deploy {
        /// By which pattern.
        pattern: Pattern,
        /// Which version, from 1.
        version: usize,
        /// Takes over a rollout that is live.
        supersede: bool,
    },
    /// Goes back to the last good release.
    Rollback,
    /// Turns back.
    Abort {
        /// Even if nobody serves then.
        force: bool,
    },
    /// Another number of instances.
    Scale(Count),
    /// Do not enter the next stage.
    Pause,
    /// Go on.
    Resume,
    /// Gives an approval, or ends a hold.
    Approve,
    /// Ends an experiment.
    Conclude(Keep),
    /// The new release is good.
    Confirm,
    /// Refuse new releases.
    Freeze,
    /// Allow them again.
    Unfreeze,
    /// Take the app down.
    Down,
    /// Change the share of the flag on the live release.
    Ramp {
        /// The share that it ends with.
        to: Share,
        /// Does a verdict have to pass on the way?
        judge: bool,
    },
    /// Switch the flag off for everybody.
    KillFlag,
    /// Undo that.
    RestoreFlag,
}

/// One world to try.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where it comes from, and what happens by chance in it.
    pub seed: u64,
    /// Is `v1` live at the start? Otherwise it is the first one deployed.
    pub has_rest: bool,
    /// Nothing goes wrong by itself, and nobody scales.
    pub clean: bool,
    /// Nobody aborts, and no engine dies (which may lose a hook).
    pub undisturbed: bool,
    /// Of each version.
    pub behaviours: [Behaviour; VERSIONS],
    /// What requests show.
    pub showing: Showing,
    /// What goes wrong.
    pub faults: Faults,
    /// What is supposed of instances and requests.
    pub suppose: Suppose,
    /// How it is released.
    pub spec: Arc<Spec>,
    /// What people do, in order.
    pub ops: Vec<(At, Op)>,
    /// How many of 1000 deployments ask for a confirmation.
    pub confirm: u32,
    /// What happens at one record of the journal.
    pub strike: Option<Strike>,
}

impl Scenario {
    /// `v1` is live and well, nothing goes wrong, and nobody does anything.
    #[must_use]
    pub fn calm(spec: Spec) -> Scenario {
        Scenario {
            seed: 0,
            has_rest: true,
            clean: false,
            undisturbed: true,
            behaviours: [Behaviour::Good; VERSIONS],
            showing: Showing::Alike,
            faults: Faults::default(),
            suppose: Suppose::default(),
            spec: Arc::new(spec),
            ops: vec![],
            confirm: 0,
            strike: None,
        }
    }

    /// How a version behaves.
    #[must_use]
    pub fn behaviour(&self, version: usize) -> Behaviour {
        let of = self.behaviours.get(version.wrapping_sub(1));
        of.copied().unwrap_or(Behaviour::Good)
    }

    /// All of it, for a person.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = format!(
            "n={} rest={} clean={} {:?} {:?} {:?} {:?}\n",
            self.spec.instances,
            self.has_rest,
            self.clean,
            self.behaviours,
            self.showing,
            self.faults,
            self.strike
        );
        for (at, op) in &self.ops {
            let _ = writeln!(text, "  at {} {op:?}", at.0);
        }
        let _ = write!(
            text,
            "  {:?} judge={} hooks={} {:?}",
            self.spec.patterns,
            self.spec.judge.is_some(),
            self.spec.hooks.after_ready.len(),
            self.spec.on_failure
        );
        text
    }
}

/// Between `from` seconds and `range` more.
fn secs(from: u32, dice: &mut Dice, range: u32) -> At {
    At(0) + Duration::from_millis(250) * (4 * from + dice.below(4 * range))
}

/// The world of a seed.
///
/// # Errors
/// If its spec is not valid, which no seed's is.
pub fn scenario(seed: u64) -> Result<Scenario, String> {
    let mut dice = Dice::new(seed);
    let dice = &mut dice;
    let n = 1 + dice.below(8);
    let clean = dice.chance(300);
    let has_rest = dice.chance(900);
    let (behaviours, showing, faults) = weather(dice, n, clean);
    // Where nothing ever changes by itself, a day's hold passes in few ticks.
    let calm = faults.stray_exit == 0 && behaviours.iter().all(|known| *known == Behaviour::Good);
    let spec = spec(dice, n, clean, calm)?;
    let mut scenario = Scenario {
        seed,
        has_rest,
        clean,
        undisturbed: faults.engine_death == 0,
        behaviours,
        showing,
        faults,
        ..Scenario::calm(spec)
    };
    // Some data planes forget within seconds what was before, as one that started again does.
    scenario.suppose.counted = dice.pick(&[10, 60, 600]).unwrap_or_default();
    if clean {
        // One error may be enough for a verdict where few requests are compared.
        scenario.suppose.errors = 0;
    }
    people(dice, &mut scenario);
    scenario.ops.sort_by_key(|(at, _)| *at);
    Ok(scenario)
}

/// Any of the seven.
fn pattern(dice: &mut Dice) -> Pattern {
    dice.pick(&Pattern::ALL).unwrap_or_default()
}

fn spec(dice: &mut Dice, n: Count, clean: bool, calm: bool) -> Result<Spec, String> {
    let yes_in = |dice: &mut Dice, of: u32| dice.below(of) == 0;
    let mut text = format!(
        "app: shop\ninstances: {n}\nlisten: 127.0.0.1:8080\nrelease: {{ command: [serve] }}\n\
         health: {{ deadline: 40s, settle: 3s }}\n\
         drain: {{ requests: {}s, upgraded: {}s, stop: 3s }}\npatterns:\n",
        3 + dice.below(8),
        3 + dice.below(8),
    );
    let (batch, surge, pause) = (1 + dice.below(3), dice.below(2) == 0, 2 * dice.below(2));
    let _ = writeln!(text, "  rolling: {{ batch: {batch}, surge: {surge}, pause: {pause}s }}");
    // Without a limit to holds, nobody waits for a person.
    let judged = !calm || yes_in(dice, 2);
    let (approve, keep) = (judged && yes_in(dice, 2), 30 * dice.below(2));
    let _ = writeln!(text, "  blue-green: {{ approve: {approve}, soak: 2s, keep: {keep}s }}");
    let steps = dice.pick(&["[5%, 25%, 50%]", "[10%]", "[33.3%, 100%]"]).unwrap_or_default();
    let _ = writeln!(text, "  canary: {{ steps: {steps}, bake: 2s, sticky: cookie }}");
    let next = if yes_in(dice, 3) {
        String::new()
    } else {
        let next = pattern(dice);
        let next = if next == Pattern::Shadow { Pattern::Canary } else { next };
        format!(", then: {next}")
    };
    let mirror = 10 + 40 * dice.below(3);
    let _ = writeln!(text, "  shadow: {{ mirror: {mirror}%, for: 3s{next} }}");
    let split = 25 * dice.below(3);
    let rule = if split == 0 || yes_in(dice, 2) { ", match: { path: /beta }" } else { "" };
    let _ = writeln!(text, "  ab-testing: {{ split: {split}%, for: 5s{rule} }}");
    text.push_str("  feature-flag: { flag: new-checkout, steps: [1%, 50%], bake: 2s }\n");
    if judged {
        let compare = yes_in(dice, 3);
        let _ = writeln!(text, "judge:\n  hold-limit: 15s\n  compare: {compare}");
        if yes_in(dice, 4) {
            let metric = "{ name: depth, interval: 2s, command: [depth], max: 10, failures: 2 }";
            let _ = writeln!(text, "  metrics: [{metric}]");
        }
    }
    match dice.below(6) {
        0 => text.push_str("hooks: { after-ready: [{ run: [a] }] }\n"),
        1 => text.push_str("hooks: { after-ready: [{ run: [a] }, { run: [b] }] }\n"),
        _ => {}
    }
    if !clean && judged && yes_in(dice, 6) {
        text.push_str("on-failure: hold\n");
    }
    let source = Source { name: "cutover.yaml".into(), text };
    parse(&source, &[]).map_err(|problems| format!("{problems:?}"))
}

fn weather(dice: &mut Dice, n: Count, clean: bool) -> ([Behaviour; VERSIONS], Showing, Faults) {
    use Behaviour::{CrashLoop, Degraded, Fading, Flappy, Good, NeverReady};
    use Showing::{Alike, Down, Nothing, Wavering, Worse};
    let some = |dice: &mut Dice| {
        dice.pick(&[NeverReady, CrashLoop, Flappy, Fading, Good, Good, Good, Good, Good])
            .unwrap_or(Good)
    };
    let (behaviours, showing) = if clean {
        ([Good; VERSIONS], Alike)
    } else {
        let stable = match dice.below(12) {
            0 | 1 => Degraded(1 + dice.below(n)),
            2 => Fading,
            3 => Flappy,
            _ => Good,
        };
        let all = [Worse, Nothing, Down, Wavering, Alike, Alike, Alike, Alike];
        ([stable, some(dice), some(dice)], dice.pick(&all).unwrap_or(Alike))
    };
    let mut some = |of: u32, rate: u32| if dice.below(10) < of { rate } else { 0 };
    let faults = Faults {
        engine_death: some(5, 8),
        proxy_death: some(3, 10),
        lost: some(5, 200),
        platform: some(3, 60),
        hangs: some(2, 40),
        journal: if clean { 0 } else { some(2, 15) },
        stray_exit: if clean { 0 } else { some(2, 2) },
        late: Duration::from_millis(500) * some(7, 1) * dice.below(5),
    };
    (behaviours, showing, faults)
}

fn people(dice: &mut Dice, scenario: &mut Scenario) {
    let clean = scenario.clean;
    let deploy = |pattern, version, supersede| Op::Deploy { pattern, version, supersede };
    let ops = &mut scenario.ops;
    let first = pattern(dice);
    Arc::make_mut(&mut scenario.spec).pattern = first;
    if scenario.has_rest {
        ops.push((At(1000), deploy(first, 2, false)));
    } else {
        ops.push((At(1000), deploy(first, 1, false)));
        ops.push((secs(40, dice, 80), deploy(first, 2, false)));
    }
    if dice.chance(300) {
        scenario.undisturbed = false;
        ops.push((secs(2, dice, 60), Op::Abort { force: dice.chance(200) }));
    }
    if !clean && dice.chance(300) {
        for _ in 0..2 {
            ops.push((secs(2, dice, 80), Op::Scale(1 + dice.below(8))));
        }
    }
    if !clean && dice.chance(250) {
        let version = if dice.chance(100) { 2 } else { 3 };
        ops.push((secs(2, dice, 60), deploy(pattern(dice), version, true)));
        if dice.chance(300) {
            scenario.undisturbed = false;
            ops.push((secs(40, dice, 60), Op::Abort { force: false }));
        }
    } else if dice.chance(500) {
        // Again and again until the first one is over.
        let (next, back) = (pattern(dice), dice.chance(400));
        for k in 0..6 {
            let at = secs(60 + 60 * k, dice, 60);
            let op = if back { Op::Rollback } else { deploy(next, 3, false) };
            ops.push((at, op));
        }
    }
    if dice.chance(200) {
        let at = secs(2, dice, 40);
        ops.push((at, Op::Pause));
        ops.push((at + Duration::from_secs(1 + u64::from(dice.below(20))), Op::Resume));
    }
    for _ in 0..dice.below(4) {
        ops.push((secs(5, dice, 60), Op::Approve));
    }
    if dice.chance(400) {
        let keep = if dice.chance(700) { Keep::B } else { Keep::A };
        ops.push((secs(4, dice, 30), Op::Conclude(keep)));
    }
    if dice.chance(200) {
        scenario.confirm = 800;
        ops.push((secs(10, dice, 60), Op::Confirm));
    }
    if dice.chance(100) {
        ops.push((secs(2, dice, 60), Op::Freeze));
        ops.push((secs(62, dice, 200), Op::Unfreeze));
    }
    if !clean && dice.chance(50) {
        ops.push((secs(200, dice, 100), Op::Down));
    }
    ramps(dice, scenario);
}

/// Ramps, which are refused while anything else goes on, and kills, which are not.
fn ramps(dice: &mut Dice, scenario: &mut Scenario) {
    let ops = &mut scenario.ops;
    if dice.chance(350) {
        for k in 0..4 {
            let to = dice.pick(&[0, 50, 300, 1000, 1000]).unwrap_or(1000);
            let (to, judge) = (Share::from_permille(to), dice.chance(500));
            ops.push((secs(50 + 40 * k, dice, 40), Op::Ramp { to, judge }));
        }
    }
    if dice.chance(150) {
        scenario.undisturbed = false;
        ops.push((secs(2, dice, 180), Op::KillFlag));
        if dice.chance(600) {
            ops.push((secs(60, dice, 180), Op::RestoreFlag));
        }
    }
}
