//! A line for a shell as a command without one.

use std::collections::BTreeMap;

/// What a line runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Variables set before the program.
    pub(super) env: BTreeMap<String, String>,
    pub(super) words: Vec<String>,
    /// It takes a shell to do what the line says; `words` starts one.
    pub(super) shell: bool,
}

/// The words of a line, with `{port}` in the place of the variable `PORT`.
///
/// A line that uses more of the shell than words, quotes and variables set in front is left to
/// one, as it is: `PORT` is set there, too.
pub(super) fn line(text: &str) -> Line {
    let text = text.trim();
    let filled = fill(text);
    let words = shlex::split(&filled).unwrap_or_default();
    let follows = words.get(1).is_some_and(|word| assignment(word).is_some());
    let words = words.into_iter().skip_while(|word| word == "exec" || (follows && word == "env"));
    let (mut env, mut argv) = (BTreeMap::new(), Vec::new());
    for word in words {
        match assignment(&word).filter(|_| argv.is_empty()) {
            Some((name, value)) => drop(env.insert(name, value)),
            None => argv.push(word),
        }
    }
    let first = argv.first().map_or("", String::as_str);
    let built_in = ["", ".", "source", "cd", "export", "set", "ulimit", "umask", "eval"];
    if built_in.contains(&first)
        || uses_shell(&filled)
        || env.values().any(|v| v.contains("{port}"))
    {
        let words = ["sh", "-c", text].map(str::to_owned).to_vec();
        return Line { env: BTreeMap::new(), words, shell: true };
    }
    Line { env, words: argv, shell: false }
}

/// Words as a line that splits into them again, and is no harder to read than need be.
pub(super) fn join(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+@:,={}%".contains(c);
    let quote = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        // A word with a NUL cannot be written, and cannot be run either.
        false => shlex::try_quote(word).map(String::from).unwrap_or_default(),
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = !name.is_empty()
        && name.chars().all(good)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    named.then(|| (name.to_owned(), value.to_owned()))
}

/// Puts `{port}` in the place of `$PORT`, `${PORT}` and `${PORT:-8080}`, outside of single quotes.
fn fill(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        let port = (quote != Some('\'')).then(|| port(rest)).flatten();
        if let Some(length) = port {
            filled.push_str("{port}");
            rest = &rest[length..];
            continue;
        }
        quote = next_quote(quote, c);
        filled.push(c);
        rest = &rest[c.len_utf8()..];
    }
    filled
}

/// The length of what stands for the port at the beginning of a text.
fn port(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix("${PORT") {
        let end = rest.find('}')?;
        let simple = |default: &str| default.chars().all(|c| c.is_ascii_digit());
        let inner = &rest[..end];
        let known = inner.is_empty()
            || inner.strip_prefix(":-").or(inner.strip_prefix('-')).is_some_and(simple);
        return known.then_some("${PORT".len() + end + 1);
    }
    let rest = text.strip_prefix("$PORT")?;
    let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!goes_on).then_some("$PORT".len())
}

fn next_quote(quote: Option<char>, c: char) -> Option<char> {
    match (quote, c) {
        (None, '\'' | '"') => Some(c),
        (Some(open), _) if open == c => None,
        (quote, _) => quote,
    }
}

/// Does the line hold anything that only a shell understands?
fn uses_shell(text: &str) -> bool {
    let mut quote = None;
    for c in text.chars() {
        let special = match quote {
            Some('\'') => false,
            Some(_) => matches!(c, '$' | '`' | '\\'),
            None => "|&;<>()$`\\*?[]~#!\n".contains(c),
        };
        if special {
            return true;
        }
        quote = next_quote(quote, c);
    }
    quote.is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let line = line(text);
        assert!(!line.shell, "{text}");
        line.words
    }

    #[test]
    fn plain_lines_need_no_shell() {
        assert_eq!(words("node server.js"), ["node", "server.js"]);
        assert_eq!(words("exec serve --port $PORT"), ["serve", "--port", "{port}"]);
        assert_eq!(words("serve -b :${PORT:-5000} 'a b'"), ["serve", "-b", ":{port}", "a b"]);
        assert_eq!(words("serve \"$PORT\" '$PORT'"), ["serve", "{port}", "$PORT"]);
        assert_eq!(words("env -i serve"), ["env", "-i", "serve"]);
        assert_eq!(line("env A=1 serve").words, ["serve"]);
        let set = line("A=1 B='x y' serve C=2");
        assert_eq!(set.words, ["serve", "C=2"]);
        assert_eq!(
            set.env.into_iter().collect::<Vec<_>>(),
            [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x y".to_owned())]
        );
    }

    #[test]
    fn what_takes_a_shell_is_left_to_one_as_it_is() {
        for text in [
            "migrate && serve -p $PORT",
            "serve $PORTS",
            "serve \"$HOME\"",
            "serve ${PORT:-$OTHER}",
            "serve > log",
            "cd app; serve",
            "serve 'open",
            "LISTEN=:$PORT serve",
            "serve *.conf",
            "source env",
            "",
        ] {
            let line = line(text);
            assert!(line.shell, "{text}");
            assert_eq!(line.words, ["sh", "-c", text]);
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in prop::collection::vec("[^\0]{1,12}", 1..5)) {
            let text = join(&words);
            prop_assert_eq!(shlex::split(&text), Some(words.clone()));
            let line = line(&text);
            prop_assert!(line.shell || line.words == words || !line.env.is_empty() || words[0] == "exec" || words[0] == "env", "{text}: {line:?}");
        }
    }
}
