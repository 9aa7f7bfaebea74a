//! What the task of an instance says of it.

use cutover_core::observed::State;

use super::super::boottime::Moment;
use super::super::exits::Exit;
use super::super::files::{self, Kept, Readiness};
use super::super::secrets::Known;
use super::board::Status;
use super::life::{Life, blocking};
use super::watch::{Finding, Watch};
use super::{detail, survey};

impl Life {
    pub(super) fn show(&self, change: impl FnOnce(&mut Status) -> bool) {
        self.board.update(self.id, change);
    }

    /// Tells of processes that do not end, whatever the instance is doing.
    pub(super) fn show_stubborn(&self, what: &str) {
        self.show(|status| {
            status.detail = Some(match status.state {
                State::Stopping => format!("stopping: {what}"),
                State::Starting | State::Ready | State::Unready | State::Exited => what.to_owned(),
            });
            false
        });
    }

    pub(super) fn show_stopping(&self) {
        self.show(|status| {
            let news = status.state != State::Stopping;
            if news {
                status.state = State::Stopping;
                status.since = Moment::now();
            }
            status.detail = Some("stopping".to_owned());
            news
        });
    }

    pub(super) fn show_ended(&self) {
        let Some(exit) = self.exits.last() else {
            return;
        };
        let (times, detail) = (survey::times(&self.exits), detail::ended(&self.folder, exit));
        self.show(|status| {
            let news = status.state != State::Exited || status.since != exit.at;
            status.state = State::Exited;
            status.since = exit.at.clone();
            status.exits = times;
            status.detail = Some(detail);
            news
        });
    }

    /// Its keeper is gone: it is off duty before that is on record.
    pub(super) fn show_lost(&self, exit: &Exit) {
        let detail = detail::ended(&self.folder, exit);
        let mut times = survey::times(&self.exits);
        if exit.counts() {
            times.push(exit.at.clone());
        }
        self.show(|status| {
            status.exits = times;
            // A stop may have been accepted meanwhile; it is not to be hidden.
            if status.state != State::Stopping {
                status.state = State::Exited;
                status.since = exit.at.clone();
                status.detail = Some(detail);
            }
            true
        });
    }

    pub(super) fn show_running(&self, kept: &Kept, watch: &Watch, record: Option<&Readiness>) {
        let times = survey::times(&self.exits);
        self.show(|status| {
            status.address = survey::address(kept.port);
            status.exits = times;
            if status.state != State::Stopping {
                status.state = watch.state();
                status.since = record.map_or(&kept.at, |record| &record.at).clone();
                status.detail = watch.outlook();
            }
            true
        });
    }

    pub(super) async fn show_finding(&self, kept: &Kept, finding: Finding) {
        let at = Moment::now();
        let known = Known::of(&self.folder);
        let mut turned = false;
        self.show(|status| {
            // A stop may have been accepted meanwhile; it is not to be hidden.
            if status.state == State::Stopping {
                return false;
            }
            turned = status.state != finding.state;
            if turned {
                status.state = finding.state;
                status.since = at.clone();
            }
            status.detail = finding.detail.map(|detail| known.scrub(&detail));
            finding.news
        });
        if turned {
            let record =
                Readiness { attempt: kept.attempt, ready: finding.state == State::Ready, at };
            let path = self.folder.ready();
            // Without it the next platform has to find out by itself.
            let _ = blocking(move || files::write(&path, &record)).await;
        }
    }
}
