//! Events as log lines.

use cutover_core::event::Event;

use super::names::Names;
use super::text;
use super::time::time;

/// `2026-11-23T18:00:00.123Z shop #12 stage 2/5 …`, for each line of the event; none
/// for one that only repeats what was told a moment ago.
pub(crate) fn plain(event: &Event, names: &Names) -> Vec<String> {
    let rollout = event.rollout.map_or_else(String::new, |number| format!(" #{number}"));
    let head = format!("{} {}{rollout}", time(event.at), event.subject);
    if !names.is_news(event) {
        return vec![];
    }
    let lines = text::lines(event, names);
    lines.into_iter().map(|line| format!("{head} {line}")).collect()
}
