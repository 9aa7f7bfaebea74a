//! Drawings in pages are as the program draws them, from the settings that the page itself shows.
//!
//! A page holds its settings in its first ```yaml block, and the drawing between
//! `<!-- diagram:begin PATTERN -->` and `<!-- diagram:end -->`.

use cutover_core::diagram;
use cutover_core::id::ReleaseId;
use cutover_core::patterns::{Making, Pattern, plan};
use cutover_core::plan::Rest;
use cutover_core::release::ReleaseName;
use cutover_core::spec::{Source, parse};

use crate::tree;

const BEGIN: &str = "<!-- diagram:begin ";
const END: &str = "<!-- diagram:end -->";

/// The drawing of the way from v1 to v2 with these settings.
fn draw(name: &str, settings: &str, pattern: Pattern) -> String {
    let text = format!(
        "app: shop\ninstances: 4\nlisten: 127.0.0.1:8080\n\
         release: {{ command: [serve, '{{port}}'] }}\n{settings}"
    );
    let spec = parse(&Source { name: name.to_owned(), text }, &[]).unwrap();
    assert_eq!(spec.pattern, pattern, "{name}: its first settings are of another pattern");
    let release = |id: u32| {
        let version = format!("v{id}").parse().unwrap();
        ReleaseName { id: ReleaseId(id), version, ordinal: 1 }
    };
    let before = Some(Rest::of(ReleaseId(1)));
    let making = Making { spec: &spec, n: 4, before, candidate: ReleaseId(2) };
    diagram::draw(&plan(pattern, making), 4, Some(&release(1)), &release(2))
}

/// The lines of the first YAML block.
fn settings(page: &str) -> String {
    let inside = page.lines().skip_while(|line| *line != "```yaml").skip(1);
    inside.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
}

/// The page with its drawings in place, and the patterns they are of.
fn drawn(name: &str, page: &str) -> (String, Vec<Pattern>) {
    let (mut text, mut patterns) = (String::new(), Vec::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(&format!("{line}\n"));
        let Some(pattern) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let pattern = pattern.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let drawing = draw(name, &settings(page), pattern);
        text.push_str(&format!("```text\n{}\n```\n{END}\n", drawing.trim_end()));
        assert!(lines.any(|line| line == END), "{name}: the diagram has no end");
        patterns.push(pattern);
    }
    (text, patterns)
}

#[test]
fn drawings_are_as_the_program_draws_them() {
    let mut patterns = Vec::new();
    for name in tree::pages() {
        let page = tree::read(&name);
        let (text, found) = drawn(&name, &page);
        patterns.extend(found);
        if text != page && !tree::update(&name, &text) {
            panic!(
                "{name} has to be\n{text}\nwrite it: UPDATE_PAGES=1 cargo test -p cutover --test pages diagrams"
            );
        }
    }
    patterns.sort_unstable();
    let mut all = Pattern::ALL;
    all.sort_unstable();
    assert_eq!(patterns, all, "one drawing for each pattern");
}
