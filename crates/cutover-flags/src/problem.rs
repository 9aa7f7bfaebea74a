//! What is wrong, or looks wrong, with a definition.

use std::fmt;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It works, yet perhaps not as meant.
    Warning,
    /// A flag, or a whole document, cannot be used.
    Error,
}

/// A place in a document, both parts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// Closed list of what can be wrong; [`Rule::name`] is stable and meant for configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The document cannot be read at all.
    Unreadable,
    /// A flag, or the value of a key, does not have the form it needs.
    Malformed,
    /// A key stands twice in one object; the last one counts.
    DuplicateKey,
    /// A key that has no meaning here.
    UnknownKey,
    /// A `$ref`, segment, variant or flag that does not exist.
    UnknownReference,
    /// References or prerequisites that lead back to themselves.
    Cycle,
    /// A rule calls an operator that does not exist.
    UnknownOperator,
    /// A number that clients would see differently.
    UnsafeNumber,
    /// Rules that grow too large once references are put in.
    TooLarge,
    /// A flag is defined by more than one source of a set; the last one counts.
    Conflict,
    /// A variant that no evaluation can give.
    UnreachableVariant,
    /// A rule can give a text that names no variant: that is an error when it happens.
    UnknownVariant,
    /// All weights of a `fractional` are zero, so that it never decides.
    ZeroWeights,
    /// Targeting always decides, so that the default variant never counts.
    DefaultNeverUsed,
    /// An `$evaluators` entry or segment that nothing uses.
    Unused,
    /// A condition that is always true or always false.
    ConstantCondition,
    /// A call that gives null whatever the context is.
    AlwaysNull,
    /// Variants of more than one type.
    MixedTypes,
    /// The document does not say how users are put into buckets.
    BucketingNotStored,
}

impl Rule {
    /// Its name, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rule::Unreadable => "unreadable",
            Rule::Malformed => "malformed",
            Rule::DuplicateKey => "duplicate-key",
            Rule::UnknownKey => "unknown-key",
            Rule::UnknownReference => "unknown-reference",
            Rule::Cycle => "cycle",
            Rule::UnknownOperator => "unknown-operator",
            Rule::UnsafeNumber => "unsafe-number",
            Rule::TooLarge => "too-large",
            Rule::Conflict => "conflict",
            Rule::UnreachableVariant => "unreachable-variant",
            Rule::UnknownVariant => "unknown-variant",
            Rule::ZeroWeights => "zero-weights",
            Rule::DefaultNeverUsed => "default-never-used",
            Rule::Unused => "unused",
            Rule::ConstantCondition => "constant-condition",
            Rule::AlwaysNull => "always-null",
            Rule::MixedTypes => "mixed-types",
            Rule::BucketingNotStored => "bucketing-not-stored",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the source.
    pub source: String,
    /// Where in it, if that is known.
    pub place: Option<Place>,
    /// The flag that it is about.
    pub flag: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// What kind of problem it is.
    pub rule: Rule,
    /// What is wrong, in words.
    pub message: String,
}

impl Problem {
    /// Does it keep a flag or a document from being used?
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: `flags.json:3:7: error: flag "x": what is wrong [rule]`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, ": {severity}: ")?;
        if let Some(flag) = &self.flag {
            write!(f, "flag {:?}: ", shortened(flag))?;
        }
        write!(f, "{} [{}]", self.message, self.rule.name())
    }
}

/// A text for a message, at most 60 characters of it.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
