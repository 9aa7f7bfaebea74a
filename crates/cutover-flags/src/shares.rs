//! Which share of users gets which variant, as a definition says it: what an experiment compares
//! with what it counted.

use std::collections::BTreeMap;

use crate::flag::{Flag, State};
use crate::rule::dealt;
use crate::set::FlagSet;

/// How a flag deals its users out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// Variants and their weights.
    pub weights: BTreeMap<String, u64>,
    /// The variant of those for whom the rule says nothing.
    pub default: Option<String>,
    /// Does the rule name variants for some users beforehand? They are not dealt out.
    pub picks: bool,
}

impl FlagSet {
    /// The shares of a flag whose rule ends in one `fractional` (or ramp) with weights that stand in
    /// the document; `None` for all others, and if there is no such flag.
    #[must_use]
    pub fn shares(&self, key: &str) -> Option<Shares> {
        self.flag(key)?.shares()
    }
}

impl Flag {
    fn shares(&self) -> Option<Shares> {
        let State::Targeted { rule, default } = &self.state else { return None };
        let dealt = dealt(&rule.node)?;
        let default = default.and_then(|at| self.variants.get(at)).map(|it| it.name.to_string());
        let mut weights = BTreeMap::new();
        for (name, weight) in dealt.entries {
            // Who gets the default of the code has no variant and is in no experiment.
            if let Some(name) = name.or_else(|| default.clone()) {
                *weights.entry(name).or_default() += u64::from(weight);
            }
        }
        Some(Shares { weights, default, picks: dealt.picks })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Definitions, Selector, Shares, Source};

    fn shares(targeting: &str, ours: &str) -> Option<Shares> {
        let text = format!(
            r#"{{"flags": {{"f": {{"state": "ENABLED", "variants": {{"on": true, "off": false}},
                "defaultVariant": "off", "targeting": {targeting}, "cutover": {ours}}}}}}}"#
        );
        let (definitions, problems) = Definitions::load(&[Source::new("f.json", &text)]);
        assert!(!problems.iter().any(|problem| problem.is_error()), "{problems:?}");
        definitions.get(&Selector::All).shares("f")
    }

    #[test]
    fn shares_are_those_of_the_one_fractional_or_ramp() {
        let split = r#"{"fractional": [["on", 1], ["off", 3]]}"#;
        let staff = r#"{"==": [{"var": "staff"}, true]}"#;
        for (targeting, ours, on, off, picks) in [
            (split.to_owned(), "{}", 1, 3, false),
            (format!(r#"{{"if": [{staff}, "on", {split}]}}"#), "{}", 1, 3, true),
            (format!(r#"{{"if": [{staff}, {split}]}}"#), "{}", 1, 3, false),
            (r#"{"fractional": [["on", 20], [null, 80]]}"#.to_owned(), "{}", 20, 80, false),
            (
                "{}".into(),
                r#"{"ramp": {"variant": "on", "share": "12.5%"}}"#,
                12_500,
                87_500,
                false,
            ),
            (
                format!(r#"{{"if": [{staff}, "on"]}}"#),
                r#"{"ramp": {"variant": "on", "share": "1%"}}"#,
                1000,
                99_000,
                true,
            ),
        ] {
            let found = shares(&targeting, ours).unwrap_or_else(|| panic!("{targeting} {ours}"));
            assert_eq!(found.weights, [("off".into(), off), ("on".into(), on)].into());
            assert_eq!((found.default.as_deref(), found.picks), (Some("off"), picks));
        }
        for targeting in [
            "{}".to_owned(),
            format!(r#"{{"if": [{staff}, "on"]}}"#),
            format!(r#"{{"if": [{staff}, {split}, {split}]}}"#),
            r#"{"fractional": [["on", {"var": "x"}], ["off", 1]]}"#.to_owned(),
        ] {
            assert_eq!(shares(&targeting, "{}"), None, "{targeting}");
        }
    }
}
