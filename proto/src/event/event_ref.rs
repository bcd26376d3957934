//! An event as it stands in its message, for those who need no more than a look at it.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::{BrokenEvent, Event, Kind, header::HeaderRef};
use crate::{
    args::Args,
    error::Malformed,
    limits::Limits,
    msgpack::{self, Reader},
};

/// An event of which nothing was copied or shared.
#[derive(Debug)]
pub(crate) struct EventRef<'a> {
    pub(crate) header: HeaderRef<'a>,
    pub(crate) kind: Kind,
    /// UTF-8.
    pub(crate) name: &'a [u8],
    /// Where the arguments are in the payload.
    pub(crate) args: Range<usize>,
}

/// What is wrong with a payload, and its header where that was sound.
#[derive(Debug)]
pub(crate) struct Broken<'a> {
    pub(crate) reason: Malformed,
    pub(crate) header: Option<HeaderRef<'a>>,
}

impl<'a> EventRef<'a> {
    /// Looks at the event at the front of a payload; see [`Event::decode`].
    pub(crate) fn read(payload: &'a [u8], limits: &Limits) -> Result<Self, Broken<'a>> {
        let no_header = |reason| Broken { reason, header: None };
        if payload.len() > limits.message_bytes {
            return Err(no_header(Malformed::TooLarge(limits.message_bytes)));
        }
        let mut reader = Reader::new(payload, limits);
        match reader.array() {
            Ok(Some(3)) => {}
            Ok(_) => return Err(no_header(Malformed::NotAnEvent)),
            Err(reason) => return Err(no_header(reason)),
        }
        let header = HeaderRef::read(&mut reader).map_err(no_header)?;
        match Self::read_rest(&mut reader) {
            Ok((kind, name, args)) => Ok(Self { header, kind, name, args }),
            Err(reason) => Err(Broken { reason, header: Some(header) }),
        }
    }

    fn read_rest(reader: &mut Reader<'a>) -> Result<(Kind, &'a [u8], Range<usize>), Malformed> {
        let (kind, name) = match Kind::read(reader) {
            Some((kind, name)) => (kind, name.as_bytes()),
            None => {
                let value = reader.value(1)?;
                let name = msgpack::raw_content(value).ok_or(Malformed::NameNotText)?;
                // The reader has seen to it that a str is UTF-8.
                if !msgpack::is_str(value) && std::str::from_utf8(name).is_err() {
                    return Err(Malformed::NameNotText);
                }
                (Kind::of(name), name)
            }
        };
        let start = reader.position();
        reader.value(1)?;
        Ok((kind, name, start..reader.position()))
    }

    /// The event with all its parts, which share the memory of the `payload` that was looked at.
    pub(crate) fn into_event(self, payload: &Bytes) -> Event {
        let name = match self.kind.name() {
            Some(name) => ByteString::from_static(name),
            // It is UTF-8.
            None => ByteString::try_from(payload.slice_ref(self.name)).unwrap_or_default(),
        };
        let args = Args::from_read(payload.slice(self.args));
        Event { header: self.header.into_header(payload), name, args }
    }
}

impl Broken<'_> {
    pub(crate) fn into_error(self, payload: &Bytes) -> BrokenEvent {
        let header = self.header.map(|header| Box::new(header.into_header(payload)));
        BrokenEvent { reason: self.reason, header }
    }
}
