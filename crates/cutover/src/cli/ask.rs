//! Questions to a person at a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Common;
use crate::failure::{Failure, exit};
use crate::render::{COLUMNS, wrap};

/// One of several answers to choose from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) name: &'a str,
    pub(super) meaning: &'a str,
}

/// Asks on `output`, reads answers from `input`.
#[derive(Debug)]
pub(super) struct Ask<R, W> {
    input: R,
    output: W,
    colour: bool,
}

impl Ask<io::StdinLock<'static>, io::Stderr> {
    /// `None` if there is nobody to ask, or nothing shall be asked.
    pub(super) fn on_terminal(common: &Common) -> Option<Self> {
        let there = io::stdin().is_terminal() && io::stderr().is_terminal();
        let may = !common.no_input && !common.yes;
        let colour = std::env::var_os("NO_COLOR").is_none();
        (there && may).then(|| Ask { input: io::stdin().lock(), output: io::stderr(), colour })
    }
}

impl<R: BufRead, W: Write> Ask<R, W> {
    /// Which of the choices? Enter alone takes the one at `default`.
    pub(super) fn choose(
        &mut self,
        question: &str,
        explanation: &str,
        choices: &[Choice<'_>],
        default: usize,
    ) -> Result<usize, Failure> {
        self.head(question, explanation)?;
        let names = choices.iter().map(|choice| choice.name.len()).max().unwrap_or(0);
        for (index, choice) in choices.iter().enumerate() {
            let Choice { name, meaning } = choice;
            let number = index + 1;
            writeln!(
                self.output,
                "  {}  {name:<names$}  {meaning}",
                self.bold(&number.to_string())
            )?;
        }
        loop {
            let number = default + 1;
            let answer = self.read(&format!("your choice [{number}]"))?;
            if answer.is_empty() {
                return Ok(default);
            }
            let by_name = choices.iter().position(|choice| choice.name == answer);
            let by_number = answer.parse().ok().and_then(|number: usize| number.checked_sub(1));
            if let Some(index) = by_name.or(by_number).filter(|index| *index < choices.len()) {
                return Ok(index);
            }
            writeln!(self.output, "type a number from 1 to {}, or a name", choices.len())?;
        }
    }

    /// A line of text that `check` accepts. Enter alone takes the default.
    pub(super) fn line<T>(
        &mut self,
        question: &str,
        explanation: &str,
        default: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        self.head(question, explanation)?;
        loop {
            let answer = self.read(&format!("[{default}]"))?;
            let answer = if answer.is_empty() { default } else { &answer };
            match check(answer) {
                Ok(value) => return Ok(value),
                Err(message) => self.say(&message)?,
            }
        }
    }

    /// Says something between two questions.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.output, "{text}")?)
    }

    /// Puts a blank line between the questions and what follows.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        Ok(writeln!(self.output)?)
    }

    fn head(&mut self, question: &str, explanation: &str) -> io::Result<()> {
        writeln!(self.output, "\n{}", self.bold(question))?;
        for line in wrap(explanation, COLUMNS - 2) {
            writeln!(self.output, "  {}", self.dim(&line))?;
        }
        Ok(())
    }

    fn read(&mut self, prompt: &str) -> Result<String, Failure> {
        write!(self.output, "{prompt}: ")?;
        self.output.flush()?;
        let mut answer = String::new();
        if self.input.read_line(&mut answer)? == 0 {
            writeln!(self.output)?;
            return Err(Failure::new(exit::INTERRUPTED, "the questions ended without an answer")
                .unchanged("nothing was written")
                .help("--no-input takes the defaults"));
        }
        Ok(answer.trim().to_owned())
    }

    fn bold(&self, text: &str) -> String {
        self.styled(text, "1")
    }
    fn dim(&self, text: &str) -> String {
        self.styled(text, "2")
    }
    fn styled(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOICES: [Choice<'_>; 2] =
        [Choice { name: "yes", meaning: "it may" }, Choice { name: "no", meaning: "it may not" }];

    fn chosen(input: &str) -> (Result<usize, Failure>, String) {
        let mut output = Vec::new();
        let mut ask = Ask { input: input.as_bytes(), output: &mut output, colour: false };
        let chosen = ask.choose("May it?", "Think.", &CHOICES, 1);
        (chosen, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_choice_is_a_number_a_name_or_enter() {
        for (input, index) in [("1\n", 0), ("no\n", 1), ("\n", 1), ("7\n0\nmaybe\nyes\n", 0)] {
            let (chosen, said) = chosen(input);
            assert_eq!(chosen.unwrap(), index, "{said}");
            assert!(
                said.starts_with("\nMay it?\n  Think.\n  1  yes  it may\n  2  no   it may not\n")
            );
        }
        assert_eq!(chosen("7\n1\n").1.matches("type a number from 1 to 2, or a name").count(), 1);
    }

    #[test]
    fn an_end_of_input_is_no_answer() {
        assert_eq!(chosen("").0.unwrap_err().code, exit::INTERRUPTED);
        assert_eq!(chosen("9\n").0.unwrap_err().code, exit::INTERRUPTED);
    }

    #[test]
    fn a_line_is_asked_for_until_it_is_right() {
        let mut output = Vec::new();
        let input = "many\n\n".as_bytes();
        let mut ask = Ask { input, output: &mut output, colour: false };
        let check = |text: &str| text.parse::<u32>().map_err(|_| "a number, please".to_owned());
        assert_eq!(ask.line("How many?", "", "2", check).unwrap(), 2);
        assert!(String::from_utf8(output).unwrap().contains("[2]: a number, please\n[2]: "));
    }
}
