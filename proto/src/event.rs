//! The wire unit: `[header, name, args]` (protocol section 3).

mod header;

use bytes::Bytes;
use bytestring::ByteString;

pub use header::{Context, Header, Version};
pub(crate) use header::{ResponseTo, put_head};

use crate::{
    args::Args,
    config::Limits,
    error::{BrokenEvent, Malformed},
    msgpack::{self, Reader},
};

/// Names of events that are no requests.
pub mod name {
    /// The result of a call.
    pub const OK: &str = "OK";
    /// The failure of a call, or of a stream.
    pub const ERR: &str = "ERR";
    /// An item of a stream.
    pub const STREAM: &str = "STREAM";
    /// The end of a stream.
    pub const STREAM_DONE: &str = "STREAM_DONE";
    /// A sign of life.
    pub const HEARTBEAT: &str = "_zpc_hb";
    /// Credit for further items.
    pub const MORE: &str = "_zpc_more";

    /// How everybody encodes these.
    pub(super) const ENCODED: [(&[u8], &str); 6] = [
        (b"\xa6STREAM", STREAM),
        (b"\xa2OK", OK),
        (b"\xa7_zpc_hb", HEARTBEAT),
        (b"\xa9_zpc_more", MORE),
        (b"\xabSTREAM_DONE", STREAM_DONE),
        (b"\xa3ERR", ERR),
    ];
}

/// A received event. All its parts are slices of the message.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Who asks, or what is answered.
    pub header: Header,
    /// The method of a request, or one of [`name`].
    pub name: ByteString,
    /// What belongs to it.
    pub args: Args,
}

impl Event {
    /// Reads an event from the front of a payload; what stands behind it is ignored, as the reference does.
    ///
    /// # Errors
    /// When the payload is no event or beyond the limits. The error carries the header if that was sound.
    pub fn decode(payload: &Bytes, limits: &Limits) -> Result<Self, BrokenEvent> {
        let no_header = |reason| BrokenEvent { reason, header: None };
        if payload.len() > limits.message_bytes {
            return Err(no_header(Malformed::TooLarge(limits.message_bytes)));
        }
        let mut reader = Reader::new(payload, limits);
        match reader.array() {
            Ok(Some(3)) => {}
            Ok(_) => return Err(no_header(Malformed::NotAnEvent)),
            Err(reason) => return Err(no_header(reason)),
        }
        let header = Header::read(payload, &mut reader).map_err(no_header)?;
        match Self::read_rest(payload, &mut reader) {
            Ok((name, args)) => Ok(Self { header, name, args }),
            Err(reason) => Err(BrokenEvent { reason, header: Some(Box::new(header)) }),
        }
    }

    fn read_rest(
        payload: &Bytes,
        reader: &mut Reader<'_>,
    ) -> Result<(ByteString, Args), Malformed> {
        let known = name::ENCODED.iter().find(|(encoded, _)| reader.literal(1, encoded));
        let name = match known {
            Some((_, known)) => ByteString::from_static(known),
            None => {
                let name = reader.value(1)?;
                let name = msgpack::raw_content(name).ok_or(Malformed::NameNotText)?;
                let name = payload.slice_ref(name);
                ByteString::try_from(name).map_err(|_| Malformed::NameNotText)?
            }
        };
        let args = reader.value(1)?;
        Ok((name, Args::from_read(payload.slice_ref(args))))
    }

    /// The header of an event of ours, from the front of it alone. No limits apply to what is our own.
    pub(crate) fn own_header(head: &Bytes) -> Option<Header> {
        let mut reader = Reader::again(head);
        reader.array().ok()??;
        Header::read(head, &mut reader).ok()
    }

    /// The event without the rest of its message, which is `message` bytes long: small parts are copied, so
    /// that they do not keep a large message in memory. Arguments that are most of it are not.
    pub(crate) fn detached(self, message: usize) -> Self {
        let most = self.args.as_bytes().len() * 2 >= message;
        Self {
            header: self.header.detached(),
            name: ByteString::from(&*self.name),
            args: if most { self.args } else { self.args.detached() },
        }
    }

    /// The event as bytes, with the header keys in the reference's order: `message_id`, `v`, others,
    /// `response_to`.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = bytes::BytesMut::new();
        out.extend_from_slice(&[0x93]);
        self.header.put(&mut out);
        msgpack::put_str(&mut out, &self.name);
        out.extend_from_slice(self.args.as_bytes());
        out.freeze()
    }
}
