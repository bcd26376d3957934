//! Traffic after the handshake: each frame in a MESSAGE of its own.

use std::{fmt, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};

use super::{BoxKey, MAC, Nonce, SHORT_NONCE, cut, prefix};
use crate::{
    Buffers, Violation,
    frame::{Body, Frame, Framing, HEADER_MAX, Header},
};

/// What each MESSAGE begins with.
const NAME: &[u8; 8] = b"\x07MESSAGE";

/// By how much a MESSAGE is longer than the frame in it: name, nonce, what proves the box, flags.
const OVERHEAD: usize = NAME.len() + SHORT_NONCE + MAC + 1;

/// A box that came alone and is no larger is opened in one allocation. (A vector takes another one as soon as it is shared.)
const ALONE: usize = 256;

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
        let Some(mut rest) = bytes.strip_prefix(NAME).filter(|_| !header.more) else {
            return Err(Violation::Plaintext);
        };
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
                let Some(opened) = self.open_copy(&nonce, &mac, rest, ahead) else {
                    return Err(Violation::Unopened { command: "MESSAGE" });
                };
                opened
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

    /// Flags and body of a box in a chunk, behind which `ahead` bytes of others have come.
    fn open_copy(
        &mut self,
        nonce: &Nonce,
        mac: &[u8; MAC],
        sealed: &[u8],
        ahead: usize,
    ) -> Option<(u8, Bytes)> {
        if let [flags] = sealed {
            // An empty frame, as there is one in front of each message.
            let mut content = [*flags];
            return self.key.open(nonce, mac, &mut content).then_some((content[0], Bytes::new()));
        }
        let mut small = [0; ALONE];
        if ahead == 0
            && self.room.capacity() == 0
            && let Some(content) = small.get_mut(..sealed.len())
        {
            content.copy_from_slice(sealed);
            let is_open = self.key.open(nonce, mac, content);
            let mut body = Bytes::from_owner(small);
            body.truncate(sealed.len());
            body.advance(1);
            return is_open.then_some((small[0], body));
        }
        if self.room.capacity() < sealed.len() {
            self.room.reserve(sealed.len() + ahead);
        }
        self.room.extend_from_slice(sealed);
        if !self.key.open(nonce, mac, &mut self.room) {
            return None;
        }
        let mut body = self.room.split().freeze();
        let flags = body.get_u8();
        Some((flags, body))
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
