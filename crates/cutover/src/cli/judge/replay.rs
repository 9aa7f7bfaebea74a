//! `cutover judge replay`

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use cutover_judge::{Settings, Verdict};

use super::super::{Output, Session};
use super::settings::Asked;
use crate::failure::{Done, Failure, exit};
use crate::judge::{BadLine, Lines, Replay, Step};
use crate::render::{self, Replayed};

/// Judge counts line by line: what would the verdict have been, and when?
///
/// Each line is a JSON object, of a second or of `seconds`:
/// {"t":1,"rho":0.1,"candidate":{"n":200,"errors":1},"stable":{"n":1800,"errors":4}}.
/// `rho` is the share that each request was dealt by; leave it out where users keep their side, and
/// the share that is seen counts. Either side may have
/// `"latency_us":{"buckets":[[900,150],[2000,49]]}`: upper bound in microseconds, ascending, and the
/// count of that bucket alone.
///
/// On a terminal a table; elsewhere, or with --json, one object a line as soon as the counts are
/// there. `log_e` is the evidence (a natural logarithm) of harm beyond the tolerance: 4.6 turns
/// back; `log_not_worse` the evidence that there is none: 3.0 promotes. If the counts end with
/// nothing shown, one more line says `inconclusive`, and what can be excluded.
///
/// Ends with 0 whatever the verdict is; with --check with 0 only if it is promote, with 6 if it is
/// rollback, else with 4. Lines that make no sense end it with 3.
///
/// With --rollout the counts are those of a rollout of --app, by its number in `history`; the daemon
/// keeps them of the last ten, two hours of each.
///
/// Example: cutover judge replay counts.ndjson --until-decided
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The counts; - is stdin.
    #[arg(value_name = "FILE", required_unless_present = "rollout", conflicts_with = "rollout")]
    counts: Option<PathBuf>,
    /// The counts of this rollout.
    #[arg(long, value_name = "N")]
    rollout: Option<u64>,
    /// Stop at the first rollback or promote.
    #[arg(long)]
    until_decided: bool,
    /// Let the exit code tell the verdict.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Args {
    pub(super) async fn run(self, session: &Session) -> Done {
        let input = match self.rollout {
            Some(rollout) => recorded(session, rollout).await?,
            None => self.input()?,
        };
        let lines = Lines::of(input);
        let mut replay = Replay::new(self.asked.over(Settings::default()));
        let mut told = Told::of(session);
        let mut last = None;
        for line in lines {
            let step = replay.take(&line.map_err(|bad| self.failure(&bad))?);
            told.step(session, &step)?;
            let decided = step.is_decided();
            last = Some(step);
            if decided && self.until_decided {
                break;
            }
        }
        let end = replay.end().filter(|_| last.is_some());
        if last.is_none() {
            session.note("there was no line of counts");
        }
        if let Some(end) = end.as_ref().or(last.as_ref()) {
            told.end(session, end, last.as_ref() == Some(end))?;
        }
        let verdict = end.or(last).map(|step| step.look.verdict);
        Ok(if self.check { code(verdict) } else { exit::OK })
    }

    fn input(&self) -> Result<Box<dyn Read>, Failure> {
        let file = self.file();
        if file.as_os_str() == "-" {
            return Ok(Box::new(io::stdin()));
        }
        let name = file.display();
        match File::open(file) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Failure::usage(format!("there is no file {name}")).help("- reads stdin"))
            }
            Err(error) => {
                Err(Failure::new(exit::SPEC, format!("cannot read {name}")).because(&error))
            }
        }
    }

    fn file(&self) -> &Path {
        self.counts.as_deref().unwrap_or(Path::new("-"))
    }

    fn failure(&self, bad: &BadLine) -> Failure {
        let name = match (self.rollout, self.file().as_os_str() == "-") {
            (Some(rollout), _) => format!("what is kept of rollout #{rollout}"),
            (None, true) => "stdin".to_owned(),
            (None, false) => self.file().display().to_string(),
        };
        Failure::new(exit::SPEC, format!("{name} cannot be judged"))
            .because(bad)
            .help(r#"a line is like {"t":1,"candidate":{"n":200,"errors":1},"stable":{"n":1800,"errors":4}}"#)
    }
}

/// What the daemon kept of a rollout.
async fn recorded(session: &Session, rollout: u64) -> Result<Box<dyn Read>, Failure> {
    let client = session.client().await?;
    let app = session.known(&client).await?;
    let path = format!("/v1/apps/{}/ticks/{rollout}", app.subject);
    let lines: Vec<String> = client.get(&path).await?;
    if lines.is_empty() {
        let message = format!("nothing is kept that was compared in rollout #{rollout}");
        let numbers = format!("their numbers: cutover history --app {}", app.subject);
        return Err(Failure::usage(message).help(numbers));
    }
    Ok(Box::new(io::Cursor::new(lines.join("\n"))))
}

/// As a deployment would have ended.
fn code(verdict: Option<Verdict>) -> u8 {
    match verdict {
        Some(Verdict::Promote) => exit::OK,
        Some(Verdict::Rollback) => exit::TURNED_BACK,
        Some(
            Verdict::Continue
            | Verdict::Hold
            | Verdict::Inconclusive
            | Verdict::NoData
            | Verdict::Invalid,
        )
        | None => exit::PREFLIGHT,
    }
}

/// How steps are told.
enum Told {
    Json,
    Table(Replayed),
}

impl Told {
    fn of(session: &Session) -> Told {
        let common = &session.common;
        let lines = match common.output {
            Output::Ndjson => true,
            Output::Text => !io::stdout().is_terminal(),
            Output::Plain => false,
        };
        if common.json || lines { Told::Json } else { Told::Table(Replayed::default()) }
    }

    fn step(&mut self, session: &Session, step: &Step) -> Result<(), Failure> {
        match self {
            Told::Json => session.print_json(&render::step_json(step)),
            Told::Table(table) => table.lines(step).iter().try_for_each(|line| session.print(line)),
        }
    }

    /// `told`: the last step says it already.
    fn end(&self, session: &Session, end: &Step, told: bool) -> Result<(), Failure> {
        match self {
            Told::Json if told => Ok(()),
            Told::Json => session.print_json(&render::step_json(end)),
            Told::Table(_) => session.print(&render::replay_end(end)),
        }
    }
}
