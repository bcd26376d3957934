//! Arbitrary bytes as msgpack, beside another implementation.

use arbitrary::Unstructured;
use bytes::{Bytes, BytesMut};
use rmpv::Value;

use crate::{
    Args, Limits, Malformed,
    msgpack::{self, Reader},
};

/// So deep may values be that the other implementation is asked for: it recurses.
const DEPTH: u32 = 200;

/// Walks over a value within limits, and compares what is found with what `rmpv` makes of the same bytes.
pub fn msgpack(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let Ok((limits, input, is_value)) = prepare(&mut script) else { return };
    let mut reader = Reader::new(&input, &limits);
    let walked = reader.value(0);
    let mut rest = &input[..];
    let read = rmpv::decode::read_value(&mut rest);
    let other = read.ok().map(|value| (input.len() - rest.len(), Shape::of(&value), value));
    match walked {
        Ok(value) => {
            let (length, shape, other) = other.expect("the other implementation reads it as well");
            assert_eq!((value.len(), reader.position()), (length, length));
            assert_eq!(reader.rest(), &input[length..]);
            assert!(
                shape.is_text && shape.depth <= limits.depth && shape.values <= limits.elements
            );
            sound(value, &shape, &other);
        }
        Err(reason) => refused(reason, &input, &limits, other.map(|(_, shape, _)| shape)),
    }
    assert!(walked.is_ok() || !is_value || limits != Limits::default().depth(DEPTH));
}

/// Limits, and bytes that are a value or anything.
fn prepare(script: &mut Unstructured<'_>) -> arbitrary::Result<(Limits, Vec<u8>, bool)> {
    let mut limits = Limits::default().depth(DEPTH);
    if script.arbitrary()? {
        limits = limits.depth(script.int_in_range(0..=8)?).elements(script.int_in_range(0..=40)?);
    }
    let is_value = script.arbitrary()?;
    let mut bytes = Vec::new();
    if is_value {
        put_value(script, 0, &mut bytes)?;
    } else {
        bytes.extend(script.bytes(script.len())?);
    }
    Ok((limits, bytes, is_value))
}

/// Appends a value in any of the forms in which it can be written.
fn put_value(
    script: &mut Unstructured<'_>,
    depth: u32,
    out: &mut Vec<u8>,
) -> arbitrary::Result<()> {
    let kind = script.int_in_range(0..=9_u8)?;
    // Whatever is chosen, bytes that run out end it: a script gives zeros then.
    let parts =
        if depth < DEPTH - 1 && script.len() > 2 { script.int_in_range(0..=5)? } else { 0 };
    match kind {
        0 | 1 => {
            put_length(script, parts, Some((0x90, 16)), [None, Some(0xdc), Some(0xdd)], out)?;
            (0..parts).try_for_each(|_| put_value(script, depth + 1, out))?;
        }
        2 | 3 => {
            put_length(script, parts, Some((0x80, 16)), [None, Some(0xde), Some(0xdf)], out)?;
            (0..2 * parts).try_for_each(|_| put_value(script, depth + 1, out))?;
        }
        4 => {
            let text: &str = script.arbitrary()?;
            let forms = [Some(0xd9), Some(0xda), Some(0xdb)];
            put_length(script, text.len(), Some((0xa0, 32)), forms, out)?;
            out.extend(text.as_bytes());
        }
        5 => {
            let bytes: &[u8] = script.arbitrary()?;
            put_length(script, bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)], out)?;
            out.extend(bytes);
        }
        6 => {
            let bytes: &[u8] = script.arbitrary()?;
            let fixed = match bytes.len() {
                1 => Some(0xd4),
                2 => Some(0xd5),
                4 => Some(0xd6),
                8 => Some(0xd7),
                16 => Some(0xd8),
                _ => None,
            };
            match fixed {
                Some(marker) if script.arbitrary()? => out.push(marker),
                _ => {
                    let forms = [Some(0xc7), Some(0xc8), Some(0xc9)];
                    put_length(script, bytes.len(), None, forms, out)?;
                }
            }
            out.push(script.arbitrary()?);
            out.extend(bytes);
        }
        7 => {
            let marker = script.int_in_range(0xca..=0xd3_u8)?;
            let width = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8][usize::from(marker - 0xca)];
            out.push(marker);
            out.extend(&script.arbitrary::<[u8; 8]>()?[..width]);
        }
        8 => out.push(*script.choose(&[0xc0, 0xc2, 0xc3])?),
        _ => out.push(script.int_in_range(0..=0x7f)?),
    }
    Ok(())
}

/// Appends the marker for so many bytes or parts: a short form if there is one that takes it, or one with a length of 1, 2 or
/// 4 bytes.
fn put_length(
    script: &mut Unstructured<'_>,
    length: usize,
    short: Option<(u8, usize)>,
    long: [Option<u8>; 3],
    out: &mut Vec<u8>,
) -> arbitrary::Result<()> {
    if let Some((marker, below)) = short
        && length < below
        && script.arbitrary()?
    {
        out.push(marker | length as u8);
        return Ok(());
    }
    let width = script.int_in_range(0..=2_usize)?;
    let fits = [length <= 0xff, length <= 0xffff, true];
    let width = (width..3).find(|width| fits[*width] && long[*width].is_some()).unwrap_or(2);
    out.extend(long[width]);
    out.extend(&(length as u32).to_be_bytes()[4 - (1 << width)..]);
    Ok(())
}

