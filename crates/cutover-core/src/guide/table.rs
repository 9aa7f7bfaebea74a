//! The decision table: the first row that fits decides.

use super::{Answer, Answers, Question, RunnerUp};
use crate::patterns::Pattern;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where it applies. Of the answers to one question any will do; every question that is named
    /// has to fit. Nothing named: always.
    pub when: &'static [Answer],
    /// What it leads to.
    pub pattern: Pattern,
    /// Why.
    pub why: &'static str,
    /// The second choice.
    pub instead: RunnerUp,
}

impl Row {
    /// Does it apply?
    #[must_use]
    pub fn fits(&self, answers: &Answers) -> bool {
        let named = |question: Question| self.answers(question).next().is_some();
        let fits = |question: Question| self.answers(question).any(|answer| answers.has(answer));
        Question::ALL.into_iter().all(|question| !named(question) || fits(question))
    }

    /// The answers to a question that this row names.
    pub fn answers(&self, question: Question) -> impl Iterator<Item = Answer> {
        self.when.iter().copied().filter(move |answer| answer.question() == question)
    }

    /// The row that decides.
    #[must_use]
    pub fn deciding(answers: &Answers) -> &'static Row {
        // The last row has no condition.
        ROWS.iter().find(|row| row.fits(answers)).unwrap_or(&ROWS[ROWS.len() - 1])
    }
}

