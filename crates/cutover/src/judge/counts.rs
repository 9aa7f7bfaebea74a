//! Counts of both sides as lines of JSON, one for a second or several.

use std::io::{self, BufRead, BufReader, Read};

use cutover_judge::{Arm, Counts};
use serde::Deserialize;
use serde_json::Number;

/// A longer line is no line of counts.
const LONGEST: usize = 1 << 20;
/// So that sums stay exact for as long as anybody reads.
const MOST_REQUESTS: u64 = 1_000_000_000;
const MOST_BUCKETS: usize = 10_000;
const MOST_SECONDS: u32 = 3600;

/// What both sides did in a span of time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// When, in whatever counts the time; if not given, the seconds so far.
    #[serde(default)]
    pub(crate) t: Option<Number>,
    /// How long it was.
    #[serde(default = "one")]
    pub(crate) seconds: u32,
    /// The share by which each request was dealt; if not given, the one that is seen.
    #[serde(default)]
    pub(crate) rho: Option<f64>,
    /// The candidate was fresh: its latencies are left out.
    #[serde(default)]
    pub(crate) cold: bool,
    pub(crate) candidate: Side,
    pub(crate) stable: Side,
}

fn one() -> u32 {
    1
}

/// What one side did.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    n: u64,
    #[serde(default)]
    errors: u64,
    #[serde(default)]
    latency_us: Histogram,
}

/// (upper bound in microseconds, how many), ascending.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Histogram {
    buckets: Vec<(u64, u64)>,
}

impl Side {
    pub(crate) fn arm(&self) -> Arm<'_> {
        Arm { counts: Counts::new(self.n, self.errors), latency: &self.latency_us.buckets }
    }

    fn check(&self, side: &'static str) -> Result<(), WrongCounts> {
        let Side { n, errors, .. } = *self;
        if n > MOST_REQUESTS {
            return Err(WrongCounts::TooMany { side, n });
        }
        if errors > n {
            return Err(WrongCounts::Errors { side, errors, n });
        }
        let buckets = &self.latency_us.buckets;
        if buckets.len() > MOST_BUCKETS {
            return Err(WrongCounts::Buckets { side, count: buckets.len() });
        }
        let falls =
            |pair: &&[(u64, u64)]| pair.first().map(|one| one.0) >= pair.last().map(|one| one.0);
        if let Some([(before, _), (after, _)]) = buckets.windows(2).find(falls) {
            return Err(WrongCounts::Order { side, before: *before, after: *after });
        }
        let answers = buckets.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        if answers > n {
            return Err(WrongCounts::Answers { side, answers, n });
        }
        Ok(())
    }
}

