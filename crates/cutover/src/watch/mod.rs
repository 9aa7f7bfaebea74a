//! The full-screen view of `cutover status --watch`.

mod draw;
mod evidence;
mod input;
mod marks;
mod run;
#[cfg(test)]
pub(crate) mod sample;
mod screen;
mod series;
mod source;
mod state;

pub(crate) use run::run;
