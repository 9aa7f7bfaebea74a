//! What each pattern does, what it costs, and what it needs.

use crate::patterns::Pattern;

/// What a pattern does, in a few words.
#[must_use]
pub fn in_short(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::BigBang => "stop the old version, start the new one",
        Pattern::Rolling => "replace the instances batch by batch",
        Pattern::BlueGreen => "two full sets and one switch, the old one stays warm",
        Pattern::Canary => "a growing share of the requests, judged at each step",
        Pattern::Shadow => "copies of real requests, answers thrown away",
        Pattern::AbTesting => "two versions for two groups of users",
        Pattern::FeatureFlag => "the code everywhere, switched on step by step",
    }
}

/// What a pattern costs.
#[must_use]
pub fn costs(pattern: Pattern) -> &'static [&'static str] {
    match pattern {
        Pattern::BigBang => &[
            "a break: from the last request on the old version to the first ready new instance",
            "a fault meets everybody at once, and turning back is a second break",
        ],
        Pattern::Rolling => &[
            "`batch` more instances for a while; with `surge: false` as many fewer",
            "both versions serve side by side until the last batch is replaced",
            "turning back takes about as long as going forward",
        ],
        Pattern::BlueGreen => &[
            "twice the instances, until `keep` is over",
            "everybody moves at the same moment: what only shows under full load meets everybody",
        ],
        Pattern::Canary => &[
            "a second full set of instances by the last step",
            "time: the number of steps times `bake`, at least",
            "the few users of the first steps meet a fault first",
        ],
        Pattern::Shadow => &[
            "more instances: the share `mirror` of what runs now, rounded up",
            "everything that copies cause behind the app: queries, calls, logs",
        ],
        Pattern::AbTesting => &[
            "more instances, for days or weeks: the share `split` of what runs now, rounded up",
            "two versions to be kept in order all that time",
        ],
        Pattern::FeatureFlag => &[
            "code: both behaviours live in the program until the flag is removed",
            "a rolling release first, with what that costs",
        ],
    }
}

/// What a pattern needs in order to work.
#[must_use]
pub fn needs(pattern: Pattern) -> &'static [&'static str] {
    match pattern {
        Pattern::BigBang => &[
            "no more instances than run now",
            "a program that starts quickly: its start is the break",
            "callers that wait; the proxy holds a request for 60 s at most",
        ],
        Pattern::Rolling => &[
            "two versions that read and write the same data",
            "users who may get either version from one request to the next",
        ],
        Pattern::BlueGreen => &[
            "room for a second full set: memory, processors, connections to the database",
            "background work that may run in both sets at the same time",
        ],
        Pattern::Canary => &[
            "`min-requests` within `bake` at the smallest step: 17 a second at 5%, 100 and 2m",
            "`guard.errors` above the errors that are normal for the app",
            "`sticky: cookie` if a user shall stay on one side",
        ],
        Pattern::Shadow => &[
            "requests that may be answered twice: only GET, HEAD and OPTIONS are copied",
            "a new version that writes to a place of its own, or knows a copy by its header \
             `x-cutover-shadow: 1`",
        ],
        Pattern::AbTesting => &[
            "a measure of success, fixed before it begins, and so many users that it can differ",
            "two versions that work on the same data all that time",
        ],
        Pattern::FeatureFlag => &[
            "an app that asks for the flag (OpenFeature)",
            "data written with the flag on that can be read with it off",
        ],
    }
}
