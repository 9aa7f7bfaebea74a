//! Numbers as JSON has them and as JSONLogic counts with them.

use std::fmt;

/// The largest whole number that every JSON reader keeps: 2^53 - 1.
pub const LARGEST_SAFE: i64 = (1 << 53) - 1;

/// A number. Whole ones up to 64 bits keep every digit, so that they hash as they were sent;
/// everything else is a double, as in JavaScript.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A whole number above [`i64::MAX`].
    Wide(u64),
    /// Any other number; NaN and the infinities come from calculations only.
    Float(f64),
}

/// Why a literal of a definition is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidNumber {
    /// JavaScript clients would see another number.
    #[error("is beyond 2^53 - 1 (9007199254740991), where clients begin to lose digits")]
    TooBig,
    /// It overflows a double, or is no number at all.
    #[error("is not a number that JSON readers agree on")]
    NoNumber,
}

impl Number {
    /// Reads the literal of a definition, which has to mean the same to every client.
    pub(crate) fn of_literal(text: &str) -> Result<Number, InvalidNumber> {
        if !text.contains(['.', 'e', 'E']) {
            let whole: i64 = text.parse().map_err(|_| InvalidNumber::TooBig)?;
            let safe = (-LARGEST_SAFE..=LARGEST_SAFE).contains(&whole);
            return safe.then_some(Number::Int(whole)).ok_or(InvalidNumber::TooBig);
        }
        let float: f64 = text.parse().map_err(|_| InvalidNumber::NoNumber)?;
        float.is_finite().then_some(Number::Float(float)).ok_or(InvalidNumber::NoNumber)
    }

    /// The nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "JSONLogic counts in doubles")]
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(whole) => whole as f64,
            Number::Wide(whole) => whole as f64,
            Number::Float(float) => float,
        }
    }

    /// The whole number that this is, if it is one of -2^63 to 2^64 - 1; 10.0 is 10.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    pub fn whole(self) -> Option<i128> {
        const LEAST: f64 = -9_223_372_036_854_775_808.0;
        const BEYOND: f64 = 18_446_744_073_709_551_616.0;
        match self {
            Number::Int(whole) => Some(whole.into()),
            Number::Wide(whole) => Some(whole.into()),
            Number::Float(float) => {
                let fits = float.fract() == 0.0 && (LEAST..BEYOND).contains(&float);
                fits.then_some(float as i128)
            }
        }
    }

    /// A calculated double; whole where that is exact.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    pub(crate) fn of_f64(float: f64) -> Number {
        const SAFE: f64 = 9_007_199_254_740_991.0;
        match float.fract() == 0.0 && float.abs() <= SAFE {
            true => Number::Int(float as i64),
            false => Number::Float(float),
        }
    }

    /// Is it neither NaN nor infinite?
    pub(crate) fn is_finite(self) -> bool {
        self.as_f64().is_finite()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        match (self, other) {
            (Number::Int(one), Number::Int(other)) => one == other,
            (Number::Wide(one), Number::Wide(other)) => one == other,
            (Number::Int(_) | Number::Wide(_) | Number::Float(_), _) => {
                self.as_f64() == other.as_f64()
            }
        }
    }
}

impl From<u64> for Number {
    fn from(whole: u64) -> Number {
        i64::try_from(whole).map_or(Number::Wide(whole), Number::Int)
    }
}

/// As JavaScript writes it (ECMA-262, Number::toString): 10.0 is `10`, 1e21 is `1e+21`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let float = match self {
            Number::Int(whole) => return write!(f, "{whole}"),
            Number::Wide(whole) => return write!(f, "{whole}"),
            Number::Float(float) => *float,
        };
        let size = float.abs();
        if float.is_nan() {
            f.write_str("NaN")
        } else if float.is_infinite() {
            f.write_str(if float > 0.0 { "Infinity" } else { "-Infinity" })
        } else if size == 0.0 {
            f.write_str("0")
        } else if (1e-6..1e21).contains(&size) {
            write!(f, "{float}")
        } else {
            let text = format!("{float:e}");
            match text.split_once('e') {
                Some((digits, power)) if !power.starts_with('-') => write!(f, "{digits}e+{power}"),
                Some(_) | None => f.write_str(&text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_that_clients_would_change_are_refused() {
        assert_eq!(Number::of_literal("9007199254740991"), Ok(Number::Int(LARGEST_SAFE)));
        assert_eq!(Number::of_literal("9007199254740992"), Err(InvalidNumber::TooBig));
        assert_eq!(Number::of_literal("-9007199254740992"), Err(InvalidNumber::TooBig));
        assert_eq!(Number::of_literal("99999999999999999999"), Err(InvalidNumber::TooBig));
        assert_eq!(Number::of_literal("1e999"), Err(InvalidNumber::NoNumber));
        assert_eq!(Number::of_literal("10.0"), Ok(Number::Int(10)));
    }

    #[test]
    fn text_is_that_of_javascript() {
        for (float, text) in [
            (10.0, "10"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1.5e-7, "1.5e-7"),
            (1e-6, "0.000001"),
            (-2.5e300, "-2.5e+300"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(Number::Float(float).to_string(), text);
        }
        assert_eq!(Number::from(u64::MAX).to_string(), "18446744073709551615");
    }

    #[test]
    fn whole_floats_are_whole_numbers() {
        assert_eq!(Number::Float(10.0).whole(), Some(10));
        assert_eq!(Number::Float(-9_223_372_036_854_775_808.0).whole(), Some(i64::MIN.into()));
        assert_eq!(Number::Float(1.8446744073709552e19).whole(), None);
        assert_eq!(Number::Float(0.5).whole(), None);
        assert_eq!(Number::Float(f64::NAN).whole(), None);
    }
}
