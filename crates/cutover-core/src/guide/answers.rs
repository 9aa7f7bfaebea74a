//! Answers given so far, and which questions can still change the outcome.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Answer, Question, recommend};

/// Answers to some questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(BTreeMap<Question, Answer>);

/// One answer to every question. As JSON an object from question to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers(BTreeMap<Question, Answer>);

impl Given {
    /// Answers a question; a later answer to the same one replaces it.
    pub fn set(&mut self, answer: Answer) {
        self.0.insert(answer.question(), answer);
    }

    /// The answer to this question, if one was given.
    #[must_use]
    pub fn get(&self, question: Question) -> Option<Answer> {
        self.0.get(&question).copied()
    }

    /// The next question that is open and can still change what is recommended.
    #[must_use]
    pub fn next(&self) -> Option<Question> {
        Question::ALL.into_iter().find(|question| self.matters(*question))
    }

    /// Is this question open, and does what is recommended depend on it?
    #[must_use]
    pub fn matters(&self, question: Question) -> bool {
        let differs = |answers: Answers| {
            let here = recommend(&answers);
            let others = question.answers().iter().map(|other| answers.clone().with(*other));
            others.into_iter().any(|other| recommend(&other) != here)
        };
        self.get(question).is_none() && self.all().into_iter().any(differs)
    }

    /// The questions that still matter, and the answers that hold for them unless told otherwise.
    #[must_use]
    pub fn assumed(&self) -> Vec<Answer> {
        let mut given = self.clone();
        let mut assumed = vec![];
        while let Some(question) = given.next() {
            given.set(question.default());
            assumed.push(question.default());
        }
        assumed
    }

    /// These answers, and the defaults for what is open.
    #[must_use]
    pub fn completed(&self) -> Answers {
        let answer = |question: Question| self.get(question).unwrap_or(question.default());
        Answers(Question::ALL.into_iter().map(|question| (question, answer(question))).collect())
    }

    /// Every way to answer what is open.
    #[must_use]
    pub fn all(&self) -> Vec<Answers> {
        let mut all = vec![BTreeMap::new()];
        for question in Question::ALL {
            let here = self.get(question);
            let answers =
                question.answers().iter().filter(|answer| here.is_none_or(|a| a == **answer));
            let with = |answer: &Answer| {
                let add = |mut so_far: BTreeMap<Question, Answer>| {
                    so_far.insert(question, *answer);
                    so_far
                };
                all.iter().cloned().map(add).collect::<Vec<_>>()
            };
            all = answers.flat_map(with).collect();
        }
        all.into_iter().map(Answers).collect()
    }
}

impl FromIterator<Answer> for Given {
    fn from_iter<I: IntoIterator<Item = Answer>>(answers: I) -> Given {
        let mut given = Given::default();
        answers.into_iter().for_each(|answer| given.set(answer));
        given
    }
}

impl Answers {
    /// Is this the answer to its question?
    #[must_use]
    pub fn has(&self, answer: Answer) -> bool {
        self.0.get(&answer.question()) == Some(&answer)
    }

    /// All of them, in the order of the questions.
    pub fn iter(&self) -> impl Iterator<Item = Answer> + '_ {
        self.0.values().copied()
    }

    /// With another answer to one question.
    #[must_use]
    pub fn with(mut self, answer: Answer) -> Answers {
        self.0.insert(answer.question(), answer);
        self
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.iter().map(|(question, answer)| (question.as_str(), answer.as_str()));
        serializer.collect_map(pairs)
    }
}
