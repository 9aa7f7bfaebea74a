//! The full-screen view of `cutover status --watch`.

mod draw;
mod input;
mod marks;
mod run;
#[cfg(test)]
mod sample;
mod screen;
mod series;
mod source;
mod state;

pub(crate) use run::run;
