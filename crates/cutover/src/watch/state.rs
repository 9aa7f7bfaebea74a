//! What is known and shown, and how news fold into it. Nothing here asks anybody or draws.

use std::collections::VecDeque;

use cutover_core::dataplane::Seconds;
use cutover_core::event::{Event, EventKind};
use cutover_core::id::Subject;
use cutover_core::units::At;
use cutover_engine::api::{Action, AppStatus, HistoryEntry, RolloutStatus};

use super::evidence::Growth;
use super::marks::Marks;
use super::series::Series;
use crate::render::{Names, event_lines};

/// Events that are kept for the screen.
pub(crate) const EVENTS: usize = 200;

/// Something that was learned.
#[derive(Debug)]
pub(crate) enum News {
    /// Every app as it is now.
    Apps(Vec<AppStatus>),
    /// Something happened to the app that is shown.
    Event(Box<Event>),
    /// What the proxy counted of it since the last time.
    Seconds(Seconds),
    /// The counts cannot be had, and why.
    Uncounted(String),
    /// Its last rollouts, newest first.
    Past(Vec<HistoryEntry>),
    /// The daemon does not answer, and why.
    Away(String),
    /// What became of what a person asked for.
    Answer(Asked, Result<(), String>),
}

/// What a person asks of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) subject: Subject,
    /// The rollout that was on the screen.
    pub(crate) rollout: u64,
    pub(crate) action: Action,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The daemon was asked.
    Sent(Asked),
    /// It did it.
    Done(Asked),
    /// It refused, or there was nobody to ask.
    Refused(String),
    /// The key makes no sense now.
    Idle(Idle),
}

/// Why a key does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// There is no rollout.
    NoRollout,
    /// It turns back already.
    TurnsBack,
    /// The rollout of the question is over.
    Over,
    /// The daemon is away.
    Away,
}

/// An event, in words.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) words: Vec<String>,
}

/// Everything of the app that is shown.
#[derive(Debug, Default)]
pub(crate) struct Focus {
    /// As the newest status has them.
    pub(crate) names: Names,
    /// As the events had them at the time: an old one is of another plan.
    told: Names,
    pub(crate) events: VecDeque<Told>,
    pub(crate) series: Series,
    pub(crate) uncounted: Option<String>,
    pub(crate) past: Vec<HistoryEntry>,
    pub(crate) marks: Marks,
    /// Of the newest stage that was judged.
    pub(crate) growth: Growth,
}

/// All that the screen shows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) now: At,
    /// `None` before the first answer.
    pub(crate) apps: Option<Vec<AppStatus>>,
    /// When they were like this.
    pub(crate) as_of: At,
    pub(crate) chosen: Option<Subject>,
    pub(crate) focus: Focus,
    /// Since when the daemon is away, and why.
    pub(crate) away: Option<(At, String)>,
    pub(crate) notice: Option<(At, Notice)>,
    /// Waits for a yes.
    pub(crate) question: Option<Asked>,
    pub(crate) help: bool,
}

impl State {
    /// Nothing is known yet; shows this app, or else the first one.
    pub(crate) fn new(chosen: Option<Subject>, now: At) -> State {
        State { chosen, now, as_of: now, ..State::default() }
    }

    /// The app that is shown, if the daemon knows it.
    pub(crate) fn app(&self) -> Option<&AppStatus> {
        let chosen = self.chosen.as_ref()?;
        self.apps.iter().flatten().find(|app| app.subject == *chosen)
    }

    pub(crate) fn rollout(&self) -> Option<&RolloutStatus> {
        self.app()?.rollout.as_ref()
    }

    /// The time of what is shown: while the daemon is away nothing of it gets older.
    pub(crate) fn shown_at(&self) -> At {
        if self.away.is_some() { self.as_of } else { self.now }
    }

