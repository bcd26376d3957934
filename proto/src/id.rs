//! Message ids: whatever a peer chose, and the ones that we draw.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use bytes::{BufMut, BytesMut};
use smallvec::SmallVec;

use crate::{error::Malformed, msgpack};

/// The longest id that is taken from a peer, in bytes. Ids are echoed in every answer and are table keys.
const LONGEST: usize = 1024;

/// The id of an event as its sender encoded it; an answer echoes it byte for byte (ZRPC-3.11).
///
/// Two ids are equal when their text or bytes are, which is how answers find their calls: some peers answer `bin` ids
/// with `str` ones. As ids that peers give to requests, the two are different.
//
// A copy: ids live as long as their channels, and would keep the chunk of memory in which they came.
#[derive(Clone)]
pub struct MessageId(SmallVec<[u8; 40]>);

impl MessageId {
    /// Takes an encoded value from a header.
    ///
    /// # Errors
    /// When it is nil, an array or a map, or is longer than 1 KiB: those cannot be keys.
    pub fn new(encoded: &[u8]) -> Result<Self, Malformed> {
        key(encoded).map(Self::from_key).ok_or(Malformed::NoMessageId)
    }

    /// Takes what [`key`] has let pass.
    pub(crate) fn from_key(encoded: &[u8]) -> Self {
        Self(SmallVec::from_slice(encoded))
    }

    /// The id with its msgpack type.
    #[must_use]
    pub fn as_encoded(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it keeps beside itself.
    pub(crate) fn size(&self) -> usize {
        if self.0.spilled() { self.0.len() } else { 0 }
    }

    /// What an id holds: the content of str and bin, the encoding of anything else.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        content(&self.0)
    }
}

/// Lets an encoded value pass if it can be an id.
pub(crate) fn key(encoded: &[u8]) -> Option<&[u8]> {
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
    (is_key && encoded.len() <= LONGEST).then_some(encoded)
}

/// What an encoded id holds: the content of str and bin, the encoding of anything else.
pub(crate) fn content(key: &[u8]) -> &[u8] {
    msgpack::raw_content(key).unwrap_or(key)
}

/// An id that a peer gave to its request: that of another type is another id, whatever it holds, but a long form is the
/// same as a short one (ZRPC-3.12, ZRPC-3.15).
#[derive(Debug, Clone, Copy)]
pub(crate) struct TheirId<'a>(pub(crate) &'a [u8]);

/// What an id says, whichever of its forms it has.
#[derive(PartialEq, Eq, Hash)]
enum IdValue<'a> {
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Integer(i128),
    /// Its type, and what it holds.
    Ext(&'a [u8]),
    /// What has one form only.
    Other(&'a [u8]),
}

impl<'a> TheirId<'a> {
    fn value(self) -> IdValue<'a> {
        let Self(id) = self;
        match (msgpack::raw_content(id), msgpack::integer(id), msgpack::ext_content(id)) {
            (Some(text), ..) if msgpack::is_str(id) => IdValue::Str(text),
            (Some(bytes), ..) => IdValue::Bin(bytes),
            (_, Some(number), _) => IdValue::Integer(number),
            (.., Some(ext)) => IdValue::Ext(ext),
            _ => IdValue::Other(id),
        }
    }
}

impl PartialEq for TheirId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.value() == other.value()
    }
}

impl Eq for TheirId<'_> {}

impl Hash for TheirId<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match msgpack::raw_content(self.0) {
            // A str and a bin that hold the same may meet.
            Some(content) => content.hash(state),
            None => self.value().hash(state),
        }
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
    /// How many digits each has.
    pub(crate) const LEN: usize = 32;

    pub(crate) fn digits(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Whether a peer echoed this id.
    pub(crate) fn is(&self, echo: &[u8]) -> bool {
        self.0 == echo
    }

    /// Which channel an id of ours was drawn for, by what a peer echoed. What is no id of ours may lead anywhere: see
    /// whether it [is](Self::is) that channel's.
    pub(crate) fn slot(echo: &[u8]) -> Option<u32> {
        let digits: &[u8; 32] = echo.try_into().ok()?;
        let (front, _) = digits.split_first_chunk()?;
        // All eight at once. Letters have bit 6 set, and their low half begins with 1.
        let digits = u64::from_be_bytes(*front);
        let letters = digits >> 6 & 0x0101_0101_0101_0101;
        let halves = (digits & 0x0f0f_0f0f_0f0f_0f0f).wrapping_add(letters * 9);
        // Then two by two.
        let bytes = (halves | halves >> 4) & 0x00ff_00ff_00ff_00ff;
        let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
        Some((pairs | pairs >> 16) as u32)
    }

    /// Appends the id as bin.
    pub(crate) fn put(self, out: &mut BytesMut) {
        out.put_slice(&[0xc4, 32]);
        out.put_slice(&self.0);
    }

    /// The id as its echo will be compared.
    #[cfg(test)]
    pub(crate) fn to_message_id(self) -> MessageId {
        let mut encoded = BytesMut::with_capacity(34);
        self.put(&mut encoded);
        MessageId(SmallVec::from_slice(&encoded))
    }
}

/// Draws ids: 8 digits of its place for that of a channel, 8 of a counter, and 16 that no other generator has. Peers
/// take ids as they are (ZRPC-3.10); ours tell us where the channel is.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    counter: u32,
    left: u32,
    suffix: u64,
    digits: [u8; 16],
}

