//! Every combination of answers.

use std::collections::BTreeSet;

use super::{Answer, Answers, Given, Question, ROWS, Recommendation, Row, recommend, tree};
use crate::patterns::Pattern;
use crate::spec::{Source, parse};

fn every() -> Vec<Answers> {
    let all = Given::default().all();
    assert_eq!(all.len(), 2 * 2 * 6 * 3 * 2 * 2 * 2);
    all
}

/// Fails for the first combination that lacks what is expected of it.
fn holds(what: &str, holds: impl Fn(&Answers, &Recommendation) -> bool) {
    for answers in every() {
        let found = recommend(&answers);
        assert!(holds(&answers, &found), "{what}: {answers:?} leads to {}", found.pattern);
    }
}

#[test]
fn a_row_decides_every_combination_and_no_row_is_dead() {
    let mut alive = BTreeSet::new();
    for answers in every() {
        let first = ROWS.iter().position(|row| row.fits(&answers)).expect("a row fits");
        assert_eq!(Row::deciding(&answers), &ROWS[first]);
        alive.insert(first);
    }
    assert_eq!(alive.len(), ROWS.len(), "alive: {alive:?}");
    assert_eq!(ROWS.iter().filter(|row| row.when.is_empty()).count(), 1);
}

#[test]
fn every_pattern_can_be_reached_and_the_second_choice_is_another_one() {
    let reached: BTreeSet<Pattern> = every().iter().map(|a| recommend(a).pattern).collect();
    assert_eq!(reached, Pattern::ALL.into_iter().collect());
    holds("another runner-up", |_, found| found.runner_up.pattern != found.pattern);
}

#[test]
fn nothing_is_recommended_that_cannot_work() {
    use Answer::*;
    use Pattern::*;
    holds("a worker has no requests to share", |answers, found| {
        !answers.has(Nobody) || matches!(found.pattern, Rolling | BigBang)
    });
    holds("what cannot live together is not run together", |answers, found| {
        !answers.has(Apart) || found.pattern == BigBang
    });
    holds("a break is not imposed without need", |answers, found| {
        found.pattern != BigBang || answers.has(Apart) || answers.has(Break)
    });
    holds("a second full set needs room", |answers, found| {
        !matches!(found.pattern, BlueGreen | Canary) || answers.has(Double)
    });
    holds("more instances need some room", |answers, found| {
        !matches!(found.pattern, Shadow | AbTesting) || !answers.has(Full)
    });
    holds("a flag needs an app that asks for it", |answers, found| {
        found.pattern != FeatureFlag || answers.has(Asks)
    });
    holds("a verdict on a share needs requests", |answers, found| {
        !matches!(found.pattern, Canary | AbTesting) || answers.has(Enough)
    });
    holds("without room nothing starts beside", |answers, found| {
        !answers.has(Full) || !found.yaml.contains("surge: true")
    });
}

#[test]
fn an_aim_that_can_be_had_is_served() {
    use Answer::*;
    let full = [Together, Http, Double, Enough, Asks, Never];
    for (aim, pattern) in [
        (Replace, Pattern::Rolling),
        (InstantReturn, Pattern::BlueGreen),
        (FewUsers, Pattern::Canary),
        (Rehearse, Pattern::Shadow),
        (Compare, Pattern::AbTesting),
        (Switch, Pattern::FeatureFlag),
    ] {
        let given: Given = full.into_iter().chain([aim]).collect();
        assert_eq!(recommend(&given.completed()).pattern, pattern, "{aim}");
    }
}

#[test]
fn the_yaml_fits_into_a_spec_and_names_the_pattern() {
    for answers in every() {
        let found = recommend(&answers);
        let listen = if answers.has(Answer::Http) { "listen: 127.0.0.1:8080\n" } else { "" };
        let text = format!("app: shop\nrelease: {{ command: [serve] }}\n{listen}{}", found.yaml);
        let spec = parse(&Source { name: "cutover.yaml".into(), text: text.clone() }, &[]);
        let spec = spec.unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        assert_eq!(spec.pattern, found.pattern);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn questions_that_cannot_change_the_outcome_are_not_asked() {
    let asked = |answers: &[Answer]| {
        let mut given = Given::default();
        let mut asked = vec![];
        while let Some(question) = given.next() {
            let answer = answers.iter().find(|answer| answer.question() == question);
            given.set(*answer.unwrap_or(&question.default()));
            asked.push(question);
        }
        asked
    };
    use Question::*;
    assert_eq!(asked(&[Answer::Apart, Answer::Nobody]), [SideBySide, Users]);
    assert_eq!(asked(&[Answer::Nobody]), [SideBySide, Users, Spare]);
    assert_eq!(asked(&[]), [SideBySide, Users, Aim, Spare]);
    assert_eq!(asked(&[Answer::Full]), [SideBySide, Users, Aim, Spare, Downtime]);
    // Whatever is left open, its default changes nothing.
    for answers in every() {
        let mut given = Given::default();
        while let Some(question) = given.next() {
            given.set(answers.iter().find(|answer| answer.question() == question).unwrap());
        }
        assert_eq!(recommend(&given.completed()), recommend(&answers));
    }
}

#[test]
fn what_is_assumed_is_what_was_asked_and_not_answered() {
    let given: Given = [Answer::FewUsers, Answer::Double].into_iter().collect();
    assert_eq!(given.assumed(), [Answer::Together, Answer::Http, Answer::Enough]);
    assert_eq!(recommend(&given.completed()).pattern, Pattern::Canary);
}

#[test]
fn names_are_unique_within_a_question_and_parse_back() {
    for question in Question::ALL {
        assert_eq!(question.answers().first(), Some(&question.default()));
        for answer in question.answers() {
            assert_eq!(answer.question(), question);
            assert_eq!(question.parse(answer.as_str()), Ok(*answer));
        }
        assert!(question.parse("perhaps").is_err());
    }
    let json = serde_json::to_value(Given::default().completed()).unwrap();
    assert_eq!((&json["side-by-side"], &json["users"]), (&"yes".into(), &"http".into()));
}

#[test]
fn the_tree_is_the_table() {
    insta::assert_snapshot!(tree());
    assert!(tree().lines().all(|line| line.is_ascii() && line.len() <= 78));
}
