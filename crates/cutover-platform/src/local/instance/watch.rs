//! Probing an instance for its whole life, and what follows from it.

use std::net::SocketAddr;
use std::time::Duration;

use cutover_core::observed::State;
use cutover_core::spec::Health;
use cutover_core::units::Span;
use tokio::time::Instant;

use super::super::files::{Kept, Readiness, Start};
use super::probe;
use super::survey;

/// The first probe of a start comes this long after it; each further one a quarter later, up to the
/// interval. So a start is noticed when it is done, give or take a quarter of its length.
const FIRST: Duration = Duration::from_millis(25);
/// From one good probe to the next while starting.
const CONFIRM: Duration = Duration::from_millis(20);

/// How one instance is probed.
#[derive(Debug)]
enum Check {
    /// The path must answer 2xx.
    Get(SocketAddr, String),
    /// A connection must come about.
    Connect(SocketAddr),
    /// It must stay alive for this long.
    Alive(Duration),
}

/// What probes have shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The state that follows.
    pub(super) state: State,
    /// Why it is not ready.
    pub(super) detail: Option<String>,
    /// Is it worth telling: another state, or another reason?
    pub(super) news: bool,
}

/// The probes of one attempt.
#[derive(Debug)]
pub(super) struct Watch {
    check: Check,
    health: Health,
    state: State,
    good: u32,
    bad: u32,
    tries: u32,
    reason: Option<String>,
    pause: Duration,
    due: Instant,
}

