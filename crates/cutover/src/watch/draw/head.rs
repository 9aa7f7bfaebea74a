//! The top: which app, what is live, what is going on, and what a person has to know first.

use std::time::Duration;

use cutover_core::id::ReleaseId;
use cutover_core::observed::State as Life;
use cutover_core::record::Outcome;
use cutover_engine::api::{AppStatus, HistoryEntry, InstanceStatus, RolloutStatus};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::state::State;
use super::line::{apart, clip, styled, text, wrap};
use super::theme::Theme;
use crate::render::{clock, outcome_words, rough, why_words};

/// Looks are a second apart; what is older was not asked for again in time.
const OLD: Duration = Duration::from_secs(3);

/// One line for the app, one for what is going on, then what is urgent; at most `most` lines.
pub(super) fn lines(state: &State, theme: Theme, width: usize, most: usize) -> Vec<Line<'static>> {
    let age = state.now.since(state.as_of);
    let now = Line::from(match age > OLD && state.away.is_none() {
        true => styled(format!("of {} ago ", rough(age)), theme.warning()),
        false => styled(format!("{}Z ", clock(state.now)), theme.faint()),
    });
    let mut lines = vec![];
    if state.apps.as_ref().is_some_and(|apps| apps.len() > 1) {
        lines.push(clip(tabs(state, theme), width));
    }
    match state.app() {
        Some(app) => {
            lines.push(apart(app_line(state, app, theme, width), now, width));
            let going = app.rollout.as_ref().map_or_else(
                || idle_line(state, theme),
                |rollout| rollout_line(state, app, rollout, theme),
            );
            lines.push(clip(going, width));
            lines.extend(why(state, app, theme).map(|line| clip(line, width)));
            lines.extend(urgent(state, app, theme).into_iter().map(|line| clip(line, width)));
        }
        None => lines.push(apart(nobody(state, theme), now, width)),
    }
    let away = away(state, theme, width).into_iter().map(|line| clip(line, width));
    lines.splice(0..0, away);
    lines.truncate(most);
    lines
}

fn tabs(state: &State, theme: Theme) -> Line<'static> {
    let mut spans = vec![styled(" apps  ", theme.faint())];
    for app in state.apps.iter().flatten() {
        let busy = match &app.rollout {
            _ if !app.troubles.is_empty() => "!",
            Some(rollout) if rollout.waiting => "?",
            Some(rollout) if rollout.stage.is_none() => "!",
            Some(_) => "*",
            None => "",
        };
        let name = format!("{}{busy}", app.subject);
        if Some(&app.subject) == state.chosen.as_ref() {
            spans.push(styled(format!("[{name}]"), theme.strong()));
        } else {
            spans.push(text(format!(" {name} ")));
        }
        spans.push(text(" "));
    }
    Line::from(spans)
}

fn app_line(state: &State, app: &AppStatus, theme: Theme, width: usize) -> Line<'static> {
    let mut spans = vec![styled(format!(" {}", app.subject), theme.strong()), text("  ")];
    match &app.live {
        Some(live) => {
            let place = state.focus.marks.of(live.id);
            spans.push(styled(format!("{live} live"), theme.release(place)));
            let ready = ready(app, live.id);
            let to = app.rollout.as_ref().map(|rollout| &rollout.to).filter(|to| to.id != live.id);
            // In the middle of a rollout the other release has the others.
            let short = ready < app.n && app.rollout.is_none();
            let style = if short { theme.warning() } else { Style::new() };
            spans.push(styled(format!("  {ready}/{}", app.n), style));
            spans.extend(to.map(|to| {
                let place = state.focus.marks.of(to.id);
                styled(format!(" + {to} {}", self::ready(app, to.id)), theme.release(place))
            }));
            spans.push(styled(" ready", style));
        }
        None => spans.push(styled(format!("nothing live  n {}", app.n), theme.warning())),
    }
    if app.scaled {
        spans.push(text(" (scaled)"));
    }
    if let Some(listen) = &app.listen {
        let scheme = if width < 80 { "" } else { "http://" };
        spans.push(text(format!("  {scheme}{listen}")));
    }
    Line::from(spans)
}

fn ready(app: &AppStatus, release: ReleaseId) -> u32 {
    let of = |one: &&InstanceStatus| one.state == Life::Ready && one.release.id == release;
    u32::try_from(app.instances.iter().filter(of).count()).unwrap_or(u32::MAX)
}

fn rollout_line(
    state: &State,
    app: &AppStatus,
    rollout: &RolloutStatus,
    theme: Theme,
) -> Line<'static> {
    let RolloutStatus { number, to, plan, actor, begun, .. } = rollout;
    let marks = &state.focus.marks;
    let from = match &app.live {
        Some(live) => styled(live.to_string(), theme.release(marks.of(live.id))),
        None => text("(first release)"),
    };
    Line::from(vec![
        text(format!(" #{number} {}  ", plan.pattern)),
        from,
        text(" → "),
        styled(to.to_string(), theme.release(marks.of(to.id))),
        text(format!("  for {}  by {actor}", rough(state.shown_at().since(*begun)))),
    ])
}

