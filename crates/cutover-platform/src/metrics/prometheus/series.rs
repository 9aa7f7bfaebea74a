//! The series of an answer: which part each is from, and which instance.

use std::collections::BTreeMap;
use std::io::Cursor;

use cutover_core::id::ReleaseId;

use super::super::unread::Unread;
use super::answer::{Data, Labels, Point};
use super::question::{Counted, NOW, PART, Question};
use crate::local::printable;

/// Labels that name an instance; the first one that is there counts.
const INSTANCE: [&str; 2] = ["instance", "pod"];

/// A counter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) release: ReleaseId,
    pub(super) counted: Counted,
    /// What Prometheus calls the instance; empty if it does not tell them apart.
    pub(super) instance: String,
    /// Which series of the instance.
    pub(super) key: String,
    /// Of a bucket: which histogram, and up to how many seconds.
    pub(super) bucket: Option<Bucket>,
}

/// A bucket of a classic histogram.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bucket {
    pub(super) histogram: String,
    /// In seconds; not negative, and perhaps infinite.
    pub(super) bound: f64,
}

/// All counters at one moment.
pub(super) type Snapshot = Vec<(Series, f64)>;

/// Snapshots by their time, in milliseconds since the epoch.
pub(super) type Snapshots = BTreeMap<u64, Snapshot>;

/// Reads the answer to a question.
///
/// # Errors
/// Where a series is none that can be counted: a native histogram, a bucket without `le`, not a
/// finite whole number.
pub(super) fn snapshots(question: &Question, data: Data) -> Result<Snapshots, Unread> {
    let rows: Vec<(Labels, Option<Vec<Point>>)> = match data {
        Data::Vector(all) => {
            all.into_iter().map(|one| (one.metric, one.value.map(|point| vec![point]))).collect()
        }
        Data::Matrix(all) => all.into_iter().map(|row| (row.metric, row.values)).collect(),
        Data::Scalar(_) | Data::String(_) => vec![],
    };
    let mut found = Snapshots::new();
    for (labels, points) in rows {
        let series = match labels.get(PART).map(String::as_str) {
            Some(NOW) => None,
            Some(mark) => Some(series(question, mark, &labels)?),
            None => continue,
        };
        let counted = series.as_ref().map_or("the time", |series| series.counted.as_str());
        let points = points.ok_or_else(|| native(counted))?;
        for point in points {
            let snapshot = found.entry(point.at()).or_default();
            let Some(series) = &series else { continue };
            snapshot.push((series.clone(), count(counted, &point, &labels)?));
        }
    }
    Ok(found)
}

fn series(question: &Question, mark: &str, labels: &Labels) -> Result<Series, Unread> {
    let part = question.part(mark).ok_or_else(|| {
        Unread::new(format!("its answer holds something that was not asked: {mark:?}"))
    })?;
    let without = |name: &str| {
        let all = labels.iter().filter(|(label, _)| *label != name);
        digest(all.map(|(label, value)| format!("{label}={value}")))
    };
    let bucket = match part.counted {
        Counted::Requests | Counted::Errors => None,
        Counted::Latency => Some(Bucket { histogram: without("le"), bound: bound(labels)? }),
    };
    let instance = INSTANCE.iter().find_map(|label| labels.get(*label));
    Ok(Series {
        release: part.release,
        counted: part.counted,
        instance: instance.cloned().unwrap_or_default(),
        key: without(""),
        bucket,
    })
}

/// The upper bound of a bucket.
fn bound(labels: &Labels) -> Result<f64, Unread> {
    let Some(le) = labels.get("le") else {
        let reason = format!("`latency` gives a series without `le`: {}", shown(labels));
        return Err(Unread::new(reason).help("ask for the `_bucket` series of a histogram"));
    };
    let bound = le.parse().ok().filter(|bound: &f64| *bound >= 0.0);
    bound.ok_or_else(|| {
        Unread::new(format!("`latency` gives a bucket up to {le:?}: {}", shown(labels)))
    })
}

fn native(counted: &str) -> Unread {
    Unread::new(format!("`{counted}` gives a native histogram"))
        .help("ask for classic counters: the `_bucket` or `_count` series")
}

fn count(counted: &str, point: &Point, labels: &Labels) -> Result<f64, Unread> {
    let odd = |what: &str| {
        let number = printable(&point.1, 40);
        Unread::new(format!("`{counted}` gives {number}{what}: {}", shown(labels)))
    };
    let number = point.number().ok_or_else(|| odd(""))?;
    if number < 0.0 || number.fract() != 0.0 {
        return Err(odd(", which is no count")
            .help("ask for the counters themselves, without rate() or increase()"));
    }
    Ok(number)
}

/// Labels as people know them.
fn shown(labels: &Labels) -> String {
    let named = labels.iter().filter(|(label, _)| *label != PART && *label != "__name__");
    let all: Vec<String> = named.map(|(label, value)| format!("{label}={value:?}")).collect();
    let name = labels.get("__name__").map_or("", String::as_str);
    printable(&format!("{name}{{{}}}", all.join(",")), 200)
}

/// A name for a list of texts that is short, and the same in every process (MurmurHash3, 128 bits).
pub(super) fn digest(texts: impl IntoIterator<Item = String>) -> String {
    let mut all = String::new();
    for text in texts {
        all.push_str(&format!("{}:{text};", text.len()));
    }
    // Reading from memory does not fail.
    let hash = murmur3::murmur3_x64_128(&mut Cursor::new(all.as_bytes()), 0).unwrap_or_default();
    format!("{hash:032x}")
}
