//! The header of an event: ids, version, and every key that we do not know (protocol section 3).

use bytes::{BufMut, Bytes, BytesMut};

use super::context::{Context, RETURNED};
use crate::{
    args::Args,
    error::Malformed,
    id::{self, MessageId},
    msgpack::{self, Reader},
};

/// The version that this crate speaks, and writes into every header.
const CURRENT: u64 = 3;

/// The most keys taken from a peer: what is kept of them is larger than their bytes.
const MOST_KEYS: u32 = 1024;

/// The keys with a meaning of their own, encoded.
pub(super) const MESSAGE_ID: &[u8] = b"\xaamessage_id";
pub(super) const RESPONSE_TO: &[u8] = b"\xabresponse_to";
pub(super) const CURRENT_VERSION: &[u8] = b"\xa1v\x03";

/// The protocol version in a header: 1, 2, 3, larger, or absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version(Option<u64>);

impl Version {
    /// The version that this crate speaks.
    pub const CURRENT: Self = Self(Some(CURRENT));

    /// The number, or `None` when the header has none (or none that is a number).
    #[must_use]
    pub fn number(self) -> Option<u64> {
        self.0
    }
}

/// The header of an event.
// Exhaustive: keys that the protocol may get stand in the context.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// The event's own id. Only requests need a usable one.
    pub message_id: Option<MessageId>,
    /// The id of the channel that the event belongs to; absent on requests.
    pub response_to: Option<MessageId>,
    /// The protocol version of the sender.
    pub version: Version,
    /// All other keys.
    pub context: Context,
}

/// A header as it stands in its message.
#[derive(Debug, Default)]
pub(crate) struct HeaderRef<'a> {
    /// Its own id, encoded, if that can be a key; see [`MessageId`].
    pub(crate) message_id: Option<&'a [u8]>,
    /// The id of its channel, encoded, if that can be a key.
    pub(crate) response_to: Option<&'a [u8]>,
    pub(crate) version: Version,
    others: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> HeaderRef<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        if let Some(header) = Self::read_usual(reader) {
            return Ok(header);
        }
        let pairs = reader.map()?.ok_or(Malformed::HeaderNotMap)?;
        if pairs > MOST_KEYS {
            return Err(Malformed::TooManyKeys(MOST_KEYS));
        }
        let mut header = Self::default();
        // Errors about ids wait until the map is read to its end: the rest may still be worth having.
        let mut bad_response_to = false;
        for _ in 0..pairs {
            // As nearly every header has them.
            if reader.literal(1, MESSAGE_ID) {
                header.message_id = id::key(reader.id()?);
            } else if reader.literal(2, CURRENT_VERSION) {
                header.version = Version::CURRENT;
            } else if reader.literal(1, RESPONSE_TO) {
                let value = reader.id()?;
                header.response_to = id::key(value);
                bad_response_to = header.response_to.is_none() && value != [0xc0];
            } else {
                let key = reader.value(2)?;
                let value = reader.value(2)?;
                header.read_uncommon(key, value, &mut bad_response_to);
            }
        }
        if bad_response_to {
            return Err(Malformed::BadResponseTo);
        }
        Ok(header)
    }

    /// The header of nearly every answer, at one stroke: an id of 32 bytes, the current version, and the id of the channel,
    /// 32 bytes as well. Nothing is consumed where it is another.
    fn read_usual(reader: &mut Reader<'a>) -> Option<Self> {
        const FRONT: &[u8] = b"\x83\xaamessage_id\xc4\x20";
        const MIDDLE: &[u8] = b"\xa1v\x03\xabresponse_to\xc4\x20";
        const ID: usize = 32;
        const LEN: usize = FRONT.len() + ID + MIDDLE.len() + ID;
        let usual: &[u8; LEN] = reader.rest().first_chunk()?;
        let (front, rest) = usual.split_at(FRONT.len());
        let (_, rest) = rest.split_at(ID);
        let (middle, _) = rest.split_at(MIDDLE.len());
        if front != FRONT || middle != MIDDLE || !reader.skip_values(6, LEN) {
            return None;
        }
        // With the two bytes in front that make an id of the digits.
        let id = |end: usize| usual.get(end - ID - 2..end);
        Some(Self {
            message_id: id(FRONT.len() + ID),
            response_to: id(LEN),
            version: Version::CURRENT,
            others: Vec::new(),
        })
    }

    /// A key that is unknown, or encoded as few peers do.
    fn read_uncommon(&mut self, key: &'a [u8], value: &'a [u8], bad_response_to: &mut bool) {
        match msgpack::str_content(key) {
            Some("message_id") => self.message_id = id::key(value),
            Some("response_to") => {
                self.response_to = id::key(value);
                *bad_response_to = self.response_to.is_none() && value != [0xc0];
            }
            Some("v") => {
                self.version = Version(msgpack::number(value).and_then(|v| v.try_into().ok()));
            }
            _ => self.others.push((key, value)),
        }
    }

    /// Whether the request came back that this is the answer to.
    pub(crate) fn is_returned(&self) -> bool {
        self.is_marked(RETURNED)
    }

    fn is_marked(&self, mark: &str) -> bool {
        const TRUE: &[u8] = &[0xc3];
        let marks = |(key, value): &(&[u8], &[u8])| {
            msgpack::str_content(key) == Some(mark) && *value == TRUE
        };
        self.others.iter().any(marks)
    }

    /// The header with all its parts; see [`EventRef::into_event`](super::EventRef::into_event).
    pub(super) fn into_header(self, payload: &Bytes) -> Header {
        let shared = |part| Args::from_read(payload.slice_ref(part));
        let pairs = self.others.into_iter().map(|(key, value)| (shared(key), shared(value)));
        Header {
            message_id: self.message_id.map(MessageId::from_key),
            response_to: self.response_to.map(MessageId::from_key),
            version: self.version,
            context: Context { pairs: pairs.collect() },
        }
    }
}