fn idle_line(state: &State, theme: Theme) -> Line<'static> {
    let mut line = Line::from(" no rollout");
    if let Some(last) = state.focus.past.iter().find(|entry| entry.ended.is_some()) {
        line.spans.extend(ended(state, last, theme));
    }
    line
}

/// `; the last one 3h 5m ago: #11 v0 → v1 succeeded`
fn ended(state: &State, entry: &HistoryEntry, theme: Theme) -> Vec<Span<'static>> {
    let from = entry.from.as_ref().map_or("(first)".to_owned(), ToString::to_string);
    let style = match entry.outcome {
        Some(Outcome::Succeeded) => theme.good(),
        Some(Outcome::RolledBack(_)) => theme.warning(),
        Some(Outcome::RolledBackDegraded(_) | Outcome::Stuck(_)) => theme.bad(),
        None => Style::new(),
    };
    let how = entry.outcome.map_or_else(|| "was superseded".to_owned(), outcome_words);
    let ago = entry.ended.map_or_else(String::new, |end| rough(state.now.since(end)));
    vec![
        text(format!("; the last one {ago} ago: #{} {from} → {} ", entry.number, entry.to)),
        styled(how, style),
    ]
}

/// Why the last rollout did not end well, while nothing else is going on.
fn why(state: &State, app: &AppStatus, theme: Theme) -> Option<Line<'static>> {
    let last = state.focus.past.iter().find(|entry| entry.ended.is_some());
    let failed = last.filter(|entry| entry.outcome.is_some_and(|how| how != Outcome::Succeeded));
    let reason = failed.filter(|_| app.rollout.is_none())?.reason.as_ref()?.lines().next()?;
    Some(Line::from(styled(format!("   {reason}"), theme.warning())))
}

/// What a person has to know before anything else.
fn urgent(state: &State, app: &AppStatus, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![];
    let mut say = |word: &str, style: Style, rest: String| {
        lines.push(Line::from(vec![
            text(" "),
            styled(format!(" {word} "), theme.banner(style)),
            text(format!("  {rest}")),
        ]));
    };
    if let Some(rollout) = &app.rollout {
        if let Some((why, detail)) = &rollout.turned_back {
            let seen = detail.lines().next().map(|line| format!(": {line}")).unwrap_or_default();
            say("TURNING BACK", theme.bad(), format!("{}{seen}", why_words(*why)));
        } else if rollout.waiting {
            let keys = "p lets it go on, a turns it back";
            say("WAITS FOR YOU", theme.warning(), keys.to_owned());
        }
        if rollout.paused {
            let rest = "it does not enter the next stage; space lets it go on";
            say("PAUSED", theme.warning(), rest.to_owned());
        }
    }
    // Before the first release is there nobody can serve, and nobody wonders.
    if app.held && app.live.is_some() {
        say("NOBODY SERVES", theme.bad(), "requests wait, or see the notice page".to_owned());
    }
    for trouble in &app.troubles {
        say("TROUBLE", theme.bad(), trouble.clone());
    }
    if let Some(preview) = &app.preview {
        lines.push(Line::from(text(format!(" preview on http://{preview}"))));
    }
    if let Some((release, until)) = &app.standby {
        let left = rough(until.since(state.now));
        let rest = format!(" kept warm for {left} more, for an instant `cutover rollback`");
        let place = state.focus.marks.of(release.id);
        lines.push(Line::from(vec![
            text(" "),
            styled(release.to_string(), theme.release(place)),
            text(rest),
        ]));
    }
    lines
}

fn away(state: &State, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let Some((since, why)) = &state.away else { return vec![] };
    let gone = rough(state.now.since(*since));
    let below = match state.apps {
        Some(_) => format!("; as of {}; apps run on", clock(state.as_of)),
        None => String::new(),
    };
    let first = vec![
        text(" "),
        styled(" DAEMON AWAY ", theme.banner(theme.bad())),
        text(format!("  for {gone}{below}")),
    ];
    let mut lines = vec![Line::from(first)];
    let why = wrap(&format!("trying again; {why}"), width.saturating_sub(4));
    let why = why.into_iter().take(2).map(|line| styled(format!("   {line}"), theme.faint()));
    lines.extend(why.map(Line::from));
    lines
}

fn nobody(state: &State, theme: Theme) -> Line<'static> {
    match (&state.apps, &state.chosen) {
        (None, _) => Line::from(" asking the daemon …"),
        (Some(_), Some(chosen)) => Line::from(vec![
            styled(format!(" {chosen}"), theme.strong()),
            text("  is not deployed: cutover deploy VERSION"),
        ]),
        (Some(_), None) => Line::from(
            " no app is deployed; in a folder with a cutover.yaml: cutover deploy VERSION",
        ),
    }
}
