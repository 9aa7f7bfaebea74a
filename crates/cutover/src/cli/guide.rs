//! `cutover guide`

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command};
use cutover_core::guide::{Answer, Given, Question, recommend};
use serde_json::json;

use super::Session;
use super::ask::{Ask, Choice};
use crate::failure::{Done, Failure};
use crate::render;

/// Find the pattern that fits: a few questions, one recommendation.
///
/// Asks on a terminal, and leaves out what can no longer change the outcome. For scripts each
/// question is a flag; what is left open takes its default, and the output says so.
///
/// Example: cutover guide --aim few-users --spare double
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    answers: Flags,
    /// Print the whole guide as a page of Markdown.
    #[arg(long, conflicts_with_all = Question::ALL.map(Question::as_str))]
    markdown: bool,
}

/// One flag for each question of the guide.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags(Given);

impl Args {
    pub(super) fn run(self, session: &Session) -> Done {
        if self.markdown {
            session.print(&render::guide_page())?;
            return Ok(0);
        }
        let mut given = self.answers.0;
        if let Some(mut ask) = Ask::on_terminal(&session.common) {
            answer(&mut given, &mut ask)?;
            ask.end()?;
        }
        let assumed = given.assumed();
        let answers = given.completed();
        let found = recommend(&answers);
        if session.common.json {
            let pair = |answer: &Answer| (answer.question().as_str(), answer.as_str());
            let assumed: BTreeMap<&str, &str> = assumed.iter().map(pair).collect();
            let next = render::guide_next(&found);
            session.print_json(&json!({
                "answers": answers, "assumed": assumed, "recommendation": found, "next": next,
            }))?;
        } else {
            session.print(&render::guide(&found, &assumed))?;
        }
        Ok(0)
    }
}

/// Asks whatever is open and still matters.
pub(super) fn answer<R: BufRead, W: Write>(
    given: &mut Given,
    ask: &mut Ask<R, W>,
) -> Result<(), Failure> {
    while let Some(question) = given.next() {
        let answers = question.answers();
        let choice = |answer: &Answer| Choice { name: answer.as_str(), meaning: answer.text() };
        let choices: Vec<Choice<'_>> = answers.iter().map(choice).collect();
        let default = answers.iter().position(|answer| *answer == question.default());
        let default = default.unwrap_or_default();
        let chosen = ask.choose(question.text(), question.explanation(), &choices, default)?;
        given.set(answers[chosen]);
    }
    Ok(())
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let flag = |question: Question| {
            let values = question.answers().iter().map(|answer| {
                let meaning = match *answer == question.default() {
                    true => format!("{} (default)", answer.text()),
                    false => answer.text().to_owned(),
                };
                PossibleValue::new(answer.as_str()).help(meaning)
            });
            Arg::new(question.as_str())
                .long(question.as_str())
                .value_name("ANSWER")
                .help(question.text())
                .value_parser(PossibleValuesParser::new(values))
        };
        command.args(Question::ALL.map(flag))
    }
    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let answer = |question: Question| {
            let text = matches.get_one::<String>(question.as_str())?;
            question.parse(text).ok()
        };
        Ok(Flags(Question::ALL.into_iter().filter_map(answer).collect()))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::tree::{self, Cli};

    #[test]
    fn each_answer_of_each_question_is_a_flag() {
        for question in Question::ALL {
            for answer in question.answers() {
                let flag = format!("--{question}");
                let cli = Cli::try_parse_from(["cutover", "guide", &flag, answer.as_str()]);
                let tree::Command::Guide(args) = cli.unwrap().command else { panic!("not guide") };
                assert_eq!(args.answers.0.get(question), Some(*answer));
            }
        }
        assert!(Cli::try_parse_from(["cutover", "guide", "--users", "many"]).is_err());
    }
}
