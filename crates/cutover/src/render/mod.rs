//! Text. Nothing else in Cutover makes any.

mod comparison;
mod end;
mod evidence;
mod experiment;
mod guide;
mod guide_page;
mod history;
mod json;
mod names;
mod outlook;
mod plain;
mod power;
mod proxy;
mod prune;
mod replay;
mod report;
mod simulation;
mod spark;
mod stage;
mod status;
mod terminal;
mod text;
mod time;
mod view;
mod wrap;

pub(crate) use comparison::comparisons;
pub(crate) use end::{failure, result};
pub(crate) use evidence::{Part, difference, grown, toward};
pub(crate) use experiment::experiment;
pub(crate) use guide::{guide, next as guide_next, why as guide_why};
pub(crate) use guide_page::guide_page;
pub(crate) use history::{history, history_line};
pub(crate) use json::{json, print_failure};
pub(crate) use names::{Known, Names, instance};
pub(crate) use outlook::{about, outlook, plan_json};
pub(crate) use plain::plain;
pub(crate) use power::{Power, power};
pub(crate) use proxy::proxy;
pub(crate) use prune::{Pruned, prune, prune_question};
pub(crate) use replay::{Replayed, end as replay_end, step_json};
pub(crate) use report::report;
pub(crate) use simulation::{Simulation, planned_time, simulation, simulation_svg};
pub(crate) use spark::bars;
pub(crate) use stage::describe as stage_words;
pub(crate) use status::{share_of, status};
pub(crate) use text::{lines as event_lines, outcome_words, state_word, verdict_word, why_words};
pub(crate) use time::{clock, now, rough, time};
pub(crate) use view::View;
pub(crate) use wrap::{COLUMNS, wrap};

#[cfg(test)]
pub(crate) use evidence::testing::look as sample_look;
