//! Writing events of our own.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Context,
    header::{CURRENT_VERSION, MESSAGE_ID, RESPONSE_TO},
};
use crate::{
    id::{Ids, MessageId, OwnId},
    msgpack,
    multipart::Payload,
};

/// What most heads fit in.
const HEAD: usize = 256;
/// Heads are written into chunks of this size.
const CHUNK: usize = 16 << 10;

/// Writes events, each with an id of its own: a head, then arguments, which are written behind it if they are few and
/// otherwise kept as they are.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    ids: Ids,
    /// Where heads are written; an event takes its part with it.
    chunk: BytesMut,
}

/// The id of a channel: drawn here, or by the peer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResponseTo<'a> {
    Ours(OwnId),
    Theirs(&'a MessageId),
}

impl Writer {
    /// The seed must be random: see [`Config::seed`](crate::Config::seed).
    pub(crate) fn new(seed: u128) -> Self {
        Self { ids: Ids::new(seed), chunk: BytesMut::new() }
    }

    /// A request whose channel will be at `slot`, with its id.
    pub(crate) fn request(
        &mut self,
        slot: u32,
        context: &Context,
        method: &str,
        args: Bytes,
    ) -> (OwnId, Payload) {
        let id = self.ids.draw_for(slot);
        self.put_head(id, context, None, method);
        (id, self.finish(args))
    }

    /// An event that opens no channel and belongs to none.
    pub(crate) fn one_way(&mut self, context: &Context, method: &str, args: Bytes) -> Payload {
        let id = self.ids.draw();
        self.put_head(id, context, None, method);
        self.finish(args)
    }

    /// Begins an event on a channel; its arguments may be written behind its head.
    pub(crate) fn begin(
        &mut self,
        context: &Context,
        channel: ResponseTo<'_>,
        name: &str,
    ) -> &mut BytesMut {
        let id = self.ids.draw();
        self.put_head(id, context, Some(channel), name);
        &mut self.chunk
    }

    /// The event that was begun, with the rest of its arguments.
    pub(crate) fn finish(&mut self, rest: Bytes) -> Payload {
        Payload { head: self.chunk.split().freeze(), body: rest }
    }

    /// Appends the front of an event: array marker, header and name.
    fn put_head(
        &mut self,
        id: OwnId,
        context: &Context,
        channel: Option<ResponseTo<'_>>,
        name: &str,
    ) {
        let out = &mut self.chunk;
        if out.capacity() - out.len() < HEAD {
            // A whole chunk at a time; it is used again once all heads in it are gone.
            out.reserve(CHUNK);
        }
        put_opening(out, 2 + context.count() + u32::from(channel.is_some()), id);
        out.put_slice(CURRENT_VERSION);
        context.put(out);
        if let Some(channel) = channel {
            out.put_slice(RESPONSE_TO);
            match channel {
                ResponseTo::Ours(own) => own.put(out),
                ResponseTo::Theirs(id) => out.put_slice(id.as_encoded()),
            }
        }
        msgpack::put_str(out, name);
    }
}

/// Appends the first bytes of an event: array marker, map marker, and the first key with its value.
fn put_opening(out: &mut BytesMut, keys: u32, id: OwnId) {
    const OPENING: &[u8; 15] = b"\x93\x80\xaamessage_id\xc4\x20";
    match u8::try_from(keys) {
        // All at once, as nearly always.
        Ok(keys @ 0..16) => {
            let mut opening = [0; OPENING.len() + OwnId::LEN];
            let (fixed, digits) = opening.split_at_mut(OPENING.len());
            fixed.copy_from_slice(OPENING);
            fixed[1] |= keys;
            digits.copy_from_slice(id.digits());
            out.put_slice(&opening);
        }
        _ => {
            out.put_u8(0x93);
            msgpack::put_map(out, keys);
            out.put_slice(MESSAGE_ID);
            id.put(out);
        }
    }
}
