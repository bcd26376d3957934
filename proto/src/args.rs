//! Arguments and results: one msgpack value each, encoded once and carried as bytes.

mod into;
mod lenient;

use std::{cell::Cell, fmt, ops::Range};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rmp::Marker;
use serde::{Deserialize, Serialize};

use crate::{
    error::{DecodeError, EncodeError, Malformed, Reason},
    limits::Limits,
    msgpack::{self, Reader},
};
pub use into::IntoArgs;
use lenient::Lenient;

/// One well-formed msgpack value: the arguments of a call, its result, or an item of a stream.
///
/// Cloning is cheap; a received value is a slice of the message that brought it. This is the only place
/// where serde meets the protocol.
///
/// ```
/// use zerorpc_proto::Args;
///
/// let args = Args::encode_params(&("ten", 10))?;
/// assert_eq!(args.as_bytes()[..], *b"\x92\xa3ten\x0a");
/// let (name, value): (String, i32) = args.decode()?;
/// assert_eq!((name.as_str(), value), ("ten", 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Args(Bytes);

impl Args {
    /// The value nil.
    pub const NIL: Self = Self(Bytes::from_static(&[0xc0]));
    /// The empty array: no arguments.
    pub const NONE: Self = Self(Bytes::from_static(&[0x90]));

    /// Encodes any value. Structs become maps from field names.
    ///
    /// Byte strings are what `serde_bytes` marks as such; a plain `Vec<u8>` is an array of numbers. Small values that
    /// a thread encodes share memory, 4 KiB at a time.
    ///
    /// # Errors
    /// When the value refuses to be serialised, or holds integers beyond 64 bits.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        /// A value needs no memory of its own as long as so much of it is left.
        const ROOM: usize = 64;
        const CHUNK: usize = 4 << 10;
        thread_local! {
            static CHUNKS: Cell<BytesMut> = Cell::default();
        }
        // Taken out: values may encode others while they are serialised.
        let mut chunk = CHUNKS.take();
        if chunk.capacity() - chunk.len() < ROOM {
            chunk.reserve(CHUNK);
        }
        let mut writer = chunk.writer();
        let serialised =
            value.serialize(&mut rmp_serde::Serializer::new(&mut writer).with_struct_map());
        chunk = writer.into_inner();
        let encoded = if chunk.len() <= CHUNK {
            let encoded = chunk.split().freeze();
            CHUNKS.set(chunk);
            encoded
        } else {
            // What is left behind it would keep all of it alive until this thread encodes something else.
            without_waste(chunk)
        };
        match serialised {
            Ok(()) => Ok(Self(encoded)),
            Err(error) => Err(EncodeError(Reason::of(error))),
        }
    }

    /// Encodes the arguments of a call: a tuple, an array or a list; `()` is none.
    ///
    /// # Errors
    /// When the value is none of these, or cannot be encoded.
    pub fn encode_params<T: Serialize + ?Sized>(params: &T) -> Result<Self, EncodeError> {
        let args = Self::encode(params)?;
        match args {
            args if args.is_array() => Ok(args),
            args if args == Self::NIL => Ok(Self::NONE),
            _ => Err(EncodeError(
                "the arguments of a call are a list: pass a tuple such as (value,), or () for none"
                    .to_owned()
                    .into(),
            )),
        }
    }

    /// Decodes the value as `T`.
    ///
    /// Integral floats decode into integers, as JavaScript peers send them, and bin into text if it is
    /// UTF-8, as Python 2 peers send it.
    ///
    /// # Errors
    /// When the value is of another type.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(&self.0[..]);
        deserializer.set_max_depth(Limits::default().depth as usize);
        T::deserialize(Lenient(&mut deserializer)).map_err(|error| DecodeError(Reason::of(error)))
    }

    /// Takes encoded bytes that hold exactly one value.
    ///
    /// # Errors
    /// When they do not.
    pub fn from_bytes(encoded: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(&encoded, &Limits::default());
        reader.value(0)?;
        if reader.position() != encoded.len() {
            return Err(Malformed::Trailing);
        }
        Ok(Self(encoded))
    }

    /// Takes bytes that a [`Reader`] has walked as one value.
    pub(crate) fn from_read(value: Bytes) -> Self {
        Self(value)
    }

    /// Takes a value out of the message in which a [`Reader`] has walked it; with it goes the message, unless it is
    /// `large` and the value is not most of it.
    pub(crate) fn slice_of(mut message: Bytes, value: Range<usize>, large: usize) -> Self {
        if message.len() >= large && 2 * value.len() < message.len() {
            return Self(Bytes::copy_from_slice(&message[value]));
        }
        // Neither shares the message once more, as a slice would.
        message.truncate(value.end);
        message.advance(value.start);
        Self(message)
    }

    /// The encoded value.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The encoded value, given away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Whether the value is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        let marker = self.0.first().map(|byte| Marker::from_u8(*byte));
        matches!(marker, Some(Marker::FixArray(_) | Marker::Array16 | Marker::Array32))
    }

    /// The elements of an array; `None` for any other value.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Self>> {
        self.leading(u32::MAX)
    }

    /// The first elements of an array, `most` at most; `None` for any other value.
    pub(crate) fn leading(&self, most: u32) -> Option<Vec<Self>> {
        let mut reader = Reader::again(&self.0);
        let len = reader.array().ok()??;
        let mut element = |index| reader.element(len - index).ok();
        (0..len.min(most)).map(|index| Some(Self(self.0.slice_ref(element(index)?)))).collect()
    }

    /// The first element of an array; `None` for an empty one and for any other value.
    pub(crate) fn into_first(self) -> Option<Self> {
        let first = msgpack::first(&self.0)?;
        Some(Self::slice_of(self.0, first, usize::MAX))
    }

    /// A copy of its own, which keeps no message in memory.
    pub(crate) fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