const fn row(
    when: &'static [Answer],
    pattern: Pattern,
    why: &'static str,
    instead: (Pattern, &'static str),
) -> Row {
    Row { when, pattern, why, instead: RunnerUp { pattern: instead.0, when: instead.1 } }
}

/// The whole table. What rules out most comes first: two versions that cannot live together, an app
/// without requests; then each aim, as far as there is room, traffic or a flag for it.
pub const ROWS: [Row; 22] = [
    row(
        &[Answer::Apart, Answer::Nobody],
        Pattern::BigBang,
        "The two versions must never run at the same time, and every other pattern runs them side \
         by side. Work waits where it comes from until the new version has started.",
        (Pattern::Rolling, "as soon as both versions can work on the same queue and the same data"),
    ),
    row(
        &[Answer::Apart, Answer::Never],
        Pattern::BigBang,
        "The two versions must never run at the same time, so for a moment nobody serves, whatever \
         the pattern. Requests wait in the proxy meanwhile: users see a pause and no error, as \
         long as the new version starts sooner than they give up.",
        (
            Pattern::Rolling,
            "if the change can be made in two releases: first one that understands the old and the \
             new form of the data, then one that gives up the old form",
        ),
    ),
    row(
        &[Answer::Apart],
        Pattern::BigBang,
        "The two versions must never run at the same time, every other pattern runs them side by \
         side, and a break is acceptable.",
        (Pattern::Rolling, "as soon as both versions can work on the same data"),
    ),
    row(
        &[Answer::Nobody, Answer::Full],
        Pattern::Rolling,
        "A worker has no requests that could be shared, so it is replaced instance by instance. \
         There is no room for more of them: an old one stops before a new one starts.",
        (Pattern::BigBang, "if the two versions shall not work at the same time"),
    ),
    row(
        &[Answer::Nobody],
        Pattern::Rolling,
        "A worker has no requests that could be shared, so it is replaced instance by instance, \
         and the work goes on.",
        (Pattern::BigBang, "if the two versions shall not work at the same time"),
    ),
    row(
        &[Answer::Compare, Answer::Double, Answer::AFew, Answer::Enough],
        Pattern::AbTesting,
        "Two groups of users get one version each, and keep it, long enough to tell a difference \
         from chance.",
        (
            Pattern::FeatureFlag,
            "if the app can show both behaviours itself: then no second version has to run",
        ),
    ),
    row(
        &[Answer::Rehearse, Answer::Double, Answer::AFew],
        Pattern::Shadow,
        "The new version gets copies of real requests, and its answers are thrown away: it shows \
         what it does under real traffic, and no user can be hurt.",
        (
            Pattern::BlueGreen,
            "if most requests write, so that copies would show little, and there is room for a \
             second full set: try it by hand at its preview address",
        ),
    ),
    row(
        &[Answer::Switch, Answer::Asks],
        Pattern::FeatureFlag,
        "The code goes out switched off. Switching it on, for a growing share of users, is a \
         decision of its own, and so is switching it off again.",
        (
            Pattern::BlueGreen,
            "if a whole version shall be switched instead of one behaviour (`approve: true`), and \
             there is room for a second full set",
        ),
    ),
    row(
        &[Answer::Switch, Answer::Double],
        Pattern::BlueGreen,
        "Without a flag in the app, what can be switched is a whole version: it runs at its \
         preview address, and gets users when somebody says so.",
        (Pattern::FeatureFlag, "as soon as the app asks for a flag"),
    ),
    row(
        &[Answer::InstantReturn, Answer::Double],
        Pattern::BlueGreen,
        "The old version stays warm at full size after the switch, so the way back takes one \
         change of the route.",
        (
            Pattern::FeatureFlag,
            "if it is one behaviour that must be switched off at once, and the app asks for a flag",
        ),
    ),
    row(
        &[Answer::InstantReturn, Answer::Asks],
        Pattern::FeatureFlag,
        "There is no room to keep the old version warm. What can be turned back at once is the \
         flag: no instance has to start for it.",
        (Pattern::BlueGreen, "with room for a second full set: then the whole version turns back"),
    ),
    row(
        &[Answer::FewUsers, Answer::Double, Answer::Enough],
        Pattern::Canary,
        "The new version gets a small share of the requests first, and has to earn each larger one \
         by what is measured. The old version runs at full size until the end.",
        (
            Pattern::BlueGreen,
            "if users shall never get the two versions in turn, or if steps take too long",
        ),
    ),
    row(
        &[Answer::FewUsers, Answer::Enough, Answer::Asks],
        Pattern::FeatureFlag,
        "A canary ends with two full sets, and there is no room for that. A flag shows the new \
         behaviour to as few users as you like, on the instances that are there.",
        (
            Pattern::Canary,
            "with room for a second full set: it guards the whole version, not only what is behind \
             the flag",
        ),
    ),
    row(
        &[Answer::FewUsers, Answer::Double],
        Pattern::BlueGreen,
        "There are too few requests for a verdict on a small share: a canary would wait for you at \
         each step. So try the new version at its preview address before anybody gets it, and \
         keep the old one warm.",
        (Pattern::Canary, "if you are there to look at each step and say `cutover promote`"),
    ),
    row(
        &[Answer::FewUsers],
        Pattern::Rolling,
        "A canary ends with two full sets, and there is no room for that. One instance at a time, \
         with a pause, comes close: the first new one gets no more than its part of the requests, \
         and the guard watches them.",
        (Pattern::Canary, "with room for a second full set, and enough requests for a verdict"),
    ),
    row(
        &[Answer::Rehearse],
        Pattern::Rolling,
        "Copies of requests need an instance that serves nobody, and there is no room for one. One \
         instance at a time, with a pause, at least lets few requests meet the new version first.",
        (Pattern::Shadow, "with room for a single instance more"),
    ),
    row(
        &[Answer::Compare],
        Pattern::Rolling,
        "A comparison needs room for a second version, and so many users that a difference can be \
         told from chance. One of them is missing, so release it as usual and ask users some \
         other way.",
        (Pattern::AbTesting, "with room for more instances and enough users"),
    ),
    row(
        &[Answer::Switch],
        Pattern::Rolling,
        "Code and behaviour can come at different times only with a flag in the app, or with room \
         for a second full set. Both are missing.",
        (Pattern::FeatureFlag, "as soon as the app asks for a flag: it needs no more room"),
    ),
    row(
        &[Answer::InstantReturn],
        Pattern::Rolling,
        "Going back at once needs something to go back to: a second full set, or a flag in the \
         app. Both are missing, so the way back is as long as the way forward, and as safe.",
        (Pattern::BlueGreen, "with room for a second full set"),
    ),
    row(
        &[Answer::Full, Answer::Break],
        Pattern::BigBang,
        "A break is acceptable, and there is no room for one more instance. Stopping the old \
         version first is the simplest way, and users never get the two versions mixed.",
        (Pattern::Rolling, "in place (`surge: false`), if one instance less can carry the load"),
    ),
    row(
        &[Answer::Full],
        Pattern::Rolling,
        "There is no room for one more instance, so an old one stops before a new one starts. The \
         others have to carry the load meanwhile.",
        (Pattern::BigBang, "if a break is acceptable after all: it is simpler"),
    ),
    row(
        &[],
        Pattern::Rolling,
        "It replaces the instances batch by batch, needs little room, and never serves with fewer \
         than before. What goes wrong is seen at the first batch.",
        (
            Pattern::Canary,
            "if a fault would be expensive, with room for a second full set and enough requests: it \
             finds faults while few users have them",
        ),
    ),
];
