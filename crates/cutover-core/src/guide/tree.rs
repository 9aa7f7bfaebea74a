//! The table as a decision tree: ASCII, 78 columns at most.

use super::{Answer, Answers, Given, Question, Row};
use crate::patterns::Pattern;

/// A decision tree that leads to the same patterns as the table.
///
/// Answers that lead to the same branch share it, and a question that decides nothing is not asked.
#[must_use]
pub fn tree() -> String {
    let mut lines = vec![];
    match Node::of(&Given::default()) {
        Node::Leaf(pattern) => lines.push(pattern.to_string()),
        Node::Fork(question, branches) => {
            lines.push(format!("{question}?"));
            draw(&branches, "", &mut lines);
        }
    }
    lines.join("\n") + "\n"
}

#[derive(Debug, PartialEq, Eq)]
enum Node {
    Leaf(Pattern),
    Fork(Question, Vec<(Vec<Answer>, Node)>),
}

impl Node {
    fn of(given: &Given) -> Node {
        let pattern = Row::deciding(&given.completed()).pattern;
        let Some(question) = Question::ALL.into_iter().find(|question| decides(given, *question))
        else {
            return Node::Leaf(pattern);
        };
        let mut branches: Vec<(Vec<Answer>, Node)> = vec![];
        for answer in question.answers() {
            let mut next = given.clone();
            next.set(*answer);
            let node = Node::of(&next);
            match branches.iter_mut().find(|(_, known)| *known == node) {
                Some((answers, _)) => answers.push(*answer),
                None => branches.push((vec![*answer], node)),
            }
        }
        // What is settled at once reads better above what branches further.
        branches.sort_by_key(|(_, node)| matches!(node, Node::Fork(..)));
        Node::Fork(question, branches)
    }
}

/// Does the pattern, not only its settings, depend on this question?
fn decides(given: &Given, question: Question) -> bool {
    let pattern = |answer, answers: Answers| Row::deciding(&answers.with(answer)).pattern;
    given.get(question).is_none()
        && given.all().into_iter().any(|answers| {
            let mut patterns =
                question.answers().iter().map(|answer| pattern(*answer, answers.clone()));
            let first = patterns.next();
            patterns.any(|other| Some(other) != first)
        })
}

fn draw(branches: &[(Vec<Answer>, Node)], indent: &str, lines: &mut Vec<String>) {
    for (index, (answers, node)) in branches.iter().enumerate() {
        let last = index + 1 == branches.len();
        let (corner, below) = if last { ("`-", "   ") } else { ("|-", "|  ") };
        let names: Vec<&str> = answers.iter().map(|answer| answer.as_str()).collect();
        let names = names.join(" or ");
        match node {
            Node::Leaf(pattern) => lines.push(format!("{indent}{corner} {names}: {pattern}")),
            Node::Fork(question, branches) => {
                lines.push(format!("{indent}{corner} {names}: {question}?"));
                draw(branches, &format!("{indent}{below}"), lines);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(node: &Node, answers: &Answers) -> Pattern {
        match node {
            Node::Leaf(pattern) => *pattern,
            Node::Fork(_, branches) => {
                let mut fits = branches
                    .iter()
                    .filter(|(named, _)| named.iter().any(|answer| answers.has(*answer)));
                let (_, next) = fits.next().expect("a branch for each answer");
                assert!(fits.next().is_none(), "one branch for each answer");
                walk(next, answers)
            }
        }
    }

    #[test]
    fn it_leads_where_the_table_leads() {
        let root = Node::of(&Given::default());
        for answers in Given::default().all() {
            assert_eq!(walk(&root, &answers), Row::deciding(&answers).pattern, "{answers:?}");
        }
    }
}
