//! Values as deterministic CBOR (RFC 8949 §4.2.1), the form in which bucketing values are hashed:
//! shortest heads, sorted keys, whole floats as integers, other floats in the shortest form that
//! loses nothing.

use crate::number::Number;
use crate::value::Value;

/// Where the bytes go: a buffer or a hash.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for crate::hash::Murmur3 {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.feed(bytes);
    }
}

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const SIMPLE: u8 = 7 << 5;

/// Writes a value.
pub(crate) fn put_value(value: &Value, sink: &mut impl Sink) {
    match value {
        Value::Null => sink.put(&[SIMPLE | 22]),
        Value::Bool(truth) => sink.put(&[SIMPLE | 20 | u8::from(*truth)]),
        Value::Number(number) => put_number(*number, sink),
        Value::Text(text) => put_text(text, sink),
        Value::List(list) => {
            put_array_head(list.items().len(), sink);
            list.items().iter().for_each(|item| put_value(item, sink));
        }
        Value::Object(object) => {
            put_head(MAP, object.iter().len() as u64, sink);
            for (key, value) in object.iter() {
                put_text(key, sink);
                put_value(value, sink);
            }
        }
    }
}

/// Writes a text.
#[inline]
pub(crate) fn put_text(text: &str, sink: &mut impl Sink) {
    put_head(TEXT, text.len() as u64, sink);
    sink.put(text.as_bytes());
}

/// Writes what stands before a text of this many bytes.
#[inline]
pub(crate) fn put_text_head(length: usize, sink: &mut impl Sink) {
    put_head(TEXT, length as u64, sink);
}

/// Writes what stands before this many items.
pub(crate) fn put_array_head(length: usize, sink: &mut impl Sink) {
    put_head(ARRAY, length as u64, sink);
}

#[inline]
fn put_head(kind: u8, argument: u64, sink: &mut impl Sink) {
    match (u8::try_from(argument), u16::try_from(argument), u32::try_from(argument)) {
        (Ok(small @ 0..=23), ..) => sink.put(&[kind | small]),
        (Ok(byte), ..) => sink.put(&[kind | 24, byte]),
        (_, Ok(two), _) => {
            let [a, b] = two.to_be_bytes();
            sink.put(&[kind | 25, a, b]);
        }
        (_, _, Ok(four)) => {
            sink.put(&[kind | 26]);
            sink.put(&four.to_be_bytes());
        }
        (Err(_), Err(_), Err(_)) => {
            sink.put(&[kind | 27]);
            sink.put(&argument.to_be_bytes());
        }
    }
}

fn put_number(number: Number, sink: &mut impl Sink) {
    match number.whole() {
        Some(whole) => match u64::try_from(whole) {
            Ok(positive) => put_head(UNSIGNED, positive, sink),
            // -1 is written as 0, and so on; what is whole is at least -2^63.
            Err(_) => put_head(NEGATIVE, u64::try_from(-1 - whole).unwrap_or(u64::MAX), sink),
        },
        None => put_float(number.as_f64(), sink),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what is lost is compared afterwards")]
fn put_float(float: f64, sink: &mut impl Sink) {
    let single = float as f32;
    if float.is_nan() {
        sink.put(&[SIMPLE | 25, 0x7e, 0]);
    } else if f64::from(single) != float {
        sink.put(&[SIMPLE | 27]);
        sink.put(&float.to_be_bytes());
    } else if let Some(half) = half(single) {
        sink.put(&[SIMPLE | 25]);
        sink.put(&half.to_be_bytes());
    } else {
        sink.put(&[SIMPLE | 26]);
        sink.put(&single.to_be_bytes());
    }
}

/// The 16-bit float (IEEE 754 binary16) that is exactly this one.
fn half(single: f32) -> Option<u16> {
    let bits = single.to_bits();
    let sign = u16::try_from(bits >> 16).unwrap_or_default() & 0x8000;
    let exponent = i32::try_from((bits >> 23) & 0xff).unwrap_or_default() - 127;
    let fraction = bits & 0x7f_ffff;
    let magnitude = match exponent {
        128 if fraction == 0 => 0x7c00,
        -127 if fraction == 0 => 0,
        -14..=15 if fraction & 0x1fff == 0 => {
            u32::try_from(exponent + 15).unwrap_or_default() << 10 | fraction >> 13
        }
        // Subnormal halves are multiples of 2^-24.
        -24..=-15 => {
            let whole = fraction | 0x80_0000;
            let shift = u32::try_from(-1 - exponent).unwrap_or_default();
            if whole & ((1 << shift) - 1) != 0 {
                return None;
            }
            whole >> shift
        }
        _ => return None,
    };
    u16::try_from(magnitude).ok().map(|magnitude| sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(value: &Value) -> String {
        let mut bytes = vec![];
        put_value(value, &mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_examples_of_the_standard_come_out() {
        // RFC 8949, appendix A; 1.0 and the like are whole numbers here.
        for (json, bytes) in [
            ("0", "00"),
            ("10", "0a"),
            ("23", "17"),
            ("24", "1818"),
            ("100", "1864"),
            ("1000", "1903e8"),
            ("1000000", "1a000f4240"),
            ("1000000000000", "1b000000e8d4a51000"),
            ("18446744073709551615", "1bffffffffffffffff"),
            ("-1", "20"),
            ("-1000", "3903e7"),
            ("-9223372036854775808", "3b7fffffffffffffff"),
            ("1.0", "01"),
            ("-0.0", "00"),
            ("1.1", "fb3ff199999999999a"),
            ("1.5", "f93e00"),
            ("100000.5", "fa47c35040"),
            ("3.4028234663852886e38", "fa7f7fffff"),
            ("1e300", "fb7e37e43c8800759c"),
            ("5.960464477539063e-8", "f90001"),
            ("0.00006103515625", "f90400"),
            ("0.000030517578125", "f90200"),
            ("-4.5", "f9c480"),
            ("false", "f4"),
            ("true", "f5"),
            ("null", "f6"),
            (r#""""#, "60"),
            (r#""IETF""#, "6449455446"),
            (r#""ü""#, "62c3bc"),
            ("[]", "80"),
            ("[1,[2,3]]", "8201820203"),
            (r#"{"b":1,"aa":2,"a":3}"#, "a3616103616201626161 02"),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(hex(&value), bytes.replace(' ', ""), "{json}");
        }
        assert_eq!(hex(&Value::Number(Number::Float(f64::INFINITY))), "f97c00");
        assert_eq!(hex(&Value::Number(Number::Float(f64::NAN))), "f97e00");
        assert_eq!(hex(&Value::Number(Number::Float(65520.5))), "fa477ff080");
        let text = "x".repeat(300);
        assert!(hex(&Value::text(&text)).starts_with("79012c78"));
    }
}
