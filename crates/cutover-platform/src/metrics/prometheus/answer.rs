//! What the API answers: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The labels of a series, its name among them.
pub(super) type Labels = BTreeMap<String, String>;

/// A point: seconds since the epoch, and a number as text (`"NaN"` and `"+Inf"` are some).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Point(pub(super) f64, pub(super) String);

impl Point {
    /// When, in milliseconds since the epoch; 0 for what is no time.
    pub(super) fn at(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of what is no time is 0 or the last there is"
        )]
        let milliseconds = (self.0 * 1000.0).round() as u64;
        milliseconds
    }
    /// The number, if it is finite.
    pub(super) fn number(&self) -> Option<f64> {
        self.1.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// The whole answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(super) enum Envelope {
    Success {
        data: Data,
        #[serde(default)]
        warnings: Vec<String>,
    },
    Error {
        error: String,
    },
}

/// What a query gives.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Data {
    /// Series at one moment.
    Vector(Vec<Single>),
    /// Series at several moments.
    Matrix(Vec<Row>),
    /// One number without labels.
    Scalar(Point),
    /// A text.
    String(IgnoredAny),
}

/// A series at one moment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Single {
    pub(super) metric: Labels,
    /// Native histograms have none.
    pub(super) value: Option<Point>,
}

/// A series at several moments.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Row {
    pub(super) metric: Labels,
    /// Native histograms have none.
    pub(super) values: Option<Vec<Point>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_they_are_documented() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","job":"x"},"value":[1435781451.781,"1"]},
            {"metric":{},"histogram":[1435781451.781,{"count":"1"}]}]},
            "infos":["i"],"warnings":["w"]}"#;
        let Ok(Envelope::Success { data: Data::Vector(all), warnings }) =
            serde_json::from_str(text)
        else {
            panic!("{text}")
        };
        let point = all[0].value.as_ref().unwrap();
        assert_eq!((point.at(), point.number()), (1_435_781_451_781, Some(1.0)));
        assert_eq!((all[0].metric["job"].as_str(), all[1].value.is_none()), ("x", true));
        assert_eq!(warnings, ["w"]);
        let text = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        let read: Envelope = serde_json::from_str(text).unwrap();
        assert!(matches!(read, Envelope::Error { error } if error == "parse error"));
        for odd in ["NaN", "+Inf", "-Inf", "", "x"] {
            assert_eq!(Point(0.0, odd.to_owned()).number(), None, "{odd}");
        }
        assert_eq!((Point(-1.0, String::new()).at(), Point(f64::NAN, String::new()).at()), (0, 0));
    }
}
