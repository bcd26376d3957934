//! The wire unit: `[header, name, args]` (protocol section 3).

mod broken;
mod context;
mod event_ref;
mod header;
mod writer;

use bytes::Bytes;
use bytestring::ByteString;

pub use broken::BrokenEvent;
pub use context::Context;
pub(crate) use event_ref::{Broken, EventRef};
pub use header::{Header, Version};
pub(crate) use writer::{ResponseTo, Writer};

use crate::{
    args::Args,
    limits::Limits,
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
}

/// What an event is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ok,
    Err,
    Stream,
    StreamDone,
    Heartbeat,
    More,
    /// A request, or something that nobody knows.
    Other,
}

impl Kind {
    /// What has this name.
    pub(crate) fn of(name: &[u8]) -> Self {
        let known =
            [Self::Ok, Self::Err, Self::Stream, Self::StreamDone, Self::Heartbeat, Self::More];
        let found = known.into_iter().find(|kind| kind.name().map(str::as_bytes) == Some(name));
        found.unwrap_or(Self::Other)
    }

    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Ok => Some(name::OK),
            Self::Err => Some(name::ERR),
            Self::Stream => Some(name::STREAM),
            Self::StreamDone => Some(name::STREAM_DONE),
            Self::Heartbeat => Some(name::HEARTBEAT),
            Self::More => Some(name::MORE),
            Self::Other => None,
        }
    }

    /// Reads one of the known names, if it comes next, as everybody encodes them.
    fn read(reader: &mut Reader<'_>) -> Option<(Self, &'static str)> {
        if reader.literal(1, b"\xa6STREAM") {
            Some((Self::Stream, name::STREAM))
        } else if reader.literal(1, b"\xa2OK") {
            Some((Self::Ok, name::OK))
        } else if reader.literal(1, b"\xa7_zpc_hb") {
            Some((Self::Heartbeat, name::HEARTBEAT))
        } else if reader.literal(1, b"\xa9_zpc_more") {
            Some((Self::More, name::MORE))
        } else {
            None
        }
    }
}

/// A received event. All its parts are slices of the message.
// Exhaustive: the protocol has an event of three parts.
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
        match EventRef::read(payload, limits) {
            Ok(event) => Ok(event.into_event(payload)),
            Err(broken) => Err(broken.into_error(payload)),
        }
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
