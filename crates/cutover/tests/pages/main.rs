//! The pages are true: their commands are run, their drawings and tables are compared with the
//! program, their links lead somewhere.
//!
//! `cargo test -p cutover --test pages canary` plays one page. `UPDATE_PAGES=1` before it writes what
//! the program says into pages that say something else; look at `git diff` then. What a page may
//! hold: [`blocks`].
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail that way")]

mod blocks;
mod diagrams;
mod errors;
#[path = "../e2e/harness/left.rs"]
mod left;
mod play;
mod settings;
mod stable;
mod tree;
mod world;

/// One test for each page, and the list of them.
macro_rules! pages {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                match play::play($name) {
                    Ok(done) => play::say(&done),
                    Err(wrong) => panic!("{wrong}"),
                }
            }
        )*
    };
}

pages! {
    ab_testing: "patterns/ab-testing.md",
    big_bang: "patterns/big-bang.md",
    blue_green: "patterns/blue-green.md",
    canary: "patterns/canary.md",
    emergency: "docs/emergency.md",
    feature_toggle: "patterns/feature-toggle.md",
    learning_path: "docs/learning-path.md",
    monitoring: "docs/monitoring-guide.md",
    rolling: "patterns/rolling.md",
    shadow: "patterns/shadow.md",
    troubleshooting: "docs/troubleshooting.md",
}
