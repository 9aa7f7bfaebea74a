//! What is the same in every run, and whether two texts are the same in that.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What differs from run to run, and what stands for it. In order: later ones see what earlier ones
/// wrote. A count that is zero stays zero, with one exception.
const RULES: [(&str, &str); 31] = [
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "<when>"),
    (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}\b", "<when>"),
    // What the comparison shows, by errors or by latency, as it happens.
    (r"(verdict \w+: |not worse than \w+: )(errors|[0-9.]+% slower) .* against .*$", "$1<seen>"),
    (r"not worse [▁-█]+ [0-9]+%  worse [▁-█]+ [0-9]+%  (errors|slow) .*pp$", "<evidence>"),
    (r"\b[0-9]+(\.[0-9]+)? (ms|s)\b", "<span>"),
    // Those of instances; where users reach an app has four digits in pages.
    (r"127\.0\.0\.1:[0-9]{5}\b", "127.0.0.1:<port>"),
    (r"\bpid([ =])[0-9]+", "pid$1<pid>"),
    (r"#[0-9]+", "#<rollout>"),
    // Of flag definitions, which are called by their paths.
    (r"\bversion [0-9a-f]{8}\b", "version <version>"),
    (r"\bcutover [0-9.]+ \([0-9a-f]+[^)]*\)", "cutover <version>"),
    (r"\b(by|because) \S+ \(uid [0-9]+\)", "$1 <user>"),
    (r"\(try [0-9]+\)", "(try <n>)"),
    (r"\b(0\.0[1-9]|0\.[1-9][0-9]|[1-9][0-9]*\.[0-9]{2})%", "<n>%"),
    (r"\b(errors|lost|cut) [1-9][0-9]*([^0-9.%]|$)", "$1 <n>$2"),
    // Also none: counts are by the second, and a request just before may be among them.
    (r"\bserved [0-9]+", "served <n>"),
    // They may be there or not, as it happens.
    (r", (drained|held|retried) [0-9]+", ""),
    (r"  in flight [0-9]+", ""),
    (r"\b[1-9][0-9]* of [0-9]+ requests", "<n> of <n> requests"),
    (r"(, |\()[1-9][0-9]* requests", "$1<n> requests"),
    // Sides: requests, bad, bad in %.
    (r"\b[1-9][0-9]*( +[0-9]+ +(0\.00|<n>)%)", "<n>$1"),
    (r"\b[1-9][0-9]*( +<n>%)", "<n>$1"),
    (r"\b[1-9][0-9]* (copied|with|without|whose|the same|not|more)\b", "<n> $1"),
    (r"( → [0-9]{3}): [0-9]+", "$1: <n>"),
    (r"^(cutover_\w+\{.*\}) [1-9][0-9]*$", "$1 <n>"),
    (r"\b(table|epoch) [0-9]+(\.[0-9]+)?", "$1 <n>"),
    // What `cutover load` says.
    (r"\b(p50|p90|p99|p99\.9|max) [0-9.]+", "$1 <n>"),
    (r"^answered +[1-9][0-9]*", "answered <n>"),
    (r"× [0-9]+", "× <n>"),
    (r"\b[1-9][0-9]* (late|in|of|begun|ok|errors|sent|created|acknowledged)\b", "<n> $1"),
    (r"\b[1-9][0-9]* \(", "<n> ("),
    (r"  +", " "),
];

static COMPILED: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| RULES.map(|(rule, with)| (Regex::new(rule).unwrap(), with)).to_vec());

/// A line without what differs from run to run.
pub(crate) fn stable(line: &str) -> String {
    let replace = |text: String, (rule, with): &(Regex, &str)| {
        rule.replace_all(&text, |found: &Captures<'_>| {
            let mut new = String::new();
            found.expand(with, &mut new);
            new
        })
        .into_owned()
    };
    COMPILED.iter().fold(line.trim_end().to_owned(), replace).trim_end().to_owned()
}

/// Is this what was expected? A line `...` stands for any lines.
pub(crate) fn alike(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == "..." => {
            (0..=printed.len()).any(|skipped| alike(rest, &printed[skipped..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, more)| stable(first) == stable(line) && alike(rest, more)),
    }
}

#[test]
fn what_differs_from_run_to_run_is_alike_and_nothing_else() {
    let same = |one: &str, other: &str| {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        alike(&lines(one), &lines(other))
    };
    for (one, other) in [
        (
            "2026-11-23T18:13:20.123Z shop #12 stage 1/2",
            "2027-01-01T00:00:00.000Z shop #4 stage 1/2",
        ),
        (
            "4 instances, 3.0 s, served 619, failed 0",
            "4 instances, 12.1 s, served 7, failed 0, drained 3",
        ),
        (
            "http://127.0.0.1:25242/health → 500 (try 17)",
            "http://127.0.0.1:20001/health → 500 (try 3)",
        ),
        (
            "verdict pass: not worse than v1: errors 0.00% against 0.00% of v1, at most +0.98pp (95%)",
            "verdict pass: not worse than v1: 0.00% slower than 7 ms against 0.12% of v1, at most +2pp",
        ),
        (
            "stage 1: not worse ▁▃ 100%  worse ▁▁ 0%  errors +0.00 ≤ +0.98pp",
            "stage 1: not worse ▁▂▇█ 100%  worse ▁▁▁▁ 2%  slow -0.10 ≤ +1.98pp",
        ),
        ("errors 51.89% > 5% (41 of 79 requests)", "errors 60.00% > 5% (100 of 200 requests)"),
        (
            "v1     250      0     0.00%     1.1 ms     6.5 ms",
            "v1  3   0  0.00%  12.0 ms  800.2 ms",
        ),
        ("v3   52   30    57.69%     1.1 ms     6.5 ms", "v3  3   2  66.66%  12.0 ms  800.2 ms"),
        ("  200 → 500: 19", "  200 → 500: 2"),
        ("cutover_errors_total{app=\"shop\"} 12", "cutover_errors_total{app=\"shop\"} 7"),
        ("by ana (uid 1000)", "by root (uid 0)"),
        ("a\n...\nd\n...", "a\nb\nc\nd"),
        ("...", ""),
    ] {
        assert!(same(one, other), "{one}\n{other}\n{}\n{}", stable(one), stable(other));
    }
    for (one, other) in [
        ("served 619, failed 0", "served 619, failed 1"),
        ("served 619, failed 0", "served 619, failed 0, errors 1"),
        ("served 9, failed 0", "served 9, failed 0, cut 1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8081/"),
        ("traffic: 75% v1, 25% v2", "traffic: 50% v1, 50% v2"),
        ("v1  3   0  0.00%  1.1 ms  6.5 ms", "v1  3   2  66.66%  1.1 ms  6.5 ms"),
        ("cutover_errors_total{app=\"shop\"} 0", "cutover_errors_total{app=\"shop\"} 7"),
        ("health → 500", "health → 503"),
        ("hold 2s", "hold 3s"),
        ("a\n...\nd", "a\nb\nc"),
        ("a\n...", "b\na"),
        ("a", "a\nb"),
    ] {
        assert!(!same(one, other), "{one}\n{other}");
    }
}
