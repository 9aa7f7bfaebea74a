//! A command that ended, and what is expected of it.

use std::process::Output;

use serde_json::Value;

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(line: &str, output: &Output) -> Ran {
        Ran {
            line: line.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
    #[track_caller]
    pub(crate) fn expect_ok(self) -> Ran {
        self.expect_code(0)
    }
    /// stdout holds this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Ran {
        assert!(self.stdout.contains(text), "stdout lacks {text:?}\n{self}");
        self
    }
    /// stderr holds this text.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Ran {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}\n{self}");
        self
    }
    /// The final JSON object: the last line of stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        let value: Value =
            serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}\n{self}"));
        assert_eq!(value["schema"], 1, "{self}");
        value
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ran { line, code, stdout, stderr } = self;
        write!(f, "`cutover {line}` ended with {code:?}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}
