//! Message ids: whatever a peer chose, and the ones that we draw.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use bytes::{BufMut, Bytes, BytesMut};

use crate::{error::Malformed, msgpack};

/// The longest id that is taken from a peer, in bytes. Ids are echoed in every answer and are table keys.
const LONGEST: usize = 1024;

/// The id of an event as its sender encoded it; an answer echoes it byte for byte (protocol section 3).
///
/// Two ids are equal when their text or bytes are: some peers answer `bin` ids with `str` ones.
#[derive(Clone)]
pub struct MessageId(Bytes);

impl MessageId {
    /// Takes an encoded value from a header.
    ///
    /// # Errors
    /// When it is nil, an array or a map, or is longer than 1 KiB: those cannot be keys.
    pub fn new(encoded: Bytes) -> Result<Self, Malformed> {
        use rmp::Marker;
        let marker = encoded.first().map_or(Marker::Null, |byte| Marker::from_u8(*byte));
        let is_key = !matches!(
            marker,
            Marker::Null
                | Marker::Reserved
                | Marker::FixArray(_)
                | Marker::Array16
                | Marker::Array32
                | Marker::FixMap(_)
                | Marker::Map16
                | Marker::Map32
        );
        if is_key && encoded.len() <= LONGEST {
            Ok(Self(encoded))
        } else {
            Err(Malformed::NoMessageId)
        }
    }

    /// A copy of its own, so that a channel's id does not keep a large message in memory.
    pub(crate) fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The id with its msgpack type.
    #[must_use]
    pub fn as_encoded(&self) -> &Bytes {
        &self.0
    }

    /// What ids are compared by: the content of str and bin, the encoding of anything else.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        msgpack::raw_content(&self.0).unwrap_or(&self.0)
    }
}

impl PartialEq for MessageId {
    fn eq(&self, other: &Self) -> bool {
        self.content() == other.content()
    }
}

impl Eq for MessageId {}

impl Hash for MessageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.content().hash(state);
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.content().escape_ascii())
    }
}

/// An id of our own: 32 hexadecimal digits, a bin on the wire as the reference's ids are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OwnId([u8; 32]);

impl OwnId {
    /// The id that a peer echoed, if it can be one of ours.
    pub(crate) fn from_echo(id: &MessageId) -> Option<Self> {
        id.content().try_into().ok().map(Self)
    }

    /// Appends the id as bin.
    pub(crate) fn put(self, out: &mut BytesMut) {
        out.put_slice(&[0xc4, 32]);
        out.put_slice(&self.0);
    }

    /// The id as its echo will be compared.
    pub(crate) fn to_message_id(self) -> MessageId {
        let mut encoded = BytesMut::with_capacity(34);
        self.put(&mut encoded);
        MessageId(encoded.freeze())
    }
}

/// Draws ids: a counter in front of digits that no other generator has (protocol section 3).
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    counter: u32,
    left: u32,
    suffix: u128,
    digits: [u8; 24],
}

impl Ids {
    /// The seed must be random: it is what keeps the ids of many clients apart.
    pub(crate) fn new(seed: u128) -> Self {
        let suffix = seed >> 32;
        Self { counter: seed as u32, left: u32::MAX, suffix, digits: hex(suffix) }
    }

    pub(crate) fn draw(&mut self) -> OwnId {
        self.counter = self.counter.wrapping_add(1);
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => {
                self.left = u32::MAX;
                self.suffix = self.suffix.wrapping_add(1);
                self.digits = hex(self.suffix);
            }
        }
        let mut id = [0; 32];
        let counter: [u8; 8] = hex(u128::from(self.counter));
        id[..8].copy_from_slice(&counter);
        id[8..].copy_from_slice(&self.digits);
        OwnId(id)
    }
}

/// The last `N` hexadecimal digits of a number.
fn hex<const N: usize>(mut number: u128) -> [u8; N] {
    let mut digits = [0; N];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_the_references() {
        let mut ids = Ids::new(0x0123_4567_89ab_cdef_0123_4567_0000_00ff);
        let id = ids.draw().to_message_id();
        assert_eq!(id.content(), b"000001000123456789abcdef01234567");
        assert_eq!(id.as_encoded()[..2], [0xc4, 32]);
        assert_ne!(ids.draw().to_message_id(), id);
    }

    #[test]
    fn a_counter_that_has_gone_round_changes_the_suffix() {
        let mut ids = Ids::new(7);
        ids.left = 0;
        assert_eq!(ids.draw().to_message_id().content(), b"00000008000000000000000000000001");
    }

    #[test]
    fn what_can_be_a_key() {
        let id = |bytes: &'static [u8]| MessageId::new(Bytes::from_static(bytes));
        for good in [&[0xa1, b'x'][..], &[0xc4, 1, b'x'], &[7], &[0xc3], &[0xd4, 1, 2]] {
            assert!(id(good).is_ok(), "{good:x?}");
        }
        for bad in [&[0xc0][..], &[0x90], &[0x80], &[0xdc, 0, 0], &[]] {
            assert!(id(bad).is_err(), "{bad:x?}");
        }
        assert_eq!(id(&[0xa1, b'x']), id(&[0xc4, 1, b'x']), "type does not matter to a match");
        assert!(MessageId::new(vec![0xc5; 2000].into()).is_err());
    }
}
