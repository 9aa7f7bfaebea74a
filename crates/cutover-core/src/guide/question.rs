//! The questions, and the answers that each one takes.

use std::fmt;

/// What is asked, in the order in which it is asked: what rules out most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Can both versions run at the same time?
    SideBySide,
    /// Who sends it work?
    Users,
    /// What matters most?
    Aim,
    /// How much room is there for more instances?
    Spare,
    /// Are there enough requests to measure?
    Traffic,
    /// Does the app ask for a flag?
    Flag,
    /// May nobody be served for a while?
    Downtime,
}

/// An answer; each belongs to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// Both versions can run at the same time.
    Together,
    /// They must never.
    Apart,
    /// Users send requests over HTTP.
    Http,
    /// Nobody calls it: a worker.
    Nobody,
    /// The new version in place of the old one, no more.
    Replace,
    /// A way back that takes no time.
    InstantReturn,
    /// Faults are found while few users have the new version.
    FewUsers,
    /// Real requests before any user depends on it.
    Rehearse,
    /// Which of two versions users like better.
    Compare,
    /// The code now, the new behaviour later.
    Switch,
    /// Room for a second full set.
    Double,
    /// Room for an instance or a few.
    AFew,
    /// No room.
    Full,
    /// A small share of the requests is enough to measure.
    Enough,
    /// It is not.
    Little,
    /// The app asks for a flag.
    Asks,
    /// It does not.
    AsksNot,
    /// Somebody has to be served at any time.
    Never,
    /// A break is acceptable.
    Break,
}

impl Question {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Question; 7] = [
        Question::SideBySide,
        Question::Users,
        Question::Aim,
        Question::Spare,
        Question::Traffic,
        Question::Flag,
        Question::Downtime,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Question::SideBySide => "side-by-side",
            Question::Users => "users",
            Question::Aim => "aim",
            Question::Spare => "spare",
            Question::Traffic => "traffic",
            Question::Flag => "flag",
            Question::Downtime => "downtime",
        }
    }

    /// The question as it is asked.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Question::SideBySide => "Can the old and the new version run at the same time?",
            Question::Users => "How does the app get its work?",
            Question::Aim => "What matters most about this release?",
            Question::Spare => "How much room is there beside the instances that run now?",
            Question::Traffic => "Are there enough requests to measure a small share of them?",
            Question::Flag => "Does the app ask for a feature flag?",
            Question::Downtime => "May nobody be served for a short while?",
        }
    }

    /// How to find the answer.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Question::SideBySide => {
                "Think of the database schema, files with one writer, locks, licences, and what one \
                 version writes and the other one reads."
            }
            Question::Users => {
                "Cutover's proxy shares HTTP requests between versions. It cannot share what a \
                 program fetches by itself."
            }
            Question::Aim => "If several things matter, take the one whose lack would hurt most.",
            Question::Spare => {
                "Memory, processors, connections to the database, licences: whatever ends first."
            }
            Question::Traffic => {
                "A verdict needs about 100 requests on the new version. At a share of 5% and 2 \
                 minutes that is 17 requests a second for the whole app."
            }
            Question::Flag => {
                "The new behaviour is in the code, behind a switch whose value the app asks for \
                 (OpenFeature)."
            }
            Question::Downtime => {
                "From the end of the old version until the new one has started. Requests can be made \
                 to wait in the proxy meanwhile."
            }
        }
    }

    /// Its answers; the first one is the default.
    #[must_use]
    pub fn answers(self) -> &'static [Answer] {
        use Answer as A;
        match self {
            Question::SideBySide => &[A::Together, A::Apart],
            Question::Users => &[A::Http, A::Nobody],
            Question::Aim => {
                &[A::Replace, A::InstantReturn, A::FewUsers, A::Rehearse, A::Compare, A::Switch]
            }
            Question::Spare => &[A::AFew, A::Double, A::Full],
            Question::Traffic => &[A::Enough, A::Little],
            Question::Flag => &[A::AsksNot, A::Asks],
            Question::Downtime => &[A::Never, A::Break],
        }
    }

    /// The answer that holds where nobody gave one.
    #[must_use]
    pub fn default(self) -> Answer {
        match self {
            Question::SideBySide => Answer::Together,
            Question::Users => Answer::Http,
            Question::Aim => Answer::Replace,
            Question::Spare => Answer::AFew,
            Question::Traffic => Answer::Enough,
            Question::Flag => Answer::AsksNot,
            Question::Downtime => Answer::Never,
        }
    }

    /// The answer with this name.
    ///
    /// # Errors
    /// Where no answer of this question is called so.
    pub fn parse(self, text: &str) -> Result<Answer, UnknownAnswer> {
        let known = self.answers().iter().find(|answer| answer.as_str() == text);
        known.copied().ok_or_else(|| UnknownAnswer(text.chars().take(80).collect()))
    }
}

/// A text that is no answer to the question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no answer {0:?}")]
pub struct UnknownAnswer(pub String);

impl Answer {
    /// The question it belongs to.
    #[must_use]
    pub fn question(self) -> Question {
        use Answer as A;
        match self {
            A::Together | A::Apart => Question::SideBySide,
            A::Http | A::Nobody => Question::Users,
            A::Replace | A::InstantReturn | A::FewUsers | A::Rehearse | A::Compare | A::Switch => {
                Question::Aim
            }
            A::Double | A::AFew | A::Full => Question::Spare,
            A::Enough | A::Little => Question::Traffic,
            A::Asks | A::AsksNot => Question::Flag,
            A::Never | A::Break => Question::Downtime,
        }
    }

    /// Its name on the command line; unique within its question.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Together | Answer::Asks | Answer::Break => "yes",
            Answer::Apart | Answer::AsksNot | Answer::Never => "no",
            Answer::Http => "http",
            Answer::Nobody | Answer::Full => "none",
            Answer::Replace => "replace",
            Answer::InstantReturn => "instant-return",
            Answer::FewUsers => "few-users",
            Answer::Rehearse => "rehearse",
            Answer::Compare => "compare",
            Answer::Switch => "switch",
            Answer::Double => "double",
            Answer::AFew => "some",
            Answer::Enough => "enough",
            Answer::Little => "little",
        }
    }

    /// What it means.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Answer::Together => "both work on the same data, side by side",
            Answer::Apart => "one has to be gone before the other one starts",
            Answer::Http => "people or programs send it HTTP requests",
            Answer::Nobody => "nobody calls it: a worker with a queue or a timer",
            Answer::Replace => "put the new version in place of the old one, without fuss",
            Answer::InstantReturn => "be able to go back at once",
            Answer::FewUsers => "find faults by measuring, while few users have them",
            Answer::Rehearse => "meet real traffic before any user depends on it",
            Answer::Compare => "learn which of two versions users like better",
            Answer::Switch => "bring out the code now, switch the behaviour on later",
            Answer::Double => "for a second full set",
            Answer::AFew => "for an instance or a few",
            Answer::Full => "for no more instance",
            Answer::Enough => "a verdict comes within minutes",
            Answer::Little => "it would take hours",
            Answer::Asks => "and the new behaviour is behind it",
            Answer::AsksNot => "the version decides what it does",
            Answer::Never => "somebody has to be served at any time",
            Answer::Break => "a break is announced, or nobody minds",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
