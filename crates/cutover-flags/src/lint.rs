//! What looks wrong with a flag that works.

use crate::flag::{Flag, State};
use crate::problem::{Problem, Rule, Severity, shortened};
use crate::rule::results;

/// Looks at what a flag's rule can say.
pub(crate) fn look(flag: &Flag, source: &str, problems: &mut Vec<Problem>) {
    let State::Targeted { rule, default } = &flag.state else { return };
    let mut tell = |rule, message| {
        problems.push(Problem {
            source: source.to_owned(),
            place: flag.place,
            flag: Some(flag.key.to_string()),
            severity: Severity::Warning,
            rule,
            message,
        });
    };
    let results = results(&rule.node);
    let exists = |name: &str| flag.variants.iter().any(|variant| *variant.name == *name);
    for name in results.named.iter().filter(|name| !exists(name)) {
        let message = format!(
            "the rule can give {:?}, which is no variant: an error when it happens",
            shortened(name)
        );
        tell(Rule::UnknownVariant, message);
    }
    let default = default.and_then(|at| flag.variants.get(at)).map(|variant| &*variant.name);
    if !results.open {
        for variant in &flag.variants {
            let by_default = results.null && default == Some(&variant.name);
            if !by_default
                && !results.named.contains(&*variant.name)
                && default != Some(&variant.name)
            {
                let message =
                    format!("no evaluation gives the variant {:?}", shortened(&variant.name));
                tell(Rule::UnreachableVariant, message);
            }
        }
        if let Some(default) = default.filter(|_| !results.null) {
            let message = format!(
                "the rule always decides, so that the default variant {:?} never counts; to switch the flag off, use `kill`",
                shortened(default)
            );
            tell(Rule::DefaultNeverUsed, message);
        }
    }
}