/// What limits are about.
struct Shape {
    /// Arrays and maps around the innermost value, and itself if it is one.
    depth: u32,
    values: u32,
    /// Every str is UTF-8.
    is_text: bool,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let mut shape = Self { depth: 0, values: 0, is_text: true };
        let mut open = vec![(value, 0)];
        while let Some((value, depth)) = open.pop() {
            shape.values += 1;
            match value {
                Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
                Value::Map(pairs) => {
                    let parts = pairs.iter().flat_map(|(key, value)| [key, value]);
                    open.extend(parts.map(|part| (part, depth + 1)));
                }
                Value::String(text) => shape.is_text &= text.is_str(),
                _ => {}
            }
            let is_open = matches!(value, Value::Array(_) | Value::Map(_));
            shape.depth = shape.depth.max(depth + u32::from(is_open));
        }
        shape
    }
}

/// A value is refused for a reason that it gives.
fn refused(reason: Malformed, input: &[u8], limits: &Limits, shape: Option<Shape>) {
    assert!(!reason.to_string().is_empty());
    let is_so = match reason {
        Malformed::Truncated => shape.is_none(),
        Malformed::NeverUsed => input.contains(&0xc1),
        Malformed::NotUtf8 => shape.is_none_or(|shape| !shape.is_text),
        Malformed::TooDeep(most) => {
            most == limits.depth && shape.is_none_or(|shape| shape.depth > most)
        }
        Malformed::TooManyElements(most) => {
            most == limits.elements && shape.is_none_or(|shape| shape.values > most)
        }
        _ => false,
    };
    assert!(is_so, "{reason} is no reason to refuse {}", input.escape_ascii());
}

/// What holds of every value that is accepted.
fn sound(value: &[u8], shape: &Shape, other: &Value) {
    // Limits are exact.
    let exact = Limits::default().depth(shape.depth).elements(shape.values);
    assert_eq!(Reader::new(value, &exact).value(0), Ok(value));
    let fewer = exact.clone().elements(shape.values - 1);
    assert_eq!(
        Reader::new(value, &fewer).value(0),
        Err(Malformed::TooManyElements(shape.values - 1))
    );
    if let Some(depth) = shape.depth.checked_sub(1) {
        let shallower = exact.clone().depth(depth);
        assert_eq!(Reader::new(value, &shallower).value(0), Err(Malformed::TooDeep(depth)));
    }
    // No part of it is a value.
    for length in [0, value.len() / 2, value.len() - 1] {
        let part = Reader::new(&value[..length], &exact).value(0);
        assert_eq!(part, Err(Malformed::Truncated), "{length} of {}", value.len());
    }
    assert_eq!(Reader::again(value).value(0), Ok(value));
    let mut known = Reader::new(value, &exact);
    assert!(known.skip_values(shape.values, value.len()) && known.rest().is_empty());
    assert!(!Reader::new(value, &fewer).skip_values(shape.values, value.len()));
    scalars(value, other);
    parts(value, other);
    let args = Args::from_bytes(Bytes::copy_from_slice(value)).expect("it was walked");
    let decoded: Value = args.decode().expect("whatever is well-formed is a value");
    assert_eq!(written(&decoded), written(other));
}

/// The few reads that the protocol needs.
fn scalars(value: &[u8], other: &Value) {
    let content = match other {
        Value::String(text) => Some(text.as_bytes()),
        Value::Binary(bytes) => Some(&bytes[..]),
        _ => None,
    };
    assert_eq!(msgpack::raw_content(value), content);
    assert_eq!(msgpack::is_str(value), other.is_str());
    assert_eq!(msgpack::str_content(value), other.as_str());
    let number = match other {
        Value::Integer(number) => Some(number.as_i64().unwrap_or(i64::MAX)),
        Value::F32(number) => (!number.is_nan()).then_some(*number as i64),
        Value::F64(number) => (!number.is_nan()).then_some(*number as i64),
        _ => None,
    };
    assert_eq!(msgpack::number(value), number);
    // Ids are read by a way of their own.
    let (mut quick, mut slow) = (Reader::again(value), Reader::again(value));
    assert_eq!(quick.id(), slow.value(2));
    assert_eq!(quick.position(), slow.position());
}

/// Arrays and maps, part by part; and the few values that are written here.
fn parts(value: &[u8], other: &Value) {
    let mut reader = Reader::again(value);
    let array = reader.array().expect("it is well-formed");
    assert_eq!(array.map(|len| len as usize), other.as_array().map(Vec::len));
    let map = match array {
        Some(_) => None,
        None => reader.map().expect("it is well-formed"),
    };
    assert_eq!(map.map(|len| len as usize), other.as_map().map(Vec::len));
    let count = array.unwrap_or_default() + 2 * map.unwrap_or_default();
    for _ in 0..count {
        reader.value(1).expect("it is well-formed");
    }
    if array.or(map).is_some() {
        assert_eq!(reader.position(), value.len());
    }
    let first = other.as_array().and_then(|items| items.first());
    let read = msgpack::first(value).map(|first| &value[first]);
    assert_eq!(read.is_some(), first.is_some());
    if let (Some(mut read), Some(first)) = (read, first) {
        let read = rmpv::decode::read_value(&mut read).expect("it is well-formed");
        assert_eq!(written(&read), written(first));
    }
    let mut out = BytesMut::new();
    match other {
        Value::String(text) => msgpack::put_str(&mut out, text.as_str().unwrap_or_default()),
        Value::Integer(number) if number.is_u64() => {
            msgpack::put_uint(&mut out, number.as_u64().unwrap_or_default());
        }
        Value::Map(pairs) if pairs.is_empty() => msgpack::put_map(&mut out, 0),
        _ => return,
    }
    assert_eq!(out, written(other));
}

/// By bytes, since no NaN is equal to itself.
fn written(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).expect("a vector takes everything");
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn random_values(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::msgpack(&data);
        }
    }
}
