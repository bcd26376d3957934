//! Bounded msgpack over borrowed bytes: skipping, and the few reads and writes that the protocol itself needs.
//!
//! Nothing here recurses, and no announced length is trusted before the bytes behind it were seen. Whole
//! values are left to serde, in `args.rs`.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use rmp::Marker;
use smallvec::SmallVec;

use crate::{error::Malformed, limits::Limits};

/// What one marker announces.
enum Token {
    /// A value without parts; its bytes are consumed.
    Scalar,
    /// This many values follow as its parts.
    Parts(u64),
}

/// Reads msgpack from the front of a slice, within limits.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    /// What has not been read.
    rest: &'a [u8],
    /// How many bytes there were at first.
    len: usize,
    max_depth: u32,
    /// How many values may still come.
    elements_left: u32,
    /// How many might at first.
    max_elements: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8], limits: &Limits) -> Self {
        Self {
            rest: input,
            len: input.len(),
            max_depth: limits.depth,
            elements_left: limits.elements,
            max_elements: limits.elements,
        }
    }

    /// Reads again what was found well-formed before; the limits were applied then.
    pub(crate) fn again(input: &'a [u8]) -> Self {
        let all = u32::MAX;
        Self {
            rest: input,
            len: input.len(),
            max_depth: all,
            elements_left: all,
            max_elements: all,
        }
    }

    /// How many bytes were consumed.
    pub(crate) fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// What was not consumed.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Consumes bytes that are known to be so many values, unless those are too many.
    pub(crate) fn skip_values(&mut self, values: u32, bytes: usize) -> bool {
        let may = self.elements_left >= values && self.rest.len() >= bytes;
        if may {
            self.elements_left -= values;
            self.rest = &self.rest[bytes..];
        }
        may
    }

    /// Consumes an array's marker; `None`, and nothing consumed, when something else comes.
    pub(crate) fn array(&mut self) -> Result<Option<u32>, Malformed> {
        let before = self.rest;
        match self.marker()? {
            Marker::FixArray(len) => Ok(Some(u32::from(len))),
            Marker::Array16 => self.length(2).map(Some),
            Marker::Array32 => self.length(4).map(Some),
            _ => {
                self.rest = before;
                Ok(None)
            }
        }
    }

    /// Consumes a map's marker; `None`, and nothing consumed, when something else comes.
    pub(crate) fn map(&mut self) -> Result<Option<u32>, Malformed> {
        let before = self.rest;
        match self.marker()? {
            Marker::FixMap(len) => Ok(Some(u32::from(len))),
            Marker::Map16 => self.length(2).map(Some),
            Marker::Map32 => self.length(4).map(Some),
            _ => {
                self.rest = before;
                Ok(None)
            }
        }
    }

    /// Consumes so many values that are encoded as `literal`, if they come next.
    pub(crate) fn literal(&mut self, values: u32, literal: &[u8]) -> bool {
        self.rest.starts_with(literal) && self.skip_values(values, literal.len())
    }

    /// Consumes one whole value of a header: quickly if it is an id as most peers draw them, a bin.
    pub(crate) fn id(&mut self) -> Result<&'a [u8], Malformed> {
        if let [0xc4, len, ..] = *self.rest
            && self.elements_left > 0
            && let Some((id, rest)) = self.rest.split_at_checked(2 + usize::from(len))
        {
            self.elements_left -= 1;
            self.rest = rest;
            return Ok(id);
        }
        self.value(2)
    }

    /// Consumes one whole value, however it is nested, and returns its bytes. `depth` is how many arrays and
    /// maps stand around it.
    pub(crate) fn value(&mut self, depth: u32) -> Result<&'a [u8], Malformed> {
        let before = self.rest;
        let Token::Parts(parts) = self.token()? else { return Ok(self.since(before)) };
        let mut open: SmallVec<[u64; 16]> = SmallVec::new();
        let mut missing = self.parts(parts, depth as usize + 1)?;
        loop {
            while missing == 0 {
                match open.pop() {
                    Some(outer) => missing = outer,
                    None => return Ok(self.since(before)),
                }
            }
            missing -= 1;
            if let Token::Parts(parts) = self.token()? {
                open.push(missing);
                missing = self.parts(parts, depth as usize + open.len() + 1)?;
            }
        }
    }

    /// Consumes the next of so many elements that an array has left, behind which nothing stands: the last one need not be
    /// walked.
    pub(crate) fn element(&mut self, left: u32) -> Result<&'a [u8], Malformed> {
        if left == 1 { self.take(self.rest.len()) } else { self.value(1) }
    }

    /// Whether so many parts may stand at this level.
    fn parts(&self, parts: u64, level: usize) -> Result<u64, Malformed> {
        if level > self.max_depth as usize {
            return Err(Malformed::TooDeep(self.max_depth));
        }
        // Each part takes a byte at least: an announcement that cannot be true ends here.
        if parts > self.rest.len() as u64 {
            return Err(Malformed::Truncated);
        }
        Ok(parts)
    }

    fn token(&mut self) -> Result<Token, Malformed> {
        self.elements_left = self
            .elements_left
            .checked_sub(1)
            .ok_or(Malformed::TooManyElements(self.max_elements))?;
        match self.marker()? {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => {
            }
            Marker::U8 | Marker::I8 => self.advance(1)?,
            Marker::U16 | Marker::I16 => self.advance(2)?,
            Marker::U32 | Marker::I32 | Marker::F32 => self.advance(4)?,
            Marker::U64 | Marker::I64 | Marker::F64 => self.advance(8)?,
            Marker::FixStr(len) => self.text(u32::from(len))?,
            Marker::Str8 => self.length(1).and_then(|len| self.text(len))?,
            Marker::Str16 => self.length(2).and_then(|len| self.text(len))?,
            Marker::Str32 => self.length(4).and_then(|len| self.text(len))?,
            Marker::Bin8 => self.length(1).and_then(|len| self.advance(len as usize))?,
            Marker::Bin16 => self.length(2).and_then(|len| self.advance(len as usize))?,
            Marker::Bin32 => self.length(4).and_then(|len| self.advance(len as usize))?,
            Marker::FixExt1 => self.advance(2)?,
            Marker::FixExt2 => self.advance(3)?,
            Marker::FixExt4 => self.advance(5)?,
            Marker::FixExt8 => self.advance(9)?,
            Marker::FixExt16 => self.advance(17)?,
            Marker::Ext8 => self.length(1).and_then(|len| self.ext(len))?,
            Marker::Ext16 => self.length(2).and_then(|len| self.ext(len))?,
            Marker::Ext32 => self.length(4).and_then(|len| self.ext(len))?,
            Marker::FixArray(len) => return Ok(Token::Parts(u64::from(len))),
            Marker::Array16 => return Ok(Token::Parts(u64::from(self.length(2)?))),
            Marker::Array32 => return Ok(Token::Parts(u64::from(self.length(4)?))),
            Marker::FixMap(len) => return Ok(Token::Parts(2 * u64::from(len))),
            Marker::Map16 => return Ok(Token::Parts(2 * u64::from(self.length(2)?))),
            Marker::Map32 => return Ok(Token::Parts(2 * u64::from(self.length(4)?))),
            Marker::Reserved => return Err(Malformed::NeverUsed),
        }
        Ok(Token::Scalar)
    }

    /// What was read since so much was left.
    fn since(&self, before: &'a [u8]) -> &'a [u8] {
        &before[..before.len() - self.rest.len()]
    }

    fn marker(&mut self) -> Result<Marker, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(Marker::from_u8(*byte))
    }

    fn length(&mut self, width: usize) -> Result<u32, Malformed> {
        let digits = self.take(width)?;
        Ok(digits.iter().fold(0, |len, byte| len << 8 | u32::from(*byte)))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn advance(&mut self, len: usize) -> Result<(), Malformed> {
        self.take(len).map(drop)
    }

    fn text(&mut self, len: u32) -> Result<(), Malformed> {
        let text = self.take(len as usize)?;
        std::str::from_utf8(text).map(drop).map_err(|_| Malformed::NotUtf8)
    }

    fn ext(&mut self, len: u32) -> Result<(), Malformed> {
        self.advance(1)?;
        self.advance(len as usize)
    }
}