    /// Takes in what was learned.
    pub(crate) fn learn(&mut self, news: News) {
        match news {
            News::Apps(apps) => self.learn_apps(apps),
            News::Event(event) => self.learn_event(*event),
            News::Seconds(seconds) => {
                self.focus.series.read(&seconds, self.now);
                self.focus.uncounted = None;
            }
            News::Uncounted(why) => self.focus.uncounted = Some(why),
            News::Past(past) => {
                for entry in &past {
                    self.focus.told.learn_names(entry);
                }
                self.focus.past = past;
            }
            News::Away(why) => {
                let since = self.away.take().map_or(self.now, |(since, _)| since);
                self.away = Some((since, why));
            }
            News::Answer(asked, Ok(())) => self.note(Notice::Done(asked)),
            News::Answer(_, Err(why)) => self.note(Notice::Refused(why)),
        }
    }

    fn learn_event(&mut self, event: Event) {
        let current = self.rollout().map(|rollout| rollout.number);
        let focus = &mut self.focus;
        focus.told.learn(&event);
        focus.growth.learn(&event);
        let is_current = current.is_some() && event.rollout == current;
        let names = if is_current { &focus.names } else { &focus.told };
        let words = event_lines(&event, names);
        if focus.events.back().is_some_and(|told| is_repeated(&told.event, &event)) {
            focus.events.pop_back();
        }
        focus.events.push_back(Told { event, words });
        if focus.events.len() > EVENTS {
            focus.events.pop_front();
        }
    }

    fn learn_apps(&mut self, mut apps: Vec<AppStatus>) {
        apps.sort_by(|one, other| one.subject.cmp(&other.subject));
        (self.away, self.as_of) = (None, self.now);
        if self.chosen.is_none() {
            self.chosen = apps.first().map(|app| app.subject.clone());
        }
        self.apps = Some(apps);
        self.update_focus();
    }

    fn update_focus(&mut self) {
        let Some(chosen) = &self.chosen else { return };
        let app = self.apps.iter().flatten().find(|app| app.subject == *chosen);
        if let Some(app) = app {
            self.focus.names.learn_status(app);
            self.focus.told.learn_releases(app);
            self.focus.marks.update(app);
        }
    }

    /// Shows the next app, or the one before.
    pub(crate) fn choose(&mut self, forward: bool) {
        let apps = self.apps.as_deref().unwrap_or_default();
        let Some(last) = apps.len().checked_sub(1) else { return };
        let place = apps.iter().position(|app| Some(&app.subject) == self.chosen.as_ref());
        let next = match (place, forward) {
            (None, _) => 0,
            (Some(place), true) if place == last => 0,
            (Some(place), true) => place + 1,
            (Some(0), false) => last,
            (Some(place), false) => place - 1,
        };
        let next = apps.get(next).map(|app| app.subject.clone());
        if next != self.chosen {
            (self.chosen, self.focus) = (next, Focus::default());
            (self.question, self.notice) = (None, None);
            self.update_focus();
        }
    }

    pub(crate) fn note(&mut self, notice: Notice) {
        self.notice = Some((self.now, notice));
    }
}

