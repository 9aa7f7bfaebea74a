//! Text in lines.

/// The columns that every terminal has.
pub(crate) const COLUMNS: usize = 80;

/// A paragraph in lines of at most `width` characters; longer words stay whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A paragraph after a label, all of its lines at one column.
pub(crate) fn labelled(label: &str, column: usize, text: &str) -> String {
    let lines = wrap(text, COLUMNS - column);
    let line = |(index, line): (usize, &String)| match index {
        0 => format!("{label:<column$}{line}"),
        _ => format!("{:column$}{line}", ""),
    };
    lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_their_width_and_words_stay_whole() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable a", 4), ["unbreakable", "a"]);
        assert_eq!(wrap("", 4), Vec::<String>::new());
        assert_eq!(labelled("why", 5, "because"), "why  because");
        assert!(labelled("why", 5, &"word ".repeat(30)).lines().all(|line| line.len() <= COLUMNS));
    }
}
