//! The command line.

mod action;
mod ask;
mod common;
mod completions;
mod daemon;
mod demo;
mod deploy;
mod events;
mod experiment;
mod flag;
mod foresight;
mod freeze;
mod guide;
mod history;
mod init;
mod judge;
mod later;
mod load;
mod logs;
mod man;
mod pattern;
mod plan;
mod proxy;
mod prune;
mod report;
mod rollback;
mod session;
mod simulate;
mod since;
mod spec_file;
mod status;
mod tree;
mod validate;

use std::process::ExitCode;

use clap::Parser;

pub(crate) use action::act;
pub(crate) use common::{Common, Output};
pub(crate) use session::Session;
use tree::{Cli, Command};

use crate::failure::{Done, Failure, exit};
use crate::hidden;

/// Version and commit.
pub(crate) const VERSION: &str = env!("CUTOVER_VERSION");

/// Runs the command of this process.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(name) = arguments.get(1)
        && let Some(done) = hidden::dispatch(name, arguments.get(2).map(|text| text.as_os_str()))
    {
        return end(done);
    }
    match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            let json = cli.common.json;
            let done = run(cli);
            if let Err(failure) = &done
                && json
                && !failure.reported
            {
                // What it says is on stderr, too.
                let _ = crate::render::print_failure(failure);
            }
            end(done)
        }
        Err(error) => {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
        }
    }
}

fn end(done: Done) -> ExitCode {
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli) -> Done {
    let session = Session::new(cli.common)?;
    match cli.command {
        // The daemon leaves its session before any thread is there.
        Command::Daemon(args) if args.is_run() => args.run_here(&session),
        Command::Completions(args) => args.run(&session),
        Command::Man(args) => args.run(&session),
        Command::Validate(args) => args.run(&session),
        Command::Guide(args) => args.run(&session),
        Command::Init(args) => args.run(&session),
        Command::Simulate(args) => args.run(&session),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(|error| Failure::internal("cannot start the runtime", &error))?;
            runtime.block_on(Box::pin(later_or_now(command, &session)))
        }
    }
}

async fn later_or_now(command: Command, session: &Session) -> Done {
    match command {
        Command::Deploy(args) => args.run(session).await,
        Command::Status(args) => args.run(session).await,
        Command::History(args) => args.run(session).await,
        Command::Report(args) => args.run(session).await,
        Command::Logs(args) => args.run(session).await,
        Command::Events(args) => args.run(session).await,
        Command::Promote => action::promote(session).await,
        Command::Confirm => action::confirm(session).await,
        Command::Pause => action::pause(session).await,
        Command::Resume => action::resume(session).await,
        Command::Abort(args) => args.run(session).await,
        Command::Retry(args) => args.run(session).await,
        Command::Scale(args) => args.run(session).await,
        Command::Down(args) => args.run(session).await,
        Command::Rollback(args) => args.run(session).await,
        Command::Prune(args) => args.run(session).await,
        Command::Plan(args) => args.run(session).await,
        Command::Load(args) => args.run(session).await,
        Command::Demo(args) => args.run(session).await,
        Command::Daemon(args) => args.run(session).await,
        Command::Proxy(args) => args.run(session).await,
        Command::Validate(args) => args.run(session),
        Command::Guide(args) => args.run(session),
        Command::Init(args) => args.run(session),
        Command::Completions(args) => args.run(session),
        Command::Man(args) => args.run(session),
        Command::Simulate(args) => args.run(session),
        Command::Freeze(args) => args.run(session).await,
        Command::Unfreeze(args) => args.run(session).await,
        Command::Flag(args) => args.run(session).await,
        Command::Experiment(args) => args.run(session).await,
        Command::Judge(args) => args.run(session).await,
    }
}
