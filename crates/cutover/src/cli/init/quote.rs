//! Texts as YAML scalars.

/// Words that some reader of YAML takes for something else than a text.
const WORDS: [&str; 11] =
    ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan"];

/// A text as a scalar that every reader of YAML takes for the same text: plain where that is safe,
/// else in double quotes.
pub(super) fn scalar(text: &str) -> String {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_-./+@".contains(c);
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '/';
    let plain = text.starts_with(first)
        && text.chars().all(inner)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// As [`scalar`], always in quotes. Escapes as in YAML 1.2, section 5.7.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // What is not printable in YAML, and what some readers take for the end of a line.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_mistaken_is_plain() {
        for plain in ["node", "server.js", "./", "node_modules/.bin/next", "HOST"] {
            assert_eq!(scalar(plain).starts_with('"'), plain.starts_with('.'), "{plain}");
        }
        for text in ["", "-m", "8080", "1e3", "Yes", "null", "{port}", "a b", "a: b", "#", "~", "é"]
        {
            assert_eq!(scalar(text), format!("\"{text}\""));
        }
        assert_eq!(scalar("a\"b\\\n\u{7}\u{2028}"), r#""a\"b\\\n\x07\u2028""#);
        assert_eq!(scalar("\u{7f}\u{85}\u{feff}"), r#""\x7f\x85\ufeff""#);
    }
}
