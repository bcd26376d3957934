//! Any value as one line of JSON, in the forms of [`crate::extended_json`].
//!
//! Containers are walked with a stack of their iterators instead of recursion: how deep a value is nested is
//! the peer's choice.

use std::{
    array,
    io::{self, Write},
    slice,
};

use base64::{Engine, display::Base64Display, engine::general_purpose::STANDARD};
use rmpv::{Utf8String, Value};

use crate::extended_json::{self, BIN, EXT, FLOAT, FLOATS, MAP, TIMESTAMP, timestamp};

/// Writes `value` without a newline at the end.
pub(crate) fn write(out: &mut impl Write, value: &Value) -> io::Result<()> {
    let mut open = Vec::new();
    open.extend(begin(out, value)?);
    while let Some(container) = open.last_mut() {
        let Some(step) = container.children.next() else {
            out.write_all(container.end)?;
            open.pop();
            continue;
        };
        if !std::mem::replace(&mut container.empty, false) {
            out.write_all(b",")?;
        }
        match step {
            Step::Value(value) => open.extend(begin(out, value)?),
            Step::Field(key, value) => {
                text(out, key)?;
                out.write_all(b":")?;
                open.extend(begin(out, value)?);
            }
            Step::Pair(pair) => {
                out.write_all(b"[")?;
                open.push(Container::new(Children::Pair(pair.into_iter()), b"]"));
            }
        }
    }
    Ok(())
}

/// The same as a string.
pub(crate) fn to_string(value: &Value) -> String {
    let mut out = Vec::new();
    // Writing into memory cannot fail, and what is written is UTF-8.
    let _ = write(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}

/// A container of which some children may still be unwritten.
struct Container<'a> {
    children: Children<'a>,
    /// No child was written yet.
    empty: bool,
    end: &'static [u8],
}

impl<'a> Container<'a> {
    fn new(children: Children<'a>, end: &'static [u8]) -> Self {
        Self { children, empty: true, end }
    }
}

enum Children<'a> {
    Items(slice::Iter<'a, Value>),
    Fields(slice::Iter<'a, (Value, Value)>),
    Pairs(slice::Iter<'a, (Value, Value)>),
    Pair(array::IntoIter<&'a Value, 2>),
}

enum Step<'a> {
    Value(&'a Value),
    Field(&'a str, &'a Value),
    Pair([&'a Value; 2]),
}

impl<'a> Iterator for Children<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        match self {
            Self::Items(items) => items.next().map(Step::Value),
            // The keys were all found to be text when the map was begun.
            Self::Fields(fields) => fields
                .next()
                .map(|(key, value)| Step::Field(key.as_str().unwrap_or_default(), value)),
            Self::Pairs(pairs) => pairs.next().map(|(key, value)| Step::Pair([key, value])),
            Self::Pair(pair) => pair.next().map(Step::Value),
        }
    }
}

/// Writes a scalar whole; of a container the beginning, and returns what is still to be written.
fn begin<'a>(out: &mut impl Write, value: &'a Value) -> io::Result<Option<Container<'a>>> {
    match value {
        Value::Nil => out.write_all(b"null")?,
        Value::Boolean(value) => write!(out, "{value}")?,
        Value::Integer(value) => write!(out, "{value}")?,
        Value::F32(value) => float(out, f64::from(*value))?,
        Value::F64(value) => float(out, *value)?,
        Value::String(value) => string(out, value)?,
        Value::Binary(bytes) => binary(out, bytes)?,
        Value::Ext(code, bytes) => extension(out, *code, bytes)?,
        Value::Array(items) => {
            out.write_all(b"[")?;
            return Ok(Some(Container::new(Children::Items(items.iter()), b"]")));
        }
        Value::Map(entries) if is_object(entries) => {
            out.write_all(b"{")?;
            return Ok(Some(Container::new(Children::Fields(entries.iter()), b"}")));
        }
        Value::Map(entries) => {
            write!(out, "{{\"{MAP}\":[")?;
            return Ok(Some(Container::new(Children::Pairs(entries.iter()), b"]}")));
        }
    }
    Ok(None)
}

/// Whether a map can be a plain object: all keys are text, and it cannot be taken for a form.
fn is_object(entries: &[(Value, Value)]) -> bool {
    match entries {
        [(key, _)] => key.as_str().is_some_and(|key| !extended_json::is_form(key)),
        _ => entries.iter().all(|(key, _)| key.as_str().is_some()),
    }
}

fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

fn string(out: &mut impl Write, value: &Utf8String) -> io::Result<()> {
    match value.as_str() {
        Some(value) => text(out, value),
        None => binary(out, value.as_bytes()),
    }
}

