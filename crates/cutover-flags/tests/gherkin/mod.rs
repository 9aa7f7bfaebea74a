//! As much of Gherkin as flagd's test bed uses: backgrounds, outlines with several tables of
//! examples, tags everywhere, tables of steps.

/// A scenario with its examples put in.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Those of the feature, the scenario and the examples.
    pub(crate) tags: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

/// A step: its words with `…` for each quoted text, the quoted texts, and its table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) words: String,
    pub(crate) quoted: Vec<String>,
    pub(crate) table: Vec<Vec<String>>,
}

#[derive(Default)]
struct Outline {
    name: String,
    tags: Vec<String>,
    steps: Vec<Raw>,
    /// Tags and rows of each table of examples.
    examples: Vec<(Vec<String>, Vec<Vec<String>>)>,
}

#[derive(Clone)]
struct Raw {
    text: String,
    table: Vec<Vec<String>>,
}

/// Reads a feature file. What it does not know, it panics on.
pub(crate) fn read(text: &str) -> Vec<Scenario> {
    let mut feature_tags = vec![];
    let mut background = vec![];
    let mut outlines: Vec<Outline> = vec![];
    let mut tags: Vec<String> = vec![];
    let mut in_background = false;
    for line in text.lines().map(str::trim) {
        let (head, rest) = line.split_once(':').unwrap_or((line, ""));
        if line.is_empty() || line.starts_with('#') {
            continue;
        } else if line.starts_with('@') {
            tags.extend(line.split_whitespace().map(str::to_owned));
        } else if head == "Feature" {
            feature_tags = std::mem::take(&mut tags);
        } else if head == "Background" {
            in_background = true;
        } else if head == "Scenario" || head == "Scenario Outline" {
            in_background = false;
            let name = rest.trim().to_owned();
            outlines.push(Outline { name, tags: std::mem::take(&mut tags), ..Outline::default() });
        } else if head == "Examples" {
            let outline = outlines.last_mut().expect("examples belong to an outline");
            outline.examples.push((std::mem::take(&mut tags), vec![]));
        } else if line.starts_with('|') {
            let outline = outlines.last_mut().expect("tables belong to a scenario");
            match outline.examples.last_mut() {
                Some((_, rows)) => rows.push(cells(line)),
                None => outline.steps.last_mut().expect("a step").table.push(cells(line)),
            }
        } else {
            let (word, text) = line.split_once(' ').expect("a step has words");
            assert!(["Given", "When", "Then", "And", "But"].contains(&word), "{line}");
            let step = Raw { text: text.to_owned(), table: vec![] };
            match in_background {
                true => background.push(step),
                false => outlines.last_mut().expect("a scenario").steps.push(step),
            }
        }
    }
    let expand = |outline: &Outline| expanded(outline, &feature_tags, &background);
    outlines.iter().flat_map(expand).collect()
}

fn expanded(outline: &Outline, feature_tags: &[String], background: &[Raw]) -> Vec<Scenario> {
    let scenario = |tags: &[String], names: &[String], values: &[String]| Scenario {
        name: format!("{} {values:?}", outline.name),
        tags: [feature_tags, &outline.tags, tags].concat(),
        steps: background
            .iter()
            .chain(&outline.steps)
            .map(|raw| step(raw, names, values))
            .collect(),
    };
    if outline.examples.is_empty() {
        return vec![scenario(&[], &[], &[])];
    }
    let mut scenarios = vec![];
    for (tags, rows) in &outline.examples {
        let (names, rows) = rows.split_first().expect("examples have a head");
        scenarios.extend(rows.iter().map(|row| scenario(tags, names, row)));
    }
    scenarios
}

fn step(raw: &Raw, names: &[String], values: &[String]) -> Step {
    let mut text = raw.text.clone();
    for (name, value) in names.iter().zip(values) {
        text = text.replace(&format!("<{name}>"), value);
    }
    let (mut words, mut quoted) = (String::new(), vec![]);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '"' {
            words.push(letter);
            continue;
        }
        let mut part = String::new();
        loop {
            match letters.next().expect("a quote ends") {
                '"' => break,
                '\\' => part.extend(letters.next()),
                letter => part.push(letter),
            }
        }
        words.push('…');
        quoted.push(part);
    }
    Step { words, quoted, table: raw.table.clone() }
}

/// The cells of a row. `\|`, `\n` and `\\` are escapes; any other backslash is the step's.
fn cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    let mut cells = vec![String::new()];
    let mut letters = inner.expect("a row ends with a bar").chars();
    while let Some(letter) = letters.next() {
        let cell = cells.last_mut().expect("there is one");
        match letter {
            '|' => cells.push(String::new()),
            '\\' => match letters.next() {
                Some('n') => cell.push('\n'),
                Some(plain @ ('|' | '\\')) => cell.push(plain),
                other => {
                    cell.push('\\');
                    cell.extend(other);
                }
            },
            plain => cell.push(plain),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}
