//! How the last attempts of an instance ended, and when the next one may begin.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::boottime::Moment;
use super::paths::Folder;

/// As many are kept.
const KEPT: usize = 16;
/// An attempt that was ready for this long is a success: the waits begin anew after it.
const GOOD: Duration = Duration::from_secs(60);
/// No wait before a start is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// The app returned this code.
    Code(i32),
    /// The app was ended by this signal, and not because a stop was asked.
    Signal(i32),
    /// There was no process, for this reason.
    NotStarted(String),
    /// The keeper was killed, so nobody knows.
    KeeperDied,
    /// The machine was started again meanwhile.
    Rebooted,
    /// A stop was asked.
    Asked,
}

/// One attempt that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) attempt: u32,
    pub(crate) ending: Ending,
    pub(crate) at: Moment,
    /// From start to end, in milliseconds.
    pub(crate) ran_ms: u64,
    /// From ready to end, if it was ready at its end.
    #[serde(default)]
    pub(crate) ready_ms: Option<u64>,
    /// Processes of it that nothing could end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<i32>,
}

impl Exit {
    /// Did it end by itself?
    pub(crate) fn counts(&self) -> bool {
        match self.ending {
            Ending::Code(_) | Ending::Signal(_) | Ending::NotStarted(_) | Ending::KeeperDied => {
                true
            }
            Ending::Rebooted | Ending::Asked => false,
        }
    }
}

/// Reads the exits of an instance, oldest first. Lines that make no sense are passed over: a wrong
/// count of exits is better than an instance nobody can look at.
pub(crate) fn read(folder: &Folder) -> Vec<Exit> {
    std::fs::read_to_string(folder.exits())
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Adds an exit to the list and forgets the oldest ones.
pub(crate) fn push(exits: &mut Vec<Exit>, exit: Exit) {
    exits.push(exit);
    let surplus = exits.len().saturating_sub(KEPT);
    exits.drain(..surplus);
}

/// Adds an exit to the file of an instance.
pub(crate) fn append(folder: &Folder, exit: &Exit) -> io::Result<()> {
    let mut exits = read(folder);
    push(&mut exits, exit.clone());
    let mut text = String::new();
    for exit in &exits {
        text.push_str(&serde_json::to_string(exit).map_err(io::Error::other)?);
        text.push('\n');
    }
    cutover_files::write_atomic(&folder.exits(), text.as_bytes()).map_err(|error| error.source)
}

/// How long after the last exit the next start may be: 1, 2, 4 … 60 s, counted from the last
/// attempt that was ready for a minute.
pub(crate) fn wait(exits: &[Exit]) -> Duration {
    let mut failures = 0;
    for exit in exits.iter().rev() {
        if !exit.counts() {
            break;
        }
        failures += 1;
        if exit.ready_ms.is_some_and(|ms| Duration::from_millis(ms) >= GOOD) {
            break;
        }
    }
    match failures {
        0 => Duration::ZERO,
        n => Duration::from_secs(1 << (n - 1).min(6)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(ending: Ending, ready_ms: Option<u64>) -> Exit {
        Exit { attempt: 1, ending, at: Moment::now(), ran_ms: 5, ready_ms, left: Vec::new() }
    }

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_a_good_minute() {
        let bad = || exit(Ending::Code(1), None);
        let mut exits = Vec::new();
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(wait(&exits).as_secs());
            push(&mut exits, bad());
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        push(&mut exits, exit(Ending::Signal(9), Some(59_999)));
        assert_eq!(wait(&exits).as_secs(), 60);
        push(&mut exits, exit(Ending::Signal(9), Some(60_000)));
        assert_eq!(wait(&exits).as_secs(), 1);
        push(&mut exits, bad());
        assert_eq!(wait(&exits).as_secs(), 2);
        push(&mut exits, exit(Ending::Rebooted, None));
        assert_eq!(wait(&exits), Duration::ZERO);
    }

    #[test]
    fn the_file_keeps_the_last_16_and_survives_damage() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::named(state.path(), "shop/r1.0").unwrap();
        cutover_files::private_folder(folder.path()).unwrap();
        for attempt in 1..=20 {
            let mut exit = exit(Ending::KeeperDied, None);
            exit.attempt = attempt;
            append(&folder, &exit).unwrap();
        }
        let attempts: Vec<u32> = read(&folder).iter().map(|exit| exit.attempt).collect();
        assert_eq!(attempts, (5..=20).collect::<Vec<_>>());
        let mut text = std::fs::read_to_string(folder.exits()).unwrap();
        text.push_str("{\"attem");
        cutover_files::write_atomic(&folder.exits(), text.as_bytes()).unwrap();
        assert_eq!(read(&folder).len(), 16);
    }
}
