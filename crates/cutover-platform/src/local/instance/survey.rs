//! Where an instance is in its life, as its folder tells.

use std::net::{Ipv4Addr, SocketAddr};

use cutover_core::observed::State;
use cutover_files::Lock;

use super::super::boottime::Moment;
use super::super::exits::{self, Ending, Exit};
use super::super::files::{self, Kept, Readiness, Start, StopAsked};
use super::super::paths::Folder;
use super::board::Status;
use super::detail;

/// What a folder says.
pub(super) enum Situation {
    /// Nothing was ever started.
    Empty,
    /// The keeper lives.
    Running(Box<(Kept, Start)>),
    /// The keeper is gone and has not said how it ended.
    Orphaned(Kept),
    /// The last attempt is over.
    Ended,
    /// Between two of these; look again. Or damaged, for this reason.
    Unclear(String),
}

/// Looks at a folder. `exits` are those that are known, more than the file may hold.
pub(super) fn look(folder: &Folder, exits: &[Exit]) -> Situation {
    let held = match Lock::is_held(&folder.lock()) {
        Ok(held) => held,
        Err(error) => return Situation::Unclear(format!("{error}: {}", error.source)),
    };
    let kept: Option<Kept> = match files::read(&folder.kept()) {
        Ok(kept) => kept,
        Err(error) => return Situation::Unclear(error.to_string()),
    };
    let over = |kept: &Kept| exits.iter().any(|exit| exit.attempt == kept.attempt);
    match (held, kept) {
        (true, Some(kept)) if !over(&kept) => match files::read(&folder.start()) {
            Ok(Some(start)) => Situation::Running(Box::new((kept, start))),
            Ok(None) => Situation::Unclear("start.json is missing".to_owned()),
            Err(error) => Situation::Unclear(error.to_string()),
        },
        (true, _) => Situation::Unclear("its keeper comes or goes".to_owned()),
        (false, Some(kept)) if !over(&kept) => Situation::Orphaned(kept),
        (false, None) if exits.is_empty() => Situation::Empty,
        (false, _) => Situation::Ended,
    }
}

/// The exits that both the file and we know, each attempt once, oldest first.
pub(super) fn merge(known: &mut Vec<Exit>, folder: &Folder) {
    for exit in exits::read(folder) {
        if !known.iter().any(|other| other.attempt == exit.attempt) {
            exits::push(known, exit);
        }
    }
    known.sort_by_key(|exit| exit.attempt);
}

/// When those exits were that count.
pub(super) fn times(exits: &[Exit]) -> Vec<Moment> {
    exits.iter().filter(|exit| exit.counts()).map(|exit| exit.at.clone()).collect()
}

/// How an attempt ended whose keeper did not say.
pub(super) fn unsaid(kept: &Kept) -> Exit {
    let at = Moment::now();
    let (ending, ran) = if kept.at.is_of_this_boot() {
        (Ending::KeeperDied, at.since(&kept.at))
    } else {
        (Ending::Rebooted, std::time::Duration::ZERO)
    };
    Exit {
        attempt: kept.attempt,
        ending,
        ran_ms: u64::try_from(ran.as_millis()).unwrap_or(u64::MAX),
        ready_ms: None,
        left: Vec::new(),
        at,
    }
}

/// The readiness on record for this attempt.
pub(super) fn readiness(folder: &Folder, kept: &Kept) -> Option<Readiness> {
    files::read::<Readiness>(&folder.ready())
        .ok()
        .flatten()
        .filter(|readiness| readiness.attempt == kept.attempt)
}

/// Where an attempt listens.
pub(super) fn address(port: Option<u16>) -> Option<SocketAddr> {
    port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// What to say of an instance that was found, before anything was done with it.
pub(super) fn first_status(folder: &Folder, exits: &[Exit]) -> Status {
    let mut status = Status::starting();
    status.exits = times(exits);
    match look(folder, exits) {
        Situation::Empty => {
            status.state = State::Exited;
            status.detail = Some("never started".to_owned());
        }
        Situation::Running(running) => {
            let (kept, _) = *running;
            status.address = address(kept.port);
            status.since = kept.at.clone();
            if let Some(readiness) = readiness(folder, &kept) {
                status.since = readiness.at;
                if readiness.ready {
                    status.state = State::Ready;
                    status.detail = None;
                } else {
                    status.state = State::Unready;
                    status.detail = Some("was not ready when last seen".to_owned());
                }
            }
        }
        Situation::Orphaned(kept) => {
            let exit = unsaid(&kept);
            status.state = State::Exited;
            status.address = address(kept.port);
            status.detail = Some(detail::ended(folder, &exit));
            if exit.counts() {
                status.exits.push(exit.at);
            }
        }
        Situation::Ended => {
            status.state = State::Exited;
            if let Some(exit) = exits.last() {
                status.since = exit.at.clone();
                status.detail = Some(detail::ended(folder, exit));
            }
        }
        Situation::Unclear(why) => status.detail = Some(why),
    }
    if let Ok(Some(stop)) = files::read::<StopAsked>(&folder.stop()) {
        status.state = State::Stopping;
        status.since = stop.at;
        status.detail = Some("stopping".to_owned());
    }
    status
}