impl Header {
    /// Copies of all parts, which keep no message in memory.
    pub(super) fn detached(self) -> Self {
        let pairs = self.context.iter().map(|(key, value)| (key.detached(), value.detached()));
        Self { context: Context { pairs: pairs.collect() }, ..self }
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let ids = u32::from(self.message_id.is_some()) + u32::from(self.response_to.is_some());
        let version = u32::from(self.version.0.is_some());
        msgpack::put_map(out, ids + version + self.context.count());
        if let Some(id) = &self.message_id {
            out.put_slice(MESSAGE_ID);
            out.put_slice(id.as_encoded());
        }
        if let Some(number) = self.version.0 {
            msgpack::put_str(out, "v");
            msgpack::put_uint(out, number);
        }
        self.context.put(out);
        if let Some(id) = &self.response_to {
            out.put_slice(RESPONSE_TO);
            out.put_slice(id.as_encoded());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Event, limits::Limits};

    fn decode(header: &[u8]) -> Result<Event, Malformed> {
        let payload = [&[0x93], header, &[0xa1, b'f', 0x90]].concat();
        Event::decode(&payload.into(), &Limits::default()).map_err(|broken| broken.reason)
    }

    #[test]
    fn versions() {
        for (value, number) in [
            (&[3][..], Some(3)),
            (&[1], Some(1)),
            (&[0xcd, 1, 0], Some(256)),
            (&[0xcb, 0x40, 8, 0, 0, 0, 0, 0, 0], Some(3)),
            (&[0xff], None),
            (&[0xc0], None),
            (&[0x90], None),
            (&[0xa1, b'3'], None),
        ] {
            let event = decode(&[&[0x81, 0xa1, b'v'], value].concat()).expect("an event");
            assert_eq!(event.header.version.number(), number, "{value:x?}");
        }
    }

    /// What is read at one stroke is what would be read key by key, limits included.
    #[test]
    fn usual_headers_are_read_like_others() {
        let id = |digit: u8| [&[0xc4, 32][..], &[digit; 32]].concat();
        let message_id = [MESSAGE_ID, &id(b'1')].concat();
        let response_to = [RESPONSE_TO, &id(b'2')].concat();
        let usual = [&[0x83][..], &message_id, CURRENT_VERSION, &response_to].concat();
        let other = [&[0x83][..], &response_to, &message_id, CURRENT_VERSION].concat();
        assert_eq!(decode(&usual), decode(&other));
        for cut in 0..usual.len() {
            assert_eq!(decode(&usual[..cut]).is_err(), decode(&other[..cut]).is_err(), "{cut}");
        }
        for elements in 0..10 {
            let limits = Limits { elements, ..Limits::default() };
            let [usual, other] = [&usual, &other].map(|header| {
                let payload = [&[0x93], &header[..], &[0xa1, b'f', 0x90]].concat();
                Event::decode(&payload.into(), &limits).map_err(|broken| broken.reason)
            });
            assert_eq!(usual.is_ok(), other.is_ok(), "{elements}");
        }
    }

    #[test]
    fn unknown_keys_are_kept_and_own_keys_refused() {
        let event = decode(b"\x83\xa8trace_id\xa1t\x07\x08\xc4\x01v\x03").expect("an event");
        assert_eq!(event.header.version.number(), None, "a bin key is not `v`");
        assert_eq!(event.header.context.len(), 3);
        assert_eq!(event.header.context.get("trace_id"), Ok(Some("t")));
        let mut context = Context::new();
        assert!(context.insert("message_id", "x").is_err());
        context.insert("k", &1).expect("encodes");
        context.insert("k", &2).expect("encodes");
        assert_eq!((context.len(), context.get("k")), (1, Ok(Some(2))));
    }

    #[test]
    fn contexts_are_maps() {
        let map =
            Args::from_bytes(b"\x82\xa8trace_id\xa1t\x07\xc4\x01v"[..].into()).expect("a map");
        let context = Context::from_map(&map).expect("no key of the protocol's");
        assert_eq!((context.len(), context.get("trace_id")), (2, Ok(Some("t"))));
        assert_eq!(context.to_map(), map);
        assert_eq!(Context::new().to_map().as_bytes()[..], [0x80]);
        for wrong in [&b"\x90"[..], b"\xc0", b"\x81\xa1v\x03", b"\x81\xabresponse_to\xc0"] {
            let value = Args::from_bytes(wrong.into()).expect("one value");
            assert!(Context::from_map(&value).is_err(), "{wrong:x?}");
        }
    }

    #[test]
    fn response_to() {
        let nil = decode(b"\x81\xabresponse_to\xc0").expect("nil is absent");
        assert_eq!(nil.header.response_to, None);
        assert_eq!(decode(b"\x81\xabresponse_to\x90"), Err(Malformed::BadResponseTo));
    }
}
