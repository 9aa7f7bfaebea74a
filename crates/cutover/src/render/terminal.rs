//! Progress on a terminal: lines that stay above, and below them what is now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cutover_core::event::{Event, EventKind};
use cutover_core::id::InstanceId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::names::{Names, instance};
use super::stage;
use super::text::{lines, state_word};

/// The moving part of the screen.
pub(super) struct Terminal {
    screen: MultiProgress,
    stage: ProgressBar,
    /// Runs while a stage is held; the time it began, and how long it lasts.
    hold: ProgressBar,
    holding: Option<(Instant, Duration)>,
    instances: BTreeMap<InstanceId, ProgressBar>,
}

fn line() -> ProgressStyle {
    ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}
fn bar() -> ProgressStyle {
    ProgressStyle::with_template("  [{bar:30}] {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
fn timed() -> ProgressStyle {
    ProgressStyle::with_template("{msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Terminal {
    pub(super) fn new() -> Terminal {
        let screen = MultiProgress::new();
        let stage = screen.add(ProgressBar::new_spinner().with_style(timed()));
        let hold = ProgressBar::hidden();
        Terminal { screen, stage, hold, holding: None, instances: BTreeMap::new() }
    }

    pub(super) fn event(&mut self, event: &Event, names: &Names, verbose: bool) {
        let text = lines(event, names);
        match &event.kind {
            EventKind::Instance { instance: id, release, state, address, detail } => {
                let bar = self.instances.entry(*id).or_insert_with(|| {
                    self.screen.add(ProgressBar::new_spinner().with_style(line()))
                });
                let name = instance(release, *id);
                let address = address.map_or_else(String::new, |address| address.to_string());
                // A detail may have several lines; one instance has one.
                let detail = detail.as_deref().and_then(|text| text.lines().next()).unwrap_or("");
                let word = state_word(*state);
                let detail = if detail == word { "" } else { detail };
                bar.set_message(format!("{name:<10}  {word:<9}  {address:<21}  {detail}"));
                if state.is_none() {
                    bar.finish_and_clear();
                    self.instances.remove(id);
                }
                if verbose {
                    self.say(&text);
                }
            }
            EventKind::StageEntered { .. } => {
                self.stop_hold();
                self.stage.reset_elapsed();
                self.stage.set_message(text.join(" "));
                self.say(&text);
            }
            EventKind::StageReached { stage } => {
                let plan = names.of(&event.subject).and_then(|known| known.plan.as_ref());
                let span = plan.map_or(Duration::ZERO, |plan| stage::hold(plan, *stage));
                self.start_hold(span);
                if verbose {
                    self.say(&text);
                }
            }
            EventKind::Routed { .. } if !verbose => {}
            EventKind::TurnedBack { .. } => {
                self.stop_hold();
                self.stage.set_message("turning back");
                self.say(&text);
            }
            // What moves nothing on the screen is a line of text.
            _ if names.is_news(event) => self.say(&text),
            _ => {}
        }
    }

    fn say(&self, lines: &[String]) {
        for line in lines {
            // Nothing to do about a terminal that has gone.
            let _ = self.screen.println(line);
        }
    }

    pub(super) fn note(&self, text: &str) {
        self.say(&[text.to_owned()]);
    }

    fn start_hold(&mut self, span: Duration) {
        if span.is_zero() {
            return;
        }
        let length = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let bar = ProgressBar::new(length).with_style(bar());
        self.hold = self.screen.insert_after(&self.stage, bar);
        self.holding = Some((Instant::now(), span));
    }

    fn stop_hold(&mut self) {
        if self.holding.take().is_some() {
            self.hold.finish_and_clear();
        }
    }

    pub(super) fn tick(&mut self) {
        if let Some((begun, span)) = self.holding {
            let gone = begun.elapsed().min(span);
            self.hold.set_position(u64::try_from(gone.as_millis()).unwrap_or(u64::MAX));
            self.hold.set_message(format!(
                "{:.0} of {:.0} s",
                gone.as_secs_f64(),
                span.as_secs_f64()
            ));
        }
        self.stage.tick();
    }

    pub(super) fn end(self) {
        self.hold.finish_and_clear();
        self.stage.finish_and_clear();
        for bar in self.instances.values() {
            bar.finish_and_clear();
        }
        let _ = self.screen.clear();
    }
}
