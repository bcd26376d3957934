//! Arbitrary text as a parameter, and arbitrary values as results.

use std::ffi::OsStr;

use arbitrary::Unstructured;
use rmpv::Value;

use crate::{
    extended_json::timestamp,
    params::{self, ParamError},
    render::json::to_string,
};

/// Reads text as a `--json` parameter, or a message as a value, and sees that what is printed is JSON, can be given back, and is
/// printed the same again.
pub fn json(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let is_text = script.arbitrary().unwrap_or_default();
    let rest = script.take_rest();
    if is_text {
        text(&String::from_utf8_lossy(rest));
    } else if let Ok(value) = rmpv::decode::read_value_with_max_depth(&mut &rest[..], 200) {
        printed(&value);
    }
}

fn text(text: &str) {
    let read = params::json(OsStr::new(text));
    let other = serde_json::from_str::<serde_json::Value>(text);
    match read {
        Ok(value) => {
            other.expect("the other reader takes it as well");
            let printed = printed(&value);
            // What was read has one form only, so nothing is lost.
            assert!(is_same(&value, &params::json(OsStr::new(&printed)).expect("it was printed")));
        }
        Err(ParamError::Json(reason)) => {
            assert!(!reason.to_string().is_empty());
            // Depth apart, which is the same for both.
            assert!(other.is_err(), "{text:?}: {reason}");
        }
        Err(ParamError::TooBig(number)) => {
            assert!(number.parse::<u64>().is_err() && number.parse::<i64>().is_err(), "{number}");
        }
        Err(ParamError::Form { form, .. }) => {
            assert!(text.contains('$') || text.contains('\\'), "{form}");
        }
        Err(ParamError::NotText) => panic!("{text:?} is text"),
    }
}

/// A value as it is printed.
fn printed(value: &Value) -> String {
    let printed = to_string(value);
    if let Err(reason) = serde_json::from_str::<serde_json::Value>(&printed) {
        // Readers of JSON bound the depth; `$map` takes three levels for one.
        assert!(reason.to_string().contains("recursion limit"), "{reason}: {printed}");
        return printed;
    }
    let again = params::json(OsStr::new(&printed)).expect("what is printed can be given back");
    assert_eq!(to_string(&again), printed);
    assert!(is_same(&canonical(value), &again), "{value} became {again}");
    printed
}

/// What is left of a value in JSON: floats of 64 bits, text that is UTF-8, timestamps in their shortest form.
fn canonical(value: &Value) -> Value {
    match value {
        Value::F32(number) => Value::F64((*number).into()),
        Value::String(text) if text.is_err() => Value::Binary(text.as_bytes().to_vec()),
        Value::Ext(timestamp::CODE, bytes) => {
            let time = timestamp::decode(bytes);
            let bytes = time.and_then(|(seconds, nanos)| timestamp::encode(seconds, nanos));
            bytes.map_or_else(|| value.clone(), |bytes| Value::Ext(timestamp::CODE, bytes))
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| (canonical(key), canonical(value)));
            Value::Map(pairs.collect())
        }
        other => other.clone(),
    }
}

/// By bytes, since no NaN is equal to itself, and for JSON there is one only.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::F64(one), Value::F64(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.all(|(one, other)| is_same(&one.0, &other.0) && is_same(&one.1, &other.1))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn random_values(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::json(&data);
        }

        #[test]
        fn random_texts(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("{\"$bin\":"), Just("{\"$map\":["), Just("{\"$ext\":[1,"), Just("\"aGk=\""),
                    Just("["), Just("]"), Just("{"), Just("}"), Just(","), Just(":"), Just("\"\""),
                    Just("1"), Just("-0.0"), Just("1e400"), Just("null"), Just("{\"a\":"),
                    Just("18446744073709551616"),
                ],
                0..12,
            ),
        ) {
            super::json(&[&[1], parts.concat().as_bytes()].concat());
        }
    }
}
