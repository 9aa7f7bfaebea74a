//! A JSON reader (RFC 8259) that keeps places, the order of keys, doubled keys and the literals of
//! numbers. Values of requests are read by serde_json; this one is for what people write.

use super::DEEPEST;
use super::tree::{Entry, Kind, Node, Unreadable};
use crate::problem::Place;

/// Reads a document that is one value.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    let mut reader = Reader { text, at: 0, line: 1, counted: (0, 1) };
    if text.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    let node = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.error("nothing may follow the value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    /// Up to where the columns of the line are counted, and the column there. A document may be
    /// one long line, so nothing is counted twice.
    counted: (usize, u64),
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn place(&mut self) -> Place {
        let (from, column) = self.counted;
        let since = self.text.get(from..self.at).unwrap_or_default();
        let column = column + since.chars().count() as u64;
        self.counted = (self.at, column);
        Place { line: self.line, column }
    }

    fn error(&mut self, message: &str) -> Unreadable {
        Unreadable { place: Some(self.place()), message: message.to_owned() }
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.counted = (self.at, 1);
            }
        }
    }

    /// Steps over a byte, with the space before it.
    fn accept(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let here = self.peek() == Some(wanted);
        self.at += usize::from(here);
        here
    }

    fn value(&mut self, depth: usize) -> Result<Node, Unreadable> {
        self.skip_space();
        let place = Some(self.place());
        let kind = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => self.word()?,
            None => return Err(self.error("the document ends where a value should be")),
        };
        Ok(Node { place, kind })
    }

    fn word(&mut self) -> Result<Kind, Unreadable> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        for (word, kind) in
            [("null", Kind::Null), ("true", Kind::Bool(true)), ("false", Kind::Bool(false))]
        {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self
            .error("a value should be here: an object, array, string, number, true, false or null"))
    }

    fn deeper(&mut self, depth: usize) -> Result<usize, Unreadable> {
        match depth < DEEPEST {
            true => Ok(depth + 1),
            false => Err(self.error(&format!("this is nested more than {DEEPEST} deep"))),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Unreadable> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = vec![];
        if self.accept(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.accept(b']') {
                return Ok(Kind::List(items));
            }
            if !self.accept(b',') {
                return Err(self.error("`,` or `]` should be here"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Kind, Unreadable> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut entries = vec![];
        if self.accept(b'}') {
            return Ok(Kind::Map(entries));
        }
        loop {
            self.skip_space();
            let place = Some(self.place());
            if self.peek() != Some(b'"') {
                return Err(self.error("a key in double quotes should be here"));
            }
            let key = self.string()?;
            if !self.accept(b':') {
                return Err(self.error("`:` should be here"));
            }
            entries.push(Entry { place, key, value: self.value(depth)? });
            if self.accept(b'}') {
                return Ok(Kind::Map(entries));
            }
            if !self.accept(b',') {
                return Err(self.error("`,` or `}` should be here"));
            }
        }
    }

    fn number(&mut self) -> Result<Kind, Unreadable> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let literal = rest.get(..end).unwrap_or_default();
        if !is_number(literal) {
            return Err(self.error("this is not a number as JSON writes it"));
        }
        self.at += end;
        Ok(Kind::Number(literal.to_owned()))
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(end) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                return Err(self.error("this string has no end"));
            };
            text.push_str(rest.get(..end).unwrap_or_default());
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) | None => {
                    return Err(self.error("control characters in strings are written as \\u00XX"));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            Some(_) | None => return Err(self.error("this escape does not exist")),
        };
        self.at += 2;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, Unreadable> {
        let first = self.unit()?;
        let code = match first {
            0xd800..=0xdbff => match self.unit()? {
                second @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                _ => return Err(self.error("this is half a character")),
            },
            whole => whole,
        };
        match char::from_u32(code) {
            Some(whole) => Ok(whole),
            None => Err(self.error("this is half a character")),
        }
    }

    /// One `\uXXXX`.
    fn unit(&mut self) -> Result<u32, Unreadable> {
        let escape = self.text.get(self.at..self.at + 6).and_then(|text| text.strip_prefix("\\u"));
        let digits = escape.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(unit) = unit else {
            return Err(self.error("`\\u` and four hexadecimal digits should be here"));
        };
        self.at += 6;
        Ok(unit)
    }
}

/// Does JSON write numbers so?
pub(super) fn is_number(literal: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = literal.strip_prefix('-').unwrap_or(literal);
    let (base, power) = match unsigned.split_once(['e', 'E']) {
        Some((base, power)) => (base, Some(power.strip_prefix(['+', '-']).unwrap_or(power))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match base.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (base, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && power.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::to_json;
    use super::*;

    #[test]
    fn places_count_characters_and_lines() {
        let node = read("{\n  \"ä\": [1, {\"x\": 10.0}]\n}").unwrap();
        let list = node.get("ä").unwrap();
        assert_eq!(list.place, Some(Place { line: 2, column: 8 }));
        let number = list.arguments()[1].get("x").unwrap();
        assert_eq!(number.kind, Kind::Number("10.0".into()));
        assert_eq!(number.place, Some(Place { line: 2, column: 18 }));
    }

    #[test]
    fn errors_name_the_place() {
        for (text, line, column, part) in [
            ("{\"a\": 1,\n}", 2, 1, "a key"),
            ("[1 2]", 1, 4, "`,` or `]`"),
            ("{\"a\" 1}", 1, 6, "`:`"),
            ("[01]", 1, 2, "not a number"),
            ("\"\\x\"", 1, 2, "escape"),
            ("\"\\ud800\"", 1, 8, "four hexadecimal"),
            ("[", 1, 2, "ends"),
            ("{} x", 1, 4, "follow"),
            ("\"abc", 1, 2, "no end"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.place, Some(Place { line, column }), "{text}: {}", error.message);
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
        let deep = "[".repeat(1_000_000);
        assert!(read(&deep).unwrap_err().message.contains("nested more than 128"));
    }

    proptest! {
        /// serde_json is the oracle of what is JSON and what it means.
        #[test]
        fn what_serde_json_reads_is_read_alike(text in r#"([\[\]{},:" 0-9.eE+\\ntrufalsé-]|"a":|null|true|\\u00e9|\\ud83d\\ude00){0,24}"#) {
            let ours = read(&text);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => {
                    let again: serde_json::Value = serde_json::from_str(&to_json(ours)).unwrap();
                    prop_assert_eq!(&again, theirs);
                }
                // It refuses numbers that overflow; here that is the flag's problem.
                (Ok(_), Err(error)) => {
                    let error = error.to_string();
                    prop_assert!(error.contains("out of range"), "{}: {}", text, error);
                }
                (Err(error), Ok(_)) => prop_assert!(false, "{text}: {error:?}"),
                (Err(_), Err(_)) => {}
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
