//! Traffic after the handshake: each frame in a MESSAGE of its own.

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{BoxKey, MAC, Nonce, SHORT_NONCE, cut, prefix};
use crate::{
    Buffers, Violation,
    frame::{Body, Frame, Framing, HEADER_MAX, Header},
};

/// What each MESSAGE begins with.
const NAME: &[u8; 8] = b"\x07MESSAGE";

/// By how much a MESSAGE is longer than the frame in it: name, nonce, what proves the box, flags.
const OVERHEAD: usize = NAME.len() + SHORT_NONCE + MAC + 1;

/// Flags within the box, which are those of libzmq's messages.
const MORE: u8 = 1;
const COMMAND: u8 = 2;

/// Both directions of a connection.
#[derive(Debug)]
pub(crate) struct Ciphers {
    pub(crate) encryption: Encryption,
    pub(crate) decryption: Decryption,
}

impl Ciphers {
    /// Those of a client, after handshakes' nonces of these numbers.
    pub(super) fn of_client(
        key: BoxKey,
        ours: u64,
        theirs: u64,
        buffers: &Arc<dyn Buffers>,
    ) -> Box<Self> {
        Self::new(key, (prefix::FROM_CLIENT, ours), (prefix::FROM_SERVER, theirs), buffers)
    }

    /// Those of a server.
    pub(super) fn of_server(
        key: BoxKey,
        ours: u64,
        theirs: u64,
        buffers: &Arc<dyn Buffers>,
    ) -> Box<Self> {
        Self::new(key, (prefix::FROM_SERVER, ours), (prefix::FROM_CLIENT, theirs), buffers)
    }

    fn new(
        key: BoxKey,
        ours: (&'static [u8; 16], u64),
        theirs: (&'static [u8; 16], u64),
        buffers: &Arc<dyn Buffers>,
    ) -> Box<Self> {
        let encryption = Encryption {
            key: key.clone(),
            prefix: ours.0,
            last: ours.1,
            buffers: Arc::clone(buffers),
        };
        let room = BytesMut::new();
        let decryption = Decryption { key, prefix: theirs.0, last: theirs.1, room };
        Box::new(Self { encryption, decryption })
    }
}

/// Closes boxes for the peer.
pub(crate) struct Encryption {
    key: BoxKey,
    prefix: &'static [u8; 16],
    /// The number of the latest nonce. Those of frames that are taken back are not used again: peers want them to rise, and
    /// no more.
    last: u64,
    buffers: Arc<dyn Buffers>,
}

impl Encryption {
    /// Appends a frame, in a MESSAGE.
    pub(crate) fn frame(&mut self, header: Header, parts: &[&[u8]], out: &mut Vec<u8>) {
        let size = header.size + OVERHEAD as u64;
        // As libzmq does, and other than the specification has it: no command, for frames.
        Framing::V3.write(Header { more: false, command: false, size }, out);
        self.last += 1;
        out.extend_from_slice(NAME);
        out.extend_from_slice(&self.last.to_be_bytes());
        let mac = out.len();
        out.extend_from_slice(&[0; MAC]);
        let more = if header.more { MORE } else { 0 };
        out.push(more | if header.command { COMMAND } else { 0 });
        for part in parts {
            out.extend_from_slice(part);
        }
        let (before, content) = out.split_at_mut(mac + MAC);
        let proof = self.key.close(&Nonce::short(self.prefix, self.last), content);
        before[mac..].copy_from_slice(&proof);
    }

    /// A large frame in a MESSAGE, in memory of its own.
    pub(crate) fn large_frame(&mut self, header: Header, parts: &[&[u8]]) -> Bytes {
        let parts_size: usize = parts.iter().map(|part| part.len()).sum();
        let size = HEADER_MAX + OVERHEAD + parts_size;
        let mut out = self.buffers.take(size);
        out.clear();
        out.reserve_exact(size);
        self.frame(header, parts, &mut out);
        self.buffers.seal(out)
    }
}

/// Opens the boxes of the peer.
pub(crate) struct Decryption {
    key: BoxKey,
    prefix: &'static [u8; 16],
    /// The number of the latest nonce.
    last: u64,
    /// Where small boxes are opened: one allocation for all of a chunk.
    room: BytesMut,
}

impl Decryption {
    /// What may be in a frame of the wire, by its header; `None` where that is no MESSAGE, whatever is in it.
    pub(crate) fn size_within(header: Header) -> Option<u64> {
        header.size.checked_sub(OVERHEAD as u64).filter(|_| !header.more)
    }

    /// What is in a frame of the wire. `ahead` bytes of others have come with it.
    pub(crate) fn open(
        &mut self,
        header: Header,
        body: Body,
        ahead: usize,
        buffers: &dyn Buffers,
    ) -> Result<Frame, Violation> {
        let bytes = body.as_slice();
        let mut rest = bytes.strip_prefix(NAME).ok_or(Violation::Plaintext)?;
        if header.more {
            return Err(Violation::Plaintext);
        }
        let number = u64::from_be_bytes(*cut("MESSAGE", &mut rest)?);
        let mac: [u8; MAC] = *cut("MESSAGE", &mut rest)?;
        if rest.is_empty() {
            return Err(Violation::Malformed { command: "MESSAGE", reason: "it has no flags" });
        }
        if number <= self.last {
            return Err(Violation::Replayed);
        }
        let nonce = Nonce::short(self.prefix, number);
        let (flags, body) = match body {
            Body::Slice(_) => {
                if self.room.capacity() < rest.len() {
                    self.room.reserve(rest.len() + ahead);
                }
                self.room.extend_from_slice(rest);
                if !self.key.open(&nonce, &mac, &mut self.room) {
                    return Err(Violation::Unopened { command: "MESSAGE" });
                }
                let content = self.room.split().freeze();
                (content[0], content.slice(1..))
            }
            Body::Whole(mut whole) => {
                if !self.key.open(&nonce, &mac, &mut whole[OVERHEAD - 1..]) {
                    return Err(Violation::Unopened { command: "MESSAGE" });
                }
                (whole[OVERHEAD - 1], buffers.seal(whole).slice(OVERHEAD..))
            }
        };
        if flags & !(MORE | COMMAND) != 0 {
            return Err(Violation::UnknownFlags(flags));
        }
        self.last = number;
        Ok(Frame { more: flags & MORE != 0, command: flags & COMMAND != 0, body })
    }

    /// Lets go of the memory that is left over from a chunk.
    pub(crate) fn rest(&mut self) {
        self.room = BytesMut::new();
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("last", &self.last).finish_non_exhaustive()
    }
}

impl fmt::Debug for Decryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryption").field("last", &self.last).finish_non_exhaustive()
    }
}
