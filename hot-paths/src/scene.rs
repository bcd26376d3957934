//! Things that are done over and over.

use bytes::Bytes;
use zerorpc_proto::{Args, Event, Header, Limits, MessageId, Payload, Version};

use crate::{
    Error, Meter, Pair, Side, Stream,
    wire::{Connection, Cover},
};

/// Something that can be done once more, and once more.
#[derive(Debug)]
pub enum Scene {
    /// Encoding an event; the client's work.
    Encode(Event),
    /// Decoding an event; the client's work.
    Decode(Bytes, Limits),
    /// Calling a small method.
    Call(Pair),
    /// Streaming a small item.
    Item(Pair, Stream),
    /// Sending and hearing the heartbeat of one call of many, on both sides.
    Beat(Pair),
    /// Sending so many messages at once over a connection, and receiving them.
    Messages(Connection, Payload, usize),
}

impl Scene {
    /// Encoding the request for a small call.
    ///
    /// # Errors
    /// None that can come up.
    pub fn encode() -> Result<Self, Error> {
        Ok(Self::Encode(request()?))
    }

    /// Decoding the request for a small call.
    ///
    /// # Errors
    /// None that can come up.
    pub fn decode() -> Result<Self, Error> {
        Ok(Self::Decode(request()?.encode(), Limits::default()))
    }

    /// Calling a small method.
    #[must_use]
    pub fn call() -> Self {
        Self::Call(Pair::of_sessions())
    }

    /// Streaming small items.
    ///
    /// # Errors
    /// When the stream cannot be opened.
    pub fn item() -> Result<Self, Error> {
        let mut pair = Pair::of_sessions();
        let stream = pair.open_stream()?;
        Ok(Self::Item(pair, stream))
    }

    /// Heartbeats of so many calls.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn beat(calls: u32) -> Result<Self, Error> {
        let mut pair = Pair::of_sessions();
        pair.hold(calls)?;
        Ok(Self::Beat(pair))
    }

    /// So many messages at a time, each with a payload of the size of a small event.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn small_messages(count: usize, cover: Cover) -> Result<Self, Error> {
        let event = request()?.encode();
        let args = event.len() - Args::NONE.as_bytes().len();
        let payload = Payload { head: event.slice(..args), body: event.slice(args..) };
        Ok(Self::Messages(Connection::new(cover)?, payload, count))
    }

    /// One message at a time, with so many bytes of arguments.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn large_message(size: usize, cover: Cover) -> Result<Self, Error> {
        let payload = Payload { head: request()?.encode(), body: vec![7; size].into() };
        Ok(Self::Messages(Connection::new(cover)?, payload, 1))
    }

    /// How many bytes of payloads one step takes through a connection, or encodes, or decodes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Encode(event) => event.encode().len(),
            Self::Decode(event, _) => event.len(),
            Self::Messages(_, payload, count) => payload.len() * count,
            Self::Call(_) | Self::Item(..) | Self::Beat(_) => 0,
        }
    }

    /// Does it once; `number` goes with it where something does.
    ///
    /// # Errors
    /// When it fails, which it should not.
    pub fn step(&mut self, meter: &mut impl Meter, number: u64) -> Result<(), Error> {
        match self {
            Self::Encode(event) => {
                std::hint::black_box(meter.watch(Side::Client, || event.encode()));
                Ok(())
            }
            Self::Decode(event, limits) => {
                let decoded = meter.watch(Side::Client, || {
                    // Dropping is part of it: every message is.
                    Event::decode(event, limits).map(|event| drop(std::hint::black_box(event)))
                });
                Ok(decoded?)
            }
            Self::Call(pair) => pair.call(meter, number),
            Self::Item(pair, stream) => pair.item(meter, *stream, number),
            Self::Beat(pair) => pair.tick(meter),
            Self::Messages(connection, payload, count) => connection.send(meter, payload, *count),
        }
    }
}

/// The request for a call with one small argument.
fn request() -> Result<Event, Error> {
    let id = [&[0xc4, 32][..], b"0123456789abcdef0123456789abcdef"].concat();
    let header = Header {
        message_id: Some(MessageId::new(&id)?),
        version: Version::CURRENT,
        ..Header::default()
    };
    Ok(Event { header, name: "echo".into(), args: Args::encode_params(&(7,))? })
}
