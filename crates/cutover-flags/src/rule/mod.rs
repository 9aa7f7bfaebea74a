//! Targeting rules: JSONLogic with the operators of flagd, compiled once and evaluated often.

mod call;
mod compile;
mod dealt;
mod eval;
mod fold;
mod fractional;
mod iterate;
mod node;
mod results;
mod run;
mod spread;
mod text;
mod variable;

pub(crate) use compile::{Invalid, compile, constant};
pub(crate) use dealt::dealt;
pub use fractional::Bucketing;
pub(crate) use node::Rule;
pub(crate) use results::results;
pub use run::Step;
pub(crate) use run::{Run, Trace};
