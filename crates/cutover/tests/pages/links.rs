//! Links in pages lead somewhere.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::tree::{self, root};

/// Where the links of a page lead, without those to other sites.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in outside_blocks(page) {
        for part in line.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

fn outside_blocks(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    page.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = outside_blocks(page).filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let before = seen.entry(name.clone()).or_default();
        *before += 1;
        match *before {
            1 => name,
            n => format!("{name}-{}", n - 1),
        }
    };
    headings.map(anchor).collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

/// What is wrong with a link of a page; `None` if nothing is.
fn wrong(name: &str, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(f, a)| (f, Some(a)));
    let target = match file {
        "" => PathBuf::from(name),
        file => plain(&Path::new(name).with_file_name("").join(file)),
    };
    let target_name = target.to_str()?;
    if !root().join(&target).exists() {
        return Some(format!("{name}: {link}: there is no {target_name}"));
    }
    let anchor = anchor?;
    let known = anchors(&tree::read(target_name));
    (!known.iter().any(|known| known == anchor))
        .then(|| format!("{name}: {link}: {target_name} has no such heading, only {known:?}"))
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let mut checked = 0;
    let mut all = Vec::new();
    let more = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned);
    for name in tree::pages().into_iter().chain(more) {
        let links = links(&tree::read(&name));
        checked += links.len();
        all.extend(links.iter().filter_map(|link| wrong(&name, link)));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert!(checked > 30, "only {checked} links were found");
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# A b, c!\n## `x-y`: z\n```sh\n# no heading\n```\n## A b, c!\n";
    assert_eq!(anchors(page), ["a-b-c", "x-y-z", "a-b-c-1"]);
    assert_eq!(links("see [a](b.md#c) and [d](https://e) or [f](#g)"), ["b.md#c", "#g"]);
    assert!(wrong("docs/glossary.md", "../nowhere.md").is_some());
    assert!(wrong("docs/glossary.md", "#nowhere").is_some());
    assert!(wrong("docs/glossary.md", "../docs/glossary.md#counts").is_none());
}
