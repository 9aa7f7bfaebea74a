//! Every fault that there is.

use std::fmt;
use std::str::FromStr;

use crate::processes::Role;

/// One thing that goes wrong in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9`.
    Kill(Role),
    /// SIGSTOP, and SIGCONT some seconds later.
    Stop(Role),
    /// Ended and started as a person would.
    Restart(Part),
    /// The disk with the state folder is full.
    FullDisk(Since),
    /// What the proxy keeps is damaged, and then the proxy is killed.
    ProxyState(Damage),
    /// The journal is damaged while no daemon runs.
    Journal,
    /// The clock of daemon and proxy is stepped by an hour.
    Clock(Step),
    /// Somebody else takes the port of an instance that crashed.
    Port,
    /// No file descriptor is left.
    Descriptors(Part),
    /// Several daemons are started at once.
    Daemons,
    /// Twenty apps are released at once, and the daemon is killed.
    Crowd,
}

/// A part of Cutover that a person can start anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Daemon,
    Proxy,
}

/// From when on the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Since {
    /// Before the release is asked for.
    Before,
    /// In the middle of it.
    During,
}

/// What happens to the files of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Damage {
    /// The newest copy breaks off in the middle.
    Truncated,
    /// A byte of the newest copy is another one.
    Garbled,
    /// The copy before is gone.
    PreviousGone,
    /// Neither copy can be read, until a person moves both away.
    Both,
}

/// Where the clock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Forward,
    Back,
}

impl Fault {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Fault; 28] = [
        Fault::Kill(Role::Daemon),
        Fault::Kill(Role::Proxy),
        Fault::Kill(Role::ProxyKeeper),
        Fault::Kill(Role::Keeper),
        Fault::Kill(Role::Instance),
        Fault::Kill(Role::Client),
        Fault::Stop(Role::Daemon),
        Fault::Stop(Role::Proxy),
        Fault::Stop(Role::ProxyKeeper),
        Fault::Stop(Role::Keeper),
        Fault::Stop(Role::Instance),
        Fault::Stop(Role::Client),
        Fault::Restart(Part::Daemon),
        Fault::Restart(Part::Proxy),
        Fault::FullDisk(Since::Before),
        Fault::FullDisk(Since::During),
        Fault::ProxyState(Damage::Truncated),
        Fault::ProxyState(Damage::Garbled),
        Fault::ProxyState(Damage::PreviousGone),
        Fault::ProxyState(Damage::Both),
        Fault::Journal,
        Fault::Clock(Step::Forward),
        Fault::Clock(Step::Back),
        Fault::Port,
        Fault::Descriptors(Part::Daemon),
        Fault::Descriptors(Part::Proxy),
        Fault::Daemons,
        Fault::Crowd,
    ];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Fault::Kill(Role::Daemon) => "kill-daemon",
            Fault::Kill(Role::Proxy) => "kill-proxy",
            Fault::Kill(Role::ProxyKeeper) => "kill-proxy-keeper",
            Fault::Kill(Role::Keeper) => "kill-keeper",
            Fault::Kill(Role::Instance) => "kill-instance",
            Fault::Kill(Role::Client) => "kill-client",
            Fault::Stop(Role::Daemon) => "stop-daemon",
            Fault::Stop(Role::Proxy) => "stop-proxy",
            Fault::Stop(Role::ProxyKeeper) => "stop-proxy-keeper",
            Fault::Stop(Role::Keeper) => "stop-keeper",
            Fault::Stop(Role::Instance) => "stop-instance",
            Fault::Stop(Role::Client) => "stop-client",
            Fault::Restart(Part::Daemon) => "restart-daemon",
            Fault::Restart(Part::Proxy) => "restart-proxy",
            Fault::FullDisk(Since::Before) => "disk-full-before",
            Fault::FullDisk(Since::During) => "disk-full-during",
            Fault::ProxyState(Damage::Truncated) => "proxy-state-truncated",
            Fault::ProxyState(Damage::Garbled) => "proxy-state-garbled",
            Fault::ProxyState(Damage::PreviousGone) => "proxy-state-previous-gone",
            Fault::ProxyState(Damage::Both) => "proxy-state-both-garbled",
            Fault::Journal => "journal-garbled",
            Fault::Clock(Step::Forward) => "clock-forward",
            Fault::Clock(Step::Back) => "clock-back",
            Fault::Port => "port-stolen",
            Fault::Descriptors(Part::Daemon) => "no-descriptors-daemon",
            Fault::Descriptors(Part::Proxy) => "no-descriptors-proxy",
            Fault::Daemons => "many-daemons",
            Fault::Crowd => "twenty-apps",
        }
    }

    /// What is done, in a few words.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Fault::Kill(_) => "kill -9, once",
            Fault::Stop(_) => "SIGSTOP for 1 to 10 s, then SIGCONT",
            Fault::Restart(Part::Daemon) => "cutover daemon stop, then start",
            Fault::Restart(Part::Proxy) => "SIGTERM; its keeper starts it again",
            Fault::FullDisk(Since::Before) => "not a byte is left when the release is asked for",
            Fault::FullDisk(Since::During) => {
                "not a byte is left for 1 to 6 s; half of the time an abort is asked for meanwhile"
            }
            Fault::ProxyState(Damage::Truncated) => {
                "state.json breaks off, then kill -9 of the proxy"
            }
            Fault::ProxyState(Damage::Garbled) => {
                "a byte of state.json is another, then kill -9 of the proxy"
            }
            Fault::ProxyState(Damage::PreviousGone) => {
                "state.json.prev is removed, then kill -9 of the proxy"
            }
            Fault::ProxyState(Damage::Both) => {
                "both copies are garbled, kill -9 of the proxy; a person moves them away 1 to 3 s later"
            }
            Fault::Journal => {
                "kill -9 of the daemon, journal.db is garbled, a command is tried, the file is put back"
            }
            Fault::Clock(Step::Forward) => {
                "libfaketime steps daemon and proxy an hour ahead; half of the time the daemon is killed then"
            }
            Fault::Clock(Step::Back) => {
                "libfaketime steps daemon and proxy an hour back; half of the time the daemon is killed then"
            }
            Fault::Port => "kill -9 of an instance, and its port is taken before it starts again",
            Fault::Descriptors(_) => "RLIMIT_NOFILE is lowered to what is open, for 1 to 4 s",
            Fault::Daemons => "kill -9 of the daemon, and four are started in the same moment",
            Fault::Crowd => {
                "twenty apps, all patterns, released at the same time; kill -9 of the daemon"
            }
        }
    }

    /// Is the release asked for only after the fault is there?
    pub(crate) const fn comes_first(self) -> bool {
        matches!(self, Fault::FullDisk(Since::Before))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Fault, String> {
        let found = Fault::ALL.into_iter().find(|fault| fault.name() == text);
        found.ok_or_else(|| "no such fault; --list shows them".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Fault::ALL.into_iter().map(Fault::name).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
    }
}