/// The place in ids of events that open no channel.
const NOWHERE: u32 = u32::MAX;

impl Ids {
    /// The seed must be random: it is what keeps the ids of many clients apart.
    pub(crate) fn new(seed: u128) -> Self {
        let suffix = (seed >> 32) as u64;
        Self { counter: seed as u32, left: u32::MAX, suffix, digits: long_hex(suffix) }
    }

    /// An id that is only told apart from others.
    pub(crate) fn draw(&mut self) -> OwnId {
        self.draw_for(NOWHERE)
    }

    /// The id of the channel at `slot`.
    pub(crate) fn draw_for(&mut self, slot: u32) -> OwnId {
        self.counter = self.counter.wrapping_add(1);
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => {
                self.left = u32::MAX;
                self.suffix = self.suffix.wrapping_add(1);
                self.digits = long_hex(self.suffix);
            }
        }
        let mut id = [0; 32];
        id[..8].copy_from_slice(&hex(slot));
        id[8..16].copy_from_slice(&hex(self.counter));
        id[16..].copy_from_slice(&self.digits);
        OwnId(id)
    }
}

fn long_hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&hex((number >> 32) as u32));
    digits[8..].copy_from_slice(&hex(number as u32));
    digits
}

/// The hexadecimal digits of a number.
fn hex(number: u32) -> [u8; 8] {
    // Each half byte in a byte of its own, two by two; then all are made digits at once.
    let pairs = (u64::from(number) | u64::from(number) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // From 10 on, adding 6 reaches bit 4.
    let letters = (halves + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let ascii = halves + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10);
    ascii.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_the_references() {
        let mut ids = Ids::new(0x0123_4567_89ab_cdef_0123_4567_0000_00ff);
        let id = ids.draw().to_message_id();
        assert_eq!(id.content(), b"ffffffff0000010089abcdef01234567");
        assert_eq!(id.as_encoded()[..2], [0xc4, 32]);
        assert_ne!(ids.draw().to_message_id(), id);
    }

    #[test]
    fn digits() {
        for number in [0, 9, 10, 0x0123_4567, 0x89ab_cdef, 0xf00f_0ff0, u32::MAX] {
            assert_eq!(hex(number), format!("{number:08x}").as_bytes());
        }
    }

    #[test]
    fn ids_of_channels_tell_where_they_are() {
        let mut ids = Ids::new(1);
        for slot in [0, 1, 0x1234_abcd, NOWHERE] {
            let id = ids.draw_for(slot).to_message_id();
            assert_eq!(OwnId::slot(id.content()), Some(slot));
        }
        let id = ids.draw_for(5);
        for other in [&b"00000005000000000000000000000000"[..], b"", &[b'0'; 31], &[0xff; 32]] {
            assert!(!id.is(other), "{}", other.escape_ascii());
            let _leads_anywhere = OwnId::slot(other);
        }
    }

    #[test]
    fn a_counter_that_has_gone_round_changes_the_suffix() {
        let mut ids = Ids::new(7);
        ids.left = 0;
        assert_eq!(ids.draw().to_message_id().content(), b"ffffffff000000080000000000000001");
    }

    #[test]
    fn requests_are_told_apart_by_type_too() {
        let kinds: [&[&[u8]]; 9] = [
            &[&[0xa1, 7], &[0xd9, 1, 7], &[0xdb, 0, 0, 0, 1, 7]],
            &[&[0xc4, 1, 7], &[0xc5, 0, 1, 7]],
            &[&[7], &[0xcc, 7], &[0xcd, 0, 7], &[0xd0, 7], &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7]],
            &[&[0xff], &[0xd0, 0xff], &[0xd2, 0xff, 0xff, 0xff, 0xff]],
            &[&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
            &[&[0xd4, 5, 7], &[0xc7, 1, 5, 7], &[0xc8, 0, 1, 5, 7], &[0xc9, 0, 0, 0, 1, 5, 7]],
            &[&[0xd4, 6, 7]],
            &[&[0xd5, 5, 7, 7], &[0xc7, 2, 5, 7, 7]],
            &[&[0xc3]],
        ];
        let forms = || {
            kinds.iter().enumerate().flat_map(|(kind, ids)| ids.iter().map(move |id| (kind, *id)))
        };
        let hash = |id| {
            let mut hasher = std::hash::DefaultHasher::new();
            TheirId(id).hash(&mut hasher);
            hasher.finish()
        };
        for (first, one) in forms() {
            for (second, other) in forms() {
                let same = TheirId(one) == TheirId(other);
                assert_eq!(same, first == second, "{one:x?} {other:x?}");
                assert!(!same || hash(one) == hash(other), "{one:x?} {other:x?}");
            }
        }
    }

    #[test]
    fn what_can_be_a_key() {
        let id = MessageId::new;
        for good in [&[0xa1, b'x'][..], &[0xc4, 1, b'x'], &[7], &[0xc3], &[0xd4, 1, 2]] {
            assert!(id(good).is_ok(), "{good:x?}");
        }
        for bad in [&[0xc0][..], &[0x90], &[0x80], &[0xdc, 0, 0], &[]] {
            assert!(id(bad).is_err(), "{bad:x?}");
        }
        assert_eq!(id(&[0xa1, b'x']), id(&[0xc4, 1, b'x']), "type does not matter to a match");
        assert!(MessageId::new(&[0xc5; 2000]).is_err());
    }
}
