//! Apps as they are now, as a compact table.

use cutover_core::observed::State;
use cutover_core::units::{At, Share};
use cutover_engine::api::{AppStatus, InstanceStatus, RolloutStatus};

use super::comparison::lines;
use super::names::instance;
use super::stage;
use super::text::{frozen, state_word, verdict_word};
use super::time::{span, time};

/// Characters of a share bar.
const WIDTH: u32 = 10;

/// All of them, one block an app.
pub(crate) fn status(apps: &[AppStatus], now: At) -> String {
    if apps.is_empty() {
        return "no app is deployed; in a folder with a cutover.yaml: cutover deploy VERSION"
            .into();
    }
    let blocks: Vec<String> = apps.iter().map(|app| block(app, now)).collect();
    blocks.join("\n\n")
}

fn block(app: &AppStatus, now: At) -> String {
    let mut lines = vec![head(app)];
    lines.extend(app.rollout.as_ref().map(|rollout| rollout_line(app, rollout, now)));
    let width = |of: fn(&InstanceStatus) -> usize| app.instances.iter().map(of).max().unwrap_or(0);
    let names = width(|one| instance(&one.release, one.id).chars().count());
    let addresses = width(|one| one.address.as_ref().map_or(0, String::len));
    for one in &app.instances {
        lines.push(instance_line(app, one, (names, addresses), now));
    }
    if let Some((release, until)) = &app.standby {
        lines.push(format!("  {release} is kept warm until {}", time(*until)));
    }
    if let Some(preview) = &app.preview {
        lines.push(format!("  preview on http://{preview}"));
    }
    if app.held {
        lines.push("  requests wait: nobody serves".to_owned());
    }
    for (key, raised) in &app.flags {
        lines.push(format!("  flag {key} is on for {}", raised.share));
    }
    for key in &app.killed {
        lines.push(format!(
            "  flag {key} is killed: cutover flag restore {key} --app {}",
            app.subject
        ));
    }
    lines.extend(app.frozen.iter().map(|freeze| format!("  {}", frozen(freeze))));
    lines.extend(app.troubles.iter().map(|trouble| format!("  trouble: {trouble}")));
    lines.join("\n")
}

fn head(app: &AppStatus) -> String {
    let live = app.live.as_ref().map_or("nothing live".to_owned(), |live| format!("{live} live"));
    let ready = app.instances.iter().filter(|one| one.state == State::Ready && of_live(app, one));
    let mut text = format!("{}  {live}  {}/{} ready", app.subject, ready.count(), app.n);
    if app.scaled {
        text.push_str(" (scaled)");
    }
    if let Some(listen) = &app.listen {
        text.push_str(&format!("  http://{listen}"));
    }
    text
}

fn of_live(app: &AppStatus, one: &InstanceStatus) -> bool {
    app.live.as_ref().is_none_or(|live| live.id == one.release.id)
}

fn rollout_line(app: &AppStatus, rollout: &RolloutStatus, now: At) -> String {
    let from = app.live.as_ref().map_or("(first release)".to_owned(), ToString::to_string);
    let RolloutStatus { number, to, plan, actor, begun, .. } = rollout;
    let at = match rollout.stage {
        Some(index) => {
            let reached = if rollout.reached { ", reached" } else { "" };
            format!("stage {}{reached}", stage::number(plan, index))
        }
        None => "turning back".to_owned(),
    };
    let what = match plan.ramped() {
        Some((flag, share)) => format!("flag {flag} to {share} on {to}"),
        None => format!("{} {from} → {to}", plan.pattern),
    };
    let mut text =
        format!("  rollout #{number} {what}  {at}  for {}  by {actor}", span(now.since(*begun)));
    if rollout.waiting {
        text.push_str("\n    waits for you: cutover promote, or cutover abort");
    }
    if rollout.paused {
        text.push_str("\n    paused: cutover resume");
    }
    if let Some(until) = rollout.confirm_until {
        text.push_str(&format!("\n    turns back at {} unless: cutover confirm", time(until)));
    }
    for line in rollout.comparison.iter().flat_map(lines) {
        text.push_str(&format!("\n    {line}"));
    }
    if let Some((verdict, reason)) = &rollout.verdict {
        text.push_str(&format!("\n    verdict {}: {reason}", verdict_word(*verdict)));
    }
    text
}

fn instance_line(
    app: &AppStatus,
    one: &InstanceStatus,
    (names, addresses): (usize, usize),
    now: At,
) -> String {
    let share = share_of(app, one);
    let name = instance(&one.release, one.id);
    let address = one.address.as_deref().unwrap_or("");
    let state = state_word(Some(one.state));
    let mut text = format!("  {name:<names$}  {state:<9}");
    if app.listen.is_some() {
        text.push_str(&format!("  {address:<addresses$}  {}  {share:>5}", bar(share)));
    }
    text.push_str(&format!("  {}", span(now.since(one.since))));
    let inside = one.in_flight.requests + one.in_flight.upgraded;
    if inside > 0 {
        text.push_str(&format!("  in flight {inside}"));
    }
    if one.exits > 0 {
        text.push_str(&format!("  exits {}", one.exits));
    }
    if let Some(detail) = one.detail.as_ref().filter(|detail| *detail != state) {
        text.push_str(&format!("  {detail}"));
    }
    text
}

/// The share of the app's traffic that one instance gets.
pub(crate) fn share_of(app: &AppStatus, one: &InstanceStatus) -> Share {
    if !one.serving || app.held {
        return Share::ZERO;
    }
    let serving = |same: bool| {
        let all = app.instances.iter().filter(|other| other.serving);
        all.filter(|other| !same || other.release.id == one.release.id).count()
    };
    let part = |of: u32, among: usize| {
        Share::from_permille(of / u32::try_from(among.max(1)).unwrap_or(u32::MAX))
    };
    match app.shares.get(&one.release.id) {
        Some(share) => part(share.permille(), serving(true)),
        None if app.shares.is_empty() => part(1000, serving(false)),
        None => Share::ZERO,
    }
}

fn bar(share: Share) -> String {
    let full = share.ceil_of(WIDTH);
    (0..WIDTH).map(|place| if place < full { '#' } else { '-' }).collect()
}
