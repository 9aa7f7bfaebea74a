//! One world to try: a spec, behaviours, faults, and what people do in it. All from one seed.

use std::fmt::Write as _;
use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_core::patterns::Pattern;
use cutover_core::record::Keep;
use cutover_core::spec::{Source, Spec, parse};
use cutover_core::units::{At, Count};

use crate::faults::{Behaviour, Dice, Faults, Judging};

/// What a person does.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Deploy { pattern: Pattern, candidate: ReleaseId, supersede: bool },
    Rollback { candidate: ReleaseId },
    Abort { force: bool },
    Scale(Count),
    Pause,
    Resume,
    Approve,
    Conclude(Keep),
    Confirm,
    Freeze,
    Unfreeze,
    Down,
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) n: Count,
    /// Is release 1 live at the start? Otherwise it is the first one deployed.
    pub(crate) has_rest: bool,
    /// Nothing goes wrong by itself, and nobody scales.
    pub(crate) clean: bool,
    /// Nobody aborts, and no engine dies (which may lose a hook).
    pub(crate) undisturbed: bool,
    /// Of releases 1, 2, 3.
    pub(crate) behaviours: [Behaviour; 3],
    pub(crate) judging: Judging,
    pub(crate) faults: Faults,
    pub(crate) spec: Spec,
    pub(crate) ops: Vec<(At, Op)>,
    /// How many of 1000 plans ask for a confirmation.
    pub(crate) confirm: u32,
}

impl Scenario {
    pub(crate) fn behaviour(&self, release: ReleaseId) -> Behaviour {
        let index = (release.0 as usize).saturating_sub(1);
        self.behaviours.get(index).copied().unwrap_or(Behaviour::Good)
    }
    pub(crate) fn told(&self) -> String {
        let mut text = format!(
            "n={} rest={} clean={} behaviours={:?} judge={:?} {:?}\n",
            self.n, self.has_rest, self.clean, self.behaviours, self.judging, self.faults
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

fn secs(from: u32, dice: &mut Dice, range: u32) -> At {
    At(0) + Duration::from_millis(250) * (4 * from + dice.below(4 * range))
}

pub(crate) fn scenario(seed: u64) -> Result<Scenario, String> {
    let mut dice = Dice::new(seed);
    let dice = &mut dice;
    let n = 1 + dice.below(8);
    let clean = dice.chance(300);
    let has_rest = dice.chance(900);
    let spec = spec(dice, n, clean)?;
    let (behaviours, judging, faults) = weather(dice, n, clean);
    let mut scenario = Scenario {
        seed,
        n,
        has_rest,
        clean,
        undisturbed: faults.engine_crash == 0,
        behaviours,
        judging,
        faults,
        spec,
        ops: vec![],
        confirm: 0,
    };
    people(dice, &mut scenario);
    scenario.ops.sort_by_key(|(at, _)| *at);
    Ok(scenario)
}

fn pattern(dice: &mut Dice) -> Pattern {
    dice.pick(&Pattern::ALL).unwrap_or_default()
}

fn spec(dice: &mut Dice, n: Count, clean: bool) -> Result<Spec, String> {
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
    let (approve, keep) = (dice.below(2) == 0, 30 * dice.below(2));
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
    if yes_in(dice, 2) {
        text.push_str("judge: {}\n");
    }
    match dice.below(6) {
        0 => text.push_str("hooks: { after-ready: [{ run: [a] }] }\n"),
        1 => text.push_str("hooks: { after-ready: [{ run: [a] }, { run: [b] }] }\n"),
        _ => {}
    }
    if !clean && yes_in(dice, 6) {
        text.push_str("on-failure: hold\n");
    }
    let source = Source { name: "cutover.yaml".into(), text };
    parse(&source, &[]).map_err(|problems| format!("{problems:?}"))
}

fn weather(dice: &mut Dice, n: Count, clean: bool) -> ([Behaviour; 3], Judging, Faults) {
    use Behaviour::{CrashLoop, Degraded, Fading, Flappy, Good, NeverReady};
    let some = |dice: &mut Dice| {
        dice.pick(&[NeverReady, CrashLoop, Flappy, Fading, Good, Good, Good, Good, Good])
            .unwrap_or(Good)
    };
    let (behaviours, judging) = if clean {
        ([Good; 3], Judging::Passes)
    } else {
        let stable = match dice.below(12) {
            0 | 1 => Degraded(1 + dice.below(n)),
            2 => Fading,
            3 => Flappy,
            _ => Good,
        };
        use Judging::{Broken, Fails, Passes, Unsure, Wavers};
        let all = [Fails, Unsure, Broken, Wavers, Passes, Passes, Passes, Passes];
        ([stable, some(dice), some(dice)], dice.pick(&all).unwrap_or(Passes))
    };
    let mut some = |of: u32, rate: u32| if dice.below(10) < of { rate } else { 0 };
    let (engine_crash, proxy_crash, lost) = (some(5, 30), some(3, 10), some(5, 200));
    let stray_exit = if clean { 0 } else { some(2, 2) };
    let late = Duration::from_millis(500) * dice.below(6);
    (behaviours, judging, Faults { engine_crash, proxy_crash, lost, stray_exit, late })
}

fn people(dice: &mut Dice, scenario: &mut Scenario) {
    let clean = scenario.clean;
    let deploy = |pattern, candidate, supersede| Op::Deploy {
        pattern,
        candidate: ReleaseId(candidate),
        supersede,
    };
    let ops = &mut scenario.ops;
    let first = pattern(dice);
    scenario.spec.pattern = first;
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
        let candidate = if dice.chance(100) { 2 } else { 3 };
        ops.push((secs(2, dice, 60), deploy(pattern(dice), candidate, true)));
        if dice.chance(300) {
            scenario.undisturbed = false;
            ops.push((secs(40, dice, 60), Op::Abort { force: false }));
        }
    } else if dice.chance(500) {
        // Again and again until the first one is over.
        let (next, back) = (pattern(dice), dice.chance(400));
        for k in 0..6 {
            let at = secs(60 + 60 * k, dice, 60);
            let op = if back {
                Op::Rollback { candidate: ReleaseId(1) }
            } else {
                deploy(next, 3, false)
            };
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
}
