//! Patterns, other names and percentages as people type them.

use cutover_core::patterns::Pattern;

/// A pattern by its name; the error says which one may have been meant.
pub(super) fn parse(text: &str) -> Result<Pattern, String> {
    text.parse().map_err(|_| {
        let names = Pattern::ALL.map(Pattern::as_str);
        let list = names.join(", ");
        match nearest(text, names) {
            Some(name) => format!("did you mean {name}? the patterns are {list}"),
            None => format!("the patterns are {list}"),
        }
    })
}

/// A percentage from 0% to `most`, like `0.5%`, as a number of percent.
pub(super) fn percent(text: &str, most: f64) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=most).contains(&percent).then_some(percent)
}

/// The name that is most like `text`, if one is like it at all.
pub(super) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let scored = names.into_iter().map(|name| (strsim::jaro_winkler(text, name), name));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(score, _)| *score >= ALIKE).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_pattern_is_recognised() {
        assert_eq!(parse("blue-green"), Ok(Pattern::BlueGreen));
        assert!(parse("bluegreen").unwrap_err().contains("did you mean blue-green?"));
        assert!(parse("cannary").unwrap_err().contains("did you mean canary?"));
        assert!(!parse("zzz").unwrap_err().contains("did you mean"));
    }
}