fn float(out: &mut impl Write, value: f64) -> io::Result<()> {
    // Two NaNs never compare equal.
    let spelling = FLOATS
        .iter()
        .find(|(_, special)| *special == value || (special.is_nan() && value.is_nan()));
    match spelling {
        Some((spelling, _)) => write!(out, "{{\"{FLOAT}\":\"{spelling}\"}}"),
        None => Ok(serde_json::to_writer(out, &value)?),
    }
}

fn binary(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write!(out, "{{\"{BIN}\":\"{}\"}}", Base64Display::new(bytes, &STANDARD))
}

fn extension(out: &mut impl Write, code: i8, bytes: &[u8]) -> io::Result<()> {
    match timestamp::decode(bytes) {
        Some((seconds, nanos)) if code == timestamp::CODE => {
            write!(out, "{{\"{TIMESTAMP}\":[{seconds},{nanos}]}}")
        }
        _ => write!(out, "{{\"{EXT}\":[{code},\"{}\"]}}", STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use rmpv::Value;

    use super::to_string;

    fn map(entries: Vec<(Value, Value)>) -> Value {
        Value::Map(entries)
    }

    #[test]
    fn every_value_has_its_form() {
        let invalid = rmpv::decode::read_value(&mut &[0xa2, 0xff, b'a'][..]).expect("well-formed");
        let table: Vec<(Value, &str)> = vec![
            (Value::Nil, "null"),
            (true.into(), "true"),
            (u64::MAX.into(), "18446744073709551615"),
            (i64::MIN.into(), "-9223372036854775808"),
            (1.0.into(), "1.0"),
            ((-0.0).into(), "-0.0"),
            (1e308.into(), "1e+308"),
            (0.1.into(), "0.1"),
            (Value::F32(0.5), "0.5"),
            (Value::F32(f32::INFINITY), r#"{"$float":"inf"}"#),
            (f64::NAN.into(), r#"{"$float":"nan"}"#),
            (f64::NEG_INFINITY.into(), r#"{"$float":"-inf"}"#),
            ("2011/03/07".into(), r#""2011/03/07""#),
            ("é\"\n\u{1b}".into(), r#""é\"\n\u001b""#),
            (invalid, r#"{"$bin":"/2E="}"#),
            (Value::Binary(vec![]), r#"{"$bin":""}"#),
            (Value::Binary(vec![0xde, 0xad, 0xbe, 0xef]), r#"{"$bin":"3q2+7w=="}"#),
            (Value::Ext(42, vec![1, 2]), r#"{"$ext":[42,"AQI="]}"#),
            (Value::Ext(-1, vec![0, 0, 0, 9]), r#"{"$timestamp":[9,0]}"#),
            (Value::Ext(-1, vec![9]), r#"{"$ext":[-1,"CQ=="]}"#),
            (Value::Ext(1, vec![0, 0, 0, 9]), r#"{"$ext":[1,"AAAACQ=="]}"#),
            (Value::Array(vec![]), "[]"),
            (
                Value::Array(vec![1.into(), Value::Array(vec![Value::Nil]), 2.into()]),
                "[1,[null],2]",
            ),
            (map(vec![]), "{}"),
            (map(vec![("a".into(), 1.into()), ("b".into(), map(vec![]))]), r#"{"a":1,"b":{}}"#),
            (
                map(vec![(1.into(), 2.into()), ("a".into(), Value::Nil)]),
                r#"{"$map":[[1,2],["a",null]]}"#,
            ),
            (map(vec![("$bin".into(), "x".into())]), r#"{"$map":[["$bin","x"]]}"#),
            (map(vec![("$else".into(), 1.into())]), r#"{"$else":1}"#),
            (map(vec![("$bin".into(), 1.into()), ("b".into(), 2.into())]), r#"{"$bin":1,"b":2}"#),
        ];
        for (value, json) in table {
            assert_eq!(to_string(&value), json, "{value:?}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        // A small stack would overflow if the writer recursed; the value's own drop does recurse, so it is
        // taken apart by hand.
        const DEPTH: usize = 100_000;
        let write = || {
            let mut value = Value::Nil;
            for level in 0..DEPTH {
                value = match level % 2 {
                    0 => Value::Array(vec![value]),
                    _ => Value::Map(vec![(Value::from(1), value)]),
                };
            }
            let length = to_string(&value).len();
            loop {
                value = match value {
                    Value::Array(mut items) => items.pop().unwrap_or(Value::Nil),
                    Value::Map(mut entries) => entries.pop().map_or(Value::Nil, |(_, value)| value),
                    _ => break,
                };
            }
            length
        };
        let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(write);
        let length = thread.expect("a thread").join().expect("no overflow");
        assert_eq!(length, DEPTH / 2 * (2 + r#"{"$map":[[1,]]}"#.len()) + "null".len());
    }
}
