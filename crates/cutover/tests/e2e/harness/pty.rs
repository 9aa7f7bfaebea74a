//! A command on a terminal: what it draws, and keys for it.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pty_process::Size;
use pty_process::blocking::Pty;

use super::{World, wait_until};

/// A terminal with one command on it, and what a person sees there.
pub(crate) struct Pane {
    pty: Arc<Pty>,
    child: Child,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
}

struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

impl World {
    /// Runs a shell script on a terminal of this size; `cutover` in it is the program.
    pub(crate) fn pane(&self, script: &str, (columns, rows): (u16, u16)) -> Pane {
        let program = self.command(&[]);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("cutover() {{ '{}' \"$@\"; }}\n{script}", super::PROGRAM)]);
        command.env_clear().current_dir(self.app()).env("TERM", "xterm-256color");
        for (name, value) in program.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let child = pty_process::blocking::Command::from(command).spawn(pts).unwrap();
        let parser = vt100::Parser::new(cells(rows), cells(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, raw: vec![] }));
        let pty = Arc::new(pty);
        let reader = std::thread::spawn({
            let (pty, seen) = (Arc::clone(&pty), Arc::clone(&seen));
            move || read(&pty, &seen)
        });
        Pane { pty, child, seen, reader: Some(reader) }
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// Reads until the last process on the terminal has gone.
fn read(pty: &Pty, seen: &Mutex<Seen>) {
    let mut part = [0; 4096];
    while let Ok(n) = { pty }.read(&mut part) {
        let mut seen = seen.lock().unwrap();
        seen.parser.process(&part[..n]);
        seen.raw.extend(&part[..n]);
    }
}

impl Pane {
    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }
    /// Every byte that was ever written.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().raw).into_owned()
    }
    /// How many of its cells have a colour of their own.
    pub(crate) fn coloured(&self) -> usize {
        let seen = self.seen.lock().unwrap();
        let screen = seen.parser.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |at| (row, at)));
        let own = vt100::Color::Default;
        let cells = cells.filter_map(|(row, at)| screen.cell(row, at));
        cells.filter(|cell| cell.fgcolor() != own || cell.bgcolor() != own).count()
    }
    /// Does the screen take the place of what the shell has written?
    pub(crate) fn is_full_screen(&self) -> bool {
        self.seen.lock().unwrap().parser.screen().alternate_screen()
    }

    /// Waits until the screen holds this text.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Pane {
        let limit = std::time::Instant::now() + super::PATIENCE;
        while !self.text().contains(text) {
            let late = std::time::Instant::now() > limit;
            assert!(!late, "the screen never showed {text:?}; it shows\n{}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self
    }
    /// Waits until the screen does not hold this text any more.
    #[track_caller]
    pub(crate) fn hides(&self, text: &str) -> &Pane {
        wait_until(&format!("{text:?} goes away"), || !self.text().contains(text));
        self
    }

    /// Presses keys.
    pub(crate) fn press(&self, keys: &str) -> &Pane {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
        self
    }

    pub(crate) fn resize(&self, (columns, rows): (u16, u16)) {
        self.seen.lock().unwrap().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.pty.resize(Size::new(rows, columns)).unwrap();
    }

    /// Waits for the end of the script, and gives what is on the screen then.
    #[track_caller]
    pub(crate) fn ends(mut self) -> String {
        let child = &mut self.child;
        wait_until("the script ends", || child.try_wait().unwrap().is_some());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        // The terminal hangs up, and so does whatever runs on it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
