//! Just enough of a reader of Rust to find what a call is given.

/// What is between a bracket, which ends at `open`, and the one that closes it.
pub(super) fn inside(code: &str, open: usize) -> &str {
    let end = scan(&code[open..], |depth, _| depth < 0);
    &code[open..open + end]
}

/// The parts between the commas of a list.
pub(super) fn listed(list: &str) -> Vec<&str> {
    split(list, ',')
}

/// The statement that begins here, without its end.
pub(super) fn statement(code: &str) -> &str {
    split(code, ';').first().copied().unwrap_or_default()
}

fn split(text: &str, at: char) -> Vec<&str> {
    let mut rest = text;
    let mut parts = Vec::new();
    loop {
        let end = scan(rest, |depth, c| depth == 0 && c == at);
        parts.push(rest[..end].trim());
        match rest.get(end + 1..) {
            Some(more) => rest = more,
            None => return parts,
        }
    }
}

/// How far it is to the first character outside strings for which this holds, given the depth of
/// brackets there; to the end if there is none.
fn scan(text: &str, holds: impl Fn(i32, char) -> bool) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => in_string = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if holds(depth, c) {
            return at;
        }
    }
    text.len()
}

/// The strings in a piece of code, as they are printed.
pub(super) fn strings(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some((_, after)) = rest.split_once('"') {
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        found.push(printed(&after[..end]));
        rest = &after[end + 1..];
    }
    found
}

fn printed(string: &str) -> String {
    let mut text = String::new();
    let mut chars = string.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => text.push('\n'),
            // A line that goes on.
            ('\\', Some('\n')) => {
                let rest = chars.as_str().trim_start();
                chars = rest.chars();
            }
            ('\\', Some(other)) => text.push(other),
            (other, _) => text.push(other),
        }
    }
    text
}

#[test]
fn lists_and_strings_are_read() {
    let code = r#"f(a, "x, \"y)", g(b, c)); z"#;
    let given = inside(code, 2);
    assert_eq!(listed(given), ["a", r#""x, \"y)""#, "g(b, c)"]);
    assert_eq!(strings(given), [r#"x, "y)"#]);
    assert_eq!(strings("\"one \\\n   two\""), ["one two"]);
    assert_eq!(statement("let a = { b; c }; d"), "let a = { b; c }");
}
