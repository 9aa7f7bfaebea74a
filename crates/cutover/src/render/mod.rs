//! Text. Nothing else in Cutover makes any.

mod end;
mod history;
mod json;
mod names;
mod plain;
mod proxy;
mod stage;
mod status;
mod terminal;
mod text;
mod time;
mod view;

pub(crate) use end::{failure, result};
pub(crate) use history::{history, history_line};
pub(crate) use json::{json, print_failure};
pub(crate) use names::{Known, Names, instance};
pub(crate) use plain::plain;
pub(crate) use proxy::proxy;
pub(crate) use stage::describe as stage_words;
pub(crate) use status::{share_of, status};
pub(crate) use text::{lines as event_lines, outcome_words, state_word, verdict_word, why_words};
pub(crate) use time::{clock, now, rough, time};
pub(crate) use view::View;
