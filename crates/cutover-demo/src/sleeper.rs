//! The child that does not go away: in a session of its own and deaf to SIGTERM.

use std::io;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// A forgotten sleeper ends by itself, so that they do not collect on a machine.
const LIFE: Duration = Duration::from_secs(600);

/// Starts a sleeper by the words that make this executable the program. It shares stdout and stderr with this process, as careless children do:
/// whoever waits for the end of the log pipe waits for it too.
pub(crate) fn start(words: &[&str]) -> io::Result<Child> {
    let program = std::env::current_exe()?;
    Command::new(program).args(words).arg("--sleeper").kill_on_drop(false).spawn()
}

/// Is the sleeper.
pub(crate) async fn sleep() -> io::Result<u8> {
    // The handler comes first: once the line below is out, SIGTERM has no effect.
    let _deaf = signal(SignalKind::terminate())?;
    rustix::process::setsid()?;
    crate::say(&format!("sleeper pid={}", std::process::id()));
    tokio::time::sleep(LIFE).await;
    Ok(0)
}