impl Watch {
    /// Goes on from what is on record for this attempt: a restart of the daemon makes nothing
    /// unready.
    pub(super) fn new(start: &Start, kept: &Kept, record: Option<&Readiness>) -> Watch {
        let health = start.health.clone().unwrap_or_default();
        let check = match (survey::address(kept.port), &start.health) {
            (Some(address), Some(health)) => Check::Get(address, health.path.clone()),
            (Some(address), None) => Check::Connect(address),
            (None, _) => Check::Alive(health.settle.0),
        };
        let state = match record {
            Some(record) if record.ready => State::Ready,
            Some(_) => State::Unready,
            None => State::Starting,
        };
        let first = match (&check, state) {
            (Check::Alive(settle), _) => settle.saturating_sub(kept.at.age()),
            (_, State::Starting) => FIRST.min(health.interval.0),
            // Known for long: it is looked at once, and then at leisure.
            _ => Duration::ZERO,
        };
        Watch {
            check,
            health,
            state,
            good: 0,
            bad: 0,
            tries: 0,
            reason: None,
            pause: FIRST,
            due: Instant::now() + first,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// What there is to say before the first probe has been made.
    pub(super) fn outlook(&self) -> Option<String> {
        match (&self.check, self.state) {
            (_, State::Ready) => None,
            (Check::Alive(settle), _) => {
                Some(format!("starting: ready once it has run for {}", Span(*settle)))
            }
            _ => Some("starting".to_owned()),
        }
    }

    /// Makes the next probe when it is due. May be given up at any time: the probe is made anew.
    pub(super) async fn next(&mut self) -> Finding {
        tokio::time::sleep_until(self.due).await;
        let longest = self.health.timeout.0.max(Duration::from_millis(1));
        let outcome = match &self.check {
            Check::Get(address, path) => probe::get(*address, path, longest)
                .await
                .map_err(|reason| format!("GET http://{address}{path} → {reason}")),
            Check::Connect(address) => probe::connect(*address, longest)
                .await
                .map_err(|reason| format!("connect to {address} → {reason}")),
            Check::Alive(_) if self.state == State::Ready => std::future::pending().await,
            Check::Alive(_) => Ok(()),
        };
        self.note(outcome)
    }

    fn note(&mut self, outcome: Result<(), String>) -> Finding {
        let before = (self.state, self.reason.clone());
        self.tries = self.tries.saturating_add(1);
        let enough_good = match self.check {
            Check::Alive(_) => 1,
            Check::Get(..) | Check::Connect(_) => self.health.healthy_after.max(1),
        };
        match outcome {
            Ok(()) => {
                self.bad = 0;
                self.good = self.good.saturating_add(1);
                if self.good >= enough_good {
                    self.state = State::Ready;
                    self.tries = 0;
                }
                self.reason = None;
            }
            Err(reason) => {
                self.good = 0;
                self.bad = self.bad.saturating_add(1);
                if self.state == State::Ready && self.bad >= self.health.unhealthy_after.max(1) {
                    self.state = State::Unready;
                }
                self.reason = Some(reason);
            }
        }
        self.due = Instant::now() + self.pause();
        let detail = match (self.state, &self.reason) {
            (State::Ready, _) => None,
            (_, Some(reason)) => Some(format!("{reason} (try {})", self.tries)),
            (_, None) => Some(format!("{} of {enough_good} good probes", self.good)),
        };
        Finding { state: self.state, detail, news: before != (self.state, self.reason.clone()) }
    }

    fn pause(&mut self) -> Duration {
        let interval = self.health.interval.0.max(Duration::from_millis(1));
        match self.state {
            State::Starting if self.good > 0 => CONFIRM.min(interval),
            State::Starting => {
                self.pause = self.pause.mul_f32(1.25).min(interval);
                self.pause
            }
            State::Ready | State::Unready | State::Exited | State::Stopping => interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::boottime::Moment;
    use super::super::super::files::SCHEMA;
    use super::*;

    fn watch(health: Option<Health>, port: Option<u16>, record: Option<bool>) -> Watch {
        let at = Moment::now();
        let kept = Kept {
            schema: SCHEMA,
            attempt: 1,
            keeper: 1,
            child: 1,
            child_started: 1,
            port,
            output: None,
            at: at.clone(),
        };
        let start = Start {
            schema: SCHEMA,
            attempt: 1,
            argv: vec![],
            directory: "/".into(),
            env: Default::default(),
            port,
            grace: Span::secs(1),
            health,
            log_limit: 1,
        };
        let record = record.map(|ready| Readiness { attempt: 1, ready, at });
        Watch::new(&start, &kept, record.as_ref())
    }

    fn states(watch: &mut Watch, outcomes: &[bool]) -> Vec<State> {
        let mut note = |good: &bool| {
            let outcome = if *good { Ok(()) } else { Err("503".to_owned()) };
            watch.note(outcome).state
        };
        outcomes.iter().map(&mut note).collect()
    }

    #[tokio::test]
    async fn good_probes_in_a_row_make_ready_and_bad_ones_in_a_row_unready() {
        use State::{Ready, Starting, Unready};
        let mut watch = watch(Some(Health::default()), Some(20_000), None);
        assert_eq!(
            states(&mut watch, &[true, false, true, true]),
            [Starting, Starting, Starting, Ready]
        );
        assert_eq!(
            states(&mut watch, &[false, false, true, false, false, false, true, true]),
            [Ready, Ready, Ready, Ready, Ready, Unready, Unready, Ready]
        );
    }

    #[tokio::test]
    async fn the_same_reason_again_is_no_news() {
        let mut watch = watch(Some(Health::default()), Some(20_000), None);
        let mut note = |reason: &str| watch.note(Err(reason.to_owned()));
        assert!(note("refused").news);
        let again = note("refused");
        assert_eq!(again.detail.as_deref(), Some("refused (try 2)"));
        assert!(!again.news);
        assert!(note("503").news);
    }

    #[tokio::test]
    async fn what_was_ready_is_ready_and_still_watched() {
        let mut watch = watch(Some(Health::default()), Some(20_000), Some(true));
        assert_eq!(watch.state(), State::Ready);
        assert_eq!(states(&mut watch, &[false; 3])[2], State::Unready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_ready_once_it_has_stayed_alive_for_settle() {
        let mut watch = watch(None, None, None);
        let begun = Instant::now();
        assert_eq!(watch.next().await.state, State::Ready);
        let took = begun.elapsed();
        assert!((9..=10).contains(&took.as_secs()), "{took:?}");
    }
}