/// Where the first element of one well-formed array is; `None` for an empty one and for any other value.
pub(crate) fn first(value: &[u8]) -> Option<Range<usize>> {
    let mut reader = Reader::again(value);
    let elements = reader.array().ok()??;
    if elements == 0 {
        return None;
    }
    let start = reader.position();
    reader.element(elements).ok()?;
    Some(start..reader.position())
}

/// The content of one well-formed str or bin value; `None` for anything else.
pub(crate) fn raw_content(value: &[u8]) -> Option<&[u8]> {
    let skip = match Marker::from_u8(*value.first()?) {
        Marker::FixStr(_) => 1,
        Marker::Str8 | Marker::Bin8 => 2,
        Marker::Str16 | Marker::Bin16 => 3,
        Marker::Str32 | Marker::Bin32 => 5,
        _ => return None,
    };
    value.get(skip..)
}

/// Whether one well-formed value is a str.
pub(crate) fn is_str(value: &[u8]) -> bool {
    let marker = value.first().map(|byte| Marker::from_u8(*byte));
    matches!(marker, Some(Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32))
}

/// The text of one well-formed str value; `None` for anything else.
pub(crate) fn str_content(value: &[u8]) -> Option<&str> {
    if is_str(value) { std::str::from_utf8(raw_content(value)?).ok() } else { None }
}

