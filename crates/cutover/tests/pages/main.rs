//! The pages are true: their commands are run, their drawings and tables are compared with the
//! program, their links lead somewhere.
//!
//! `cargo test -p cutover --test pages canary` plays one page. `UPDATE_PAGES=1` before it writes what
//! the program says into pages that say something else; look at `git diff` then. What a page may
//! hold: [`blocks`].
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail that way")]

mod blocks;
mod diagrams;
mod elsewhere;
mod errors;
#[path = "../e2e/harness/left.rs"]
mod left;
mod links;
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
        /// Pages that are played.
        const PAGES: &[&str] = &[$($name),*];
    };
}

pages! {
    decision_guide: "docs/decision-guide.md",
    emergency: "docs/emergency.md",
    flags: "docs/flags.md",
    learning_path: "docs/learning-path.md",
    metrics: "docs/metrics.md",
    monitoring: "docs/monitoring-guide.md",
    testing: "docs/testing.md",
    troubleshooting: "docs/troubleshooting.md",
    ab_testing: "patterns/ab-testing.md",
    big_bang: "patterns/big-bang.md",
    blue_green: "patterns/blue-green.md",
    canary: "patterns/canary.md",
    feature_toggle: "patterns/feature-toggle.md",
    rolling: "patterns/rolling.md",
    shadow: "patterns/shadow.md",
}

/// A page that nobody plays could say anything.
#[test]
fn every_page_with_commands_is_played() {
    let with_commands = |name: &String| {
        let blocks = blocks::blocks(&tree::read(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        !blocks.is_empty()
    };
    let all = tree::pages();
    let found: Vec<&String> = all.iter().filter(|name| with_commands(name)).collect();
    let missing: Vec<_> = found.iter().filter(|name| !PAGES.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "name them in `pages!`: {missing:?}");
}