/// Numbers that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum WrongCounts {
    #[error("rho is {0}; the candidate's share of requests is between 0 and 1")]
    Share(f64),
    #[error("seconds is {0}; a line is of 1 to {MOST_SECONDS} seconds")]
    Seconds(u32),
    #[error("{side} has {n} requests; a line has at most {MOST_REQUESTS}")]
    TooMany { side: &'static str, n: u64 },
    #[error("{side} has {errors} errors in {n} requests")]
    Errors { side: &'static str, errors: u64, n: u64 },
    #[error("{side} has {count} buckets of latency; a line has at most {MOST_BUCKETS}")]
    Buckets { side: &'static str, count: usize },
    #[error("{side}'s buckets of latency do not ascend: {after} comes after {before}")]
    Order { side: &'static str, before: u64, after: u64 },
    #[error(
        "{side} has {answers} latencies of {n} requests; counts are those of each bucket alone, not cumulative"
    )]
    Answers { side: &'static str, answers: u64, n: u64 },
}

/// Why a line is no line of counts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadLine {
    /// It cannot be read at all.
    #[error("the input cannot be read")]
    Input(#[source] io::Error),
    #[error("line {line} is longer than 1 MiB")]
    Long { line: u64 },
    #[error("line {line} is no counts of two sides")]
    Form {
        line: u64,
        #[source]
        why: serde_json::Error,
    },
    #[error("line {line} has counts that cannot be")]
    Counts {
        line: u64,
        #[source]
        why: WrongCounts,
    },
}

impl Line {
    fn check(&self) -> Result<(), WrongCounts> {
        if let Some(rho) = self.rho.filter(|rho| !(*rho > 0.0 && *rho < 1.0)) {
            return Err(WrongCounts::Share(rho));
        }
        if !(1..=MOST_SECONDS).contains(&self.seconds) {
            return Err(WrongCounts::Seconds(self.seconds));
        }
        self.candidate.check("candidate")?;
        self.stable.check("stable")
    }
}

/// Reads lines of counts as they come; whoever else has such lines iterates over them likewise.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    text: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(crate) fn of(input: R) -> Lines<R> {
        Lines { input: BufReader::new(input), number: 0, text: vec![] }
    }

    /// The next line that is not empty.
    fn read(&mut self) -> Result<Option<Line>, BadLine> {
        loop {
            self.text.clear();
            let most = u64::try_from(LONGEST + 1).unwrap_or(u64::MAX);
            let mut input = self.input.by_ref().take(most);
            let length = input.read_until(b'\n', &mut self.text).map_err(BadLine::Input)?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            let line = self.number;
            if length > LONGEST {
                return Err(BadLine::Long { line });
            }
            let text = self.text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let read: Line =
                serde_json::from_slice(text).map_err(|why| BadLine::Form { line, why })?;
            read.check().map_err(|why| BadLine::Counts { line, why })?;
            return Ok(Some(read));
        }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Line, BadLine>;
    fn next(&mut self) -> Option<Result<Line, BadLine>> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn read(text: &str) -> Vec<Result<Line, BadLine>> {
        Lines::of(text.as_bytes()).collect()
    }

    #[test]
    fn lines_are_read_as_they_are_documented() {
        let text = r#"{"t":7,"rho":0.1,"candidate":{"n":200,"errors":1,"latency_us":{"buckets":[[900,150],[2000,49]]}},"stable":{"n":1800}}

            {"seconds":10,"candidate":{"n":0},"stable":{"n":5,"errors":5}}"#;
        let lines: Vec<Line> = read(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(lines.len(), 2);
        let Line { t, seconds, rho, candidate, stable, cold } = &lines[0];
        assert_eq!((t, seconds, rho, cold), (&Some(7.into()), &1, &Some(0.1), &false));
        assert_eq!(candidate.arm().counts, Counts { requests: 200, bad: 1 });
        assert_eq!(candidate.arm().latency, [(900, 150), (2000, 49)]);
        assert_eq!(stable.arm().counts, Counts { requests: 1800, bad: 0 });
        assert_eq!((&lines[1].t, lines[1].seconds, lines[1].rho), (&None, 10, None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let good = r#"{"candidate":{"n":1},"stable":{"n":1}}"#;
        let side = |candidate: &str| format!(r#"{{"candidate":{candidate},"stable":{{"n":1}}}}"#);
        let buckets = |list: &str| side(&format!(r#"{{"n":9,"latency_us":{{"buckets":{list}}}}}"#));
        for (bad, why) in [
            ("{".to_owned(), "EOF while parsing"),
            ("[1]".to_owned(), "invalid"),
            (r#"{"stable":{"n":1}}"#.to_owned(), "missing field `candidate`"),
            (side(r#"{"n":1,"erorrs":1}"#), "unknown field `erorrs`"),
            (side(r#"{"n":-1}"#), "-1"),
            (side(r#"{"n":1,"errors":2}"#), "candidate has 2 errors in 1 requests"),
            (side(r#"{"n":1000000001}"#), "at most 1000000000"),
            (buckets("[[10,1],[10,1]]"), "10 comes after 10"),
            (buckets("[[10,5],[20,9]]"), "14 latencies of 9 requests; counts are those of each"),
            (good.replacen('{', r#"{"rho":1,"#, 1), "rho is 1; the candidate's share"),
            (good.replacen('{', r#"{"seconds":0,"#, 1), "seconds is 0; a line is of 1 to 3600"),
        ] {
            let found = read(&format!("{good}\n{bad}\n"));
            let error = found[1].as_ref().unwrap_err();
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(found[0].is_ok() && error.to_string().contains("line 2 "), "{error}");
            assert!(cause.contains(why), "{cause} lacks {why}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_whole() {
        let error = Lines::of(io::repeat(b' ')).next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "line 1 is longer than 1 MiB");
        let many: Vec<String> = (1..=10_001).map(|le| format!("[{le},0]")).collect();
        let text = format!(
            r#"{{"candidate":{{"n":1,"latency_us":{{"buckets":[{}]}}}},"stable":{{"n":1}}}}"#,
            many.join(",")
        );
        assert!(matches!(read(&text)[0], Err(BadLine::Counts { line: 1, .. })));
    }
}
