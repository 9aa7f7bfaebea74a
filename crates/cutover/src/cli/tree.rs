//! All commands.

use clap::{Parser, Subcommand};

use super::common::Common;
use super::{
    VERSION, action, completions, daemon, demo, deploy, events, experiment, flag, freeze, guide,
    history, init, judge, load, logs, man, plan, proxy, prune, report, rollback, simulate, status,
    validate,
};

/// Releases a new version of an application: rolling, blue-green, canary and more, watched, and
/// turned back by itself when the new version is worse.
#[derive(Debug, Parser)]
#[command(
    name = "cutover",
    version = VERSION,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok · 1 internal · 2 usage · 3 spec invalid · 4 preflight or conflict · \
        5 turned back before the new version got a request · 6 turned back after · 7 stuck · \
        8 held or superseded · 9 timed out, the rollout goes on · 10 daemon unreachable · 130 interrupted"
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Deploy(deploy::Args),
    Plan(plan::Args),
    Status(status::Args),
    Rollback(rollback::Args),
    /// Let the rollout go on: give the approval it waits for.
    Promote,
    /// Say that the new version is good, so that `deploy --confirm` does not turn back.
    Confirm,
    /// Do not enter the next stage until `resume`.
    Pause,
    /// Go on after `pause`.
    Resume,
    Abort(action::Abort),
    Retry(action::Retry),
    Scale(action::Scale),
    Down(action::Down),
    Prune(prune::Args),
    History(history::Args),
    Report(report::Args),
    Logs(logs::Args),
    Events(events::Args),
    Init(init::Args),
    Validate(validate::Args),
    Guide(guide::Args),
    Load(load::Args),
    Demo(demo::Args),
    Daemon(daemon::Args),
    Proxy(proxy::Args),
    Completions(completions::Args),
    Man(man::Args),
    Simulate(simulate::Args),
    Freeze(freeze::Freeze),
    Unfreeze(freeze::Unfreeze),
    Flag(flag::Args),
    Experiment(experiment::Args),
    Judge(judge::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_sound_and_every_command_of_now_has_an_example() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
            let plain = ["promote", "confirm", "pause", "resume"].contains(&command.get_name());
            let later = about.contains("not in this build");
            assert!(plain || later || long.contains("Example: cutover "), "{}", command.get_name());
        }
    }
}