/// The bytes in memory that is hardly larger than they are: a buffer that has grown may be twice as large.
fn without_waste(buffer: BytesMut) -> Bytes {
    if buffer.capacity() - buffer.len() <= buffer.len() / 8 {
        return buffer.freeze();
    }
    let mut exact = Vec::from(buffer);
    exact.shrink_to_fit();
    Bytes::from(exact)
}

impl fmt::Debug for Args {
    /// The first bytes in hexadecimal, and how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        write!(f, "Args(")?;
        for byte in self.0.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        match self.0.len() {
            0..=SHOWN => write!(f, ")"),
            len => write!(f, "… {len} bytes)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_lists() {
        let encode =
            |params: &dyn Fn() -> Result<Args, EncodeError>| params().map(|args| args.0.to_vec());
        assert_eq!(encode(&|| Args::encode_params(&())), Ok(vec![0x90]));
        assert_eq!(encode(&|| Args::encode_params(&(1,))), Ok(vec![0x91, 1]));
        assert_eq!(encode(&|| Args::encode_params(&[1, 2])), Ok(vec![0x92, 1, 2]));
        assert!(encode(&|| Args::encode_params("text")).is_err());
        assert!(encode(&|| Args::encode_params(&5)).is_err());
    }

    #[test]
    fn one_value_only() {
        assert_eq!(Args::from_bytes(Bytes::from_static(&[1, 2])), Err(Malformed::Trailing));
        assert_eq!(Args::from_bytes(Bytes::new()), Err(Malformed::Truncated));
    }

    #[test]
    fn peers_number_and_text_habits() -> Result<(), Box<dyn std::error::Error>> {
        let floats = Args::encode(&(3.0_f64, Some(4.0_f32), vec![5.0]))?;
        let integers: (u8, Option<i64>, Vec<usize>) = floats.decode()?;
        assert_eq!(integers, (3, Some(4), vec![5]));
        let python2 = Args::encode(serde_bytes::Bytes::new(b"text"))?;
        assert_eq!(python2.decode::<String>()?, "text");
        for wrong in [0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert!(Args::encode(&wrong)?.decode::<i64>().is_err(), "{wrong}");
        }
        assert!(Args::encode(&-1.0)?.decode::<u32>().is_err());
        assert!(Args::encode("1")?.decode::<u32>().is_err());
        Ok(())
    }

    #[test]
    fn elements_are_slices() -> Result<(), Box<dyn std::error::Error>> {
        let args = Args::encode(&("a", (1, 2)))?;
        let elements = args.elements().ok_or("an array")?;
        assert_eq!(elements[1].decode::<(u8, u8)>()?, (1, 2));
        assert_eq!(Args::NIL.elements(), None);
        Ok(())
    }

    #[test]
    fn deep_values_end_in_an_error_on_a_small_stack() {
        let mut deep = vec![0x91; 100_000];
        deep.push(0xc0);
        assert_eq!(Args::from_bytes(deep.into()), Err(Malformed::TooDeep(Limits::default().depth)));
        let mut deepest = vec![0x91; Limits::default().depth as usize - 1];
        deepest.push(0xc0);
        let deepest = Args::from_bytes(deepest.into()).expect("within the limit");
        deepest.decode::<rmpv::Value>().expect("decodes on a test thread's stack");
    }
}