/// The number in one well-formed integer or float value, rounded towards zero and saturated; `None` for
/// anything else, NaN included.
pub(crate) fn number(value: &[u8]) -> Option<i64> {
    let (marker, rest) = value.split_first()?;
    let be = || rest.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Some(match Marker::from_u8(*marker) {
        Marker::FixPos(number) => i64::from(number),
        Marker::FixNeg(number) => i64::from(number),
        Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
            i64::try_from(be()).unwrap_or(i64::MAX)
        }
        Marker::I8 => i64::from(be() as u8 as i8),
        Marker::I16 => i64::from(be() as u16 as i16),
        Marker::I32 => i64::from(be() as u32 as i32),
        Marker::I64 => be() as i64,
        Marker::F32 => float(f64::from(f32::from_bits(be() as u32)))?,
        Marker::F64 => float(f64::from_bits(be()))?,
        _ => return None,
    })
}

/// The number in one well-formed integer; `None` for anything else.
pub(crate) fn integer(value: &[u8]) -> Option<i128> {
    let (marker, rest) = value.split_first()?;
    match Marker::from_u8(*marker) {
        Marker::U64 => Some(i128::from(u64::from_be_bytes(rest.try_into().ok()?))),
        Marker::F32 | Marker::F64 => None,
        _ => number(value).map(i128::from),
    }
}

/// The type of one well-formed ext value and what it holds, in one piece; `None` for anything else.
pub(crate) fn ext_content(value: &[u8]) -> Option<&[u8]> {
    let skip = match Marker::from_u8(*value.first()?) {
        Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16 => 1,
        Marker::Ext8 => 2,
        Marker::Ext16 => 3,
        Marker::Ext32 => 5,
        _ => return None,
    };
    value.get(skip..)
}

fn float(number: f64) -> Option<i64> {
    (!number.is_nan()).then_some(number as i64)
}

/// Appends a str in its shortest form.
pub(crate) fn put_str(out: &mut BytesMut, text: &str) {
    match u8::try_from(text.len()) {
        // As nearly all are; the general way takes longer.
        Ok(len @ 0..32) => {
            out.put_u8(0xa0 | len);
            out.put_slice(text.as_bytes());
        }
        _ => infallible(rmp::encode::write_str(&mut out.writer(), text)),
    }
}

/// Appends an unsigned integer in its shortest form.
pub(crate) fn put_uint(out: &mut BytesMut, number: u64) {
    infallible(rmp::encode::write_uint(&mut out.writer(), number));
}

/// Appends a map's marker.
pub(crate) fn put_map(out: &mut BytesMut, len: u32) {
    infallible(rmp::encode::write_map_len(&mut out.writer(), len));
}

/// A `BytesMut` grows as needed: writing to it cannot fail.
fn infallible<T, E>(_written: Result<T, E>) {}

#[cfg(test)]
mod tests;
