//! The program itself, started in every mode it knows.

mod answers;
mod bad;
mod ends;
#[cfg(test)]
mod process;
