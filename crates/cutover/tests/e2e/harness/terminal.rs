//! A terminal for a command, and somebody who types.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::Ran;

/// Ends the input, as Ctrl-D does.
const END: &str = "\x04";

/// Runs a command to its end. Lines are typed ahead: the terminal keeps them until they are read.
pub(super) fn run(line: &str, mut command: Command, typed: &[&str]) -> Ran {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let other = || {
        let path = OsStr::from_bytes(name.as_bytes());
        File::options().read(true).write(true).open(path).unwrap()
    };
    command.stdin(other()).stdout(other()).stderr(other());
    let mut child = command.spawn().unwrap();
    // The last copies of the other end are the child's now, so its end is the end of what is read.
    drop(command);
    let mut master = File::from(master);
    for text in typed {
        master.write_all(format!("{text}\n").as_bytes()).unwrap();
    }
    // Whoever asks more than that gets no answer, instead of waiting for one.
    master.write_all(END.as_bytes()).unwrap();
    let mut shown = Vec::new();
    // Linux tells the end of a terminal as an error; what was shown until then is there.
    let _ = master.read_to_end(&mut shown);
    let code = child.wait().unwrap().code();
    let stdout = String::from_utf8_lossy(&shown).replace("\r\n", "\n");
    Ran { line: line.to_owned(), code, stdout, stderr: String::new() }
}