/// Does the second event say the same as the first one, only newer?
fn is_repeated(first: &Event, second: &Event) -> bool {
    use EventKind::{Instance, Judged};
    let same = first.rollout == second.rollout && first.subject == second.subject;
    same && match (&first.kind, &second.kind) {
        (Judged { stage, verdict, .. }, Judged { stage: stage_now, verdict: verdict_now, .. }) => {
            stage == stage_now && verdict == verdict_now
        }
        (Instance { instance, state, .. }, Instance { instance: now, state: state_now, .. }) => {
            instance == now && state == state_now
        }
        // The others are told once.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use cutover_core::record::Verdict;

    use super::super::sample;
    use super::*;

    fn shown(state: &State) -> Option<String> {
        state.app().map(|app| app.subject.to_string())
    }

    #[test]
    fn the_first_app_is_shown_unless_another_is_wanted() {
        let mut state = State::new(None, At(0));
        state.learn(News::Apps(vec![]));
        assert_eq!((shown(&state), state.chosen.clone()), (None, None));
        state.learn(News::Apps(sample::three_apps()));
        assert_eq!(shown(&state).as_deref(), Some("cart"));
        let mut state = State::new(Some("shop".parse().unwrap()), At(0));
        state.learn(News::Apps(vec![]));
        assert_eq!(shown(&state), None, "it is not there yet");
        state.learn(News::Apps(sample::three_apps()));
        assert_eq!(shown(&state).as_deref(), Some("shop"));
    }

    #[test]
    fn another_app_begins_with_nothing_of_the_one_before() {
        let mut state = State::new(Some("shop".parse().unwrap()), At(0));
        state.learn(News::Apps(sample::three_apps()));
        state.learn(News::Seconds(sample::minutes(2)));
        state.learn(News::Event(Box::new(sample::warning("x"))));
        assert!(state.focus.series.read_at().is_some());
        state.choose(true);
        assert_eq!(shown(&state).as_deref(), Some("cart"), "round from the last to the first");
        assert!(state.focus.series.read_at().is_none() && state.focus.events.is_empty());
        state.choose(false);
        state.choose(false);
        assert_eq!(shown(&state).as_deref(), Some("search"));
    }

    #[test]
    fn a_daemon_that_is_away_leaves_what_was_known_until_it_is_back() {
        let mut state = State::new(None, At(1000));
        state.learn(News::Apps(sample::three_apps()));
        state.now = At(2000);
        state.learn(News::Away("gone".into()));
        state.now = At(9000);
        state.learn(News::Away("still gone".into()));
        assert_eq!(state.away, Some((At(2000), "still gone".into())));
        assert_eq!((state.as_of, shown(&state).as_deref()), (At(1000), Some("cart")));
        state.learn(News::Apps(sample::three_apps()));
        assert_eq!((&state.away, state.as_of), (&None, At(9000)));
    }

    #[test]
    fn only_the_newest_events_are_kept() {
        let mut state = State::new(None, At(0));
        for index in 0..=EVENTS {
            state.learn(News::Event(Box::new(sample::warning(&index.to_string()))));
        }
        assert_eq!(state.focus.events.len(), EVENTS);
        let oldest = state.focus.events.front().map(|told| told.words.clone());
        assert_eq!(oldest, Some(vec!["warning: 1".to_owned()]));
    }

    #[test]
    fn what_is_said_again_and_again_takes_one_line() {
        let mut state = State::new(None, At(0));
        let judged = |stage, verdict, reason: &str| {
            let kind =
                EventKind::Judged { stage, verdict, reason: reason.to_owned(), evidence: None };
            News::Event(Box::new(sample::event(0, kind)))
        };
        state.learn(judged(1, Verdict::Inconclusive, "10 of 100"));
        state.learn(judged(1, Verdict::Inconclusive, "20 of 100"));
        state.learn(judged(1, Verdict::Pass, "fine"));
        state.learn(judged(2, Verdict::Pass, "fine"));
        let words: Vec<_> = state.focus.events.iter().map(|told| told.words[0].clone()).collect();
        let expected =
            ["verdict inconclusive: 20 of 100", "verdict pass: fine", "verdict pass: fine"];
        assert_eq!(words, expected);
    }

    #[test]
    fn an_event_is_told_by_the_plan_it_belongs_to() {
        let words = |app, rollout| {
            let mut state = State::new(None, At(0));
            state.learn(News::Apps(vec![app]));
            let mut event = sample::event(0, EventKind::StageReached { stage: 1 });
            event.rollout = Some(rollout);
            state.learn(News::Event(Box::new(event)));
            state.focus.events[0].words[0].clone()
        };
        assert_eq!(words(sample::canary(), 12), "stage 2/5 reached");
        assert_eq!(words(sample::canary(), 11), "stage 2 reached", "of a plan nobody told");
    }
}
