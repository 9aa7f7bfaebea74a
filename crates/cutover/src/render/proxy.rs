//! What the proxy does, as text.

use cutover_core::dataplane::{AppState, DataPlaneState};
use cutover_core::id::Subject;

/// One line for the proxy, one an app.
pub(crate) fn proxy(state: &DataPlaneState) -> String {
    let mut lines = vec![format!("the proxy runs: pid {}, obeys epoch {}", state.pid, state.epoch)];
    lines.extend(state.apps.iter().map(line));
    lines.join("\n")
}

fn line((subject, app): (&Subject, &AppState)) -> String {
    let inside: u32 = app.in_flight.values().map(|one| one.requests + one.upgraded).sum();
    let serving = app.table.serving.len();
    format!(
        "{subject}  {}  {serving} serving, in flight {inside}, held {}, table {}.{}",
        app.frontend.listen, app.held, app.generation.epoch, app.generation.seq
    )
}
