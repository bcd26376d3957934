//! What waits to be written, and the batch that is being written.

mod batch;

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

use self::batch::Batch;
use super::{
    Outgoing, WireLimits,
    frame::{Framing, Header},
    mechanism::Encryption,
};

/// Control bytes and messages in the order in which they leave. Bytes of the handshake and commands go
/// between messages, never into one.
///
/// A message stays here until its last byte is written, so that one of which nothing was written can be
/// taken back.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// How messages are framed; `None` keeps them here.
    framing: Option<Framing>,
    /// Puts frames into boxes, where they are to be. Numbers of nonces rise in the order in which frames leave: those of
    /// control bytes are given when they are queued, behind whatever is in the batch, and those of messages when they get
    /// into the batch, behind all control bytes.
    encryption: Option<Box<Encryption>>,
    /// Goes out before the next message.
    control: Vec<u8>,
    /// How much of `control` are PONGs.
    pongs: usize,
    /// Whether an ERROR was queued.
    has_parted: bool,
    /// Whether a PING is in `control`.
    ping_waits: bool,
    messages: VecDeque<Queued>,
    /// So many messages at the front are in the batch.
    batched: usize,
    batch: Batch,
    /// Sum of the costs of the messages.
    cost: usize,
}

#[derive(Debug)]
struct Queued {
    message: Outgoing,
    cost: usize,
    /// Where it begins in the batch, once it is there.
    begins: usize,
    /// Where it ends there.
    ends: usize,
}

impl Outbox {
    /// Lets messages out, in this framing.
    pub(super) fn open(&mut self, framing: Framing) {
        self.framing = Some(framing);
    }

    /// Puts frames into boxes from now on, those of commands as well.
    pub(super) fn encrypt(&mut self, encryption: Encryption) {
        self.encryption = Some(Box::new(encryption));
    }

    /// Lets no further messages out; what has begun and control bytes still leave.
    pub(super) fn shut(&mut self) {
        self.framing = None;
    }

    /// Queues a message; one without frames is nothing.
    pub(super) fn push(&mut self, message: Outgoing) {
        if message.frames.is_empty() {
            return;
        }
        let cost = message.cost();
        self.cost += cost;
        self.messages.push_back(Queued { message, cost, begins: 0, ends: 0 });
    }

    /// Queues bytes that are no frame: parts of a greeting.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.control.extend_from_slice(bytes);
    }

    /// Queues a frame that is a message of its own, ahead of other messages.
    pub(super) fn frame(&mut self, framing: Framing, parts: &[&[u8]]) {
        self.control_frame(framing, false, parts);
    }

    /// Queues a command of ZMTP 3.x.
    pub(super) fn command(&mut self, name: &str, parts: &[&[u8]]) {
        let length = [u8::try_from(name.len()).unwrap_or(u8::MAX)];
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 2);
        all.extend([&length, name.as_bytes()]);
        all.extend(parts);
        self.control_frame(Framing::V3, true, &all);
    }

    /// Queues an ERROR command, of 255 bytes of words at most.
    pub(super) fn error(&mut self, words: &str) {
        let mut end = words.len().min(usize::from(u8::MAX));
        while !words.is_char_boundary(end) {
            end -= 1;
        }
        let words = &words[..end];
        let length = u8::try_from(words.len()).unwrap_or(u8::MAX);
        self.command("ERROR", &[&[length], words.as_bytes()]);
        self.has_parted = true;
    }

    /// Whether the peer is told why the connection ends.
    pub(super) fn has_parted(&self) -> bool {
        self.has_parted
    }

    /// Answers a PING, unless answers of `limit` bytes wait already.
    pub(super) fn pong(&mut self, context: &[u8], limit: usize) {
        let before = self.control.len();
        if self.pongs < limit {
            self.command("PONG", &[context]);
            self.pongs += self.control.len() - before;
        }
    }

    /// Sends a PING, unless one waits already.
    pub(super) fn ping(&mut self, tenths: u16) {
        if !self.ping_waits {
            self.command("PING", &[&tenths.to_be_bytes()]);
            self.ping_waits = true;
        }
    }

    fn control_frame(&mut self, framing: Framing, command: bool, parts: &[&[u8]]) {
        let size = parts.iter().map(|part| part.len() as u64).sum();
        let header = Header { more: false, command, size };
        if let Some(encryption) = &mut self.encryption {
            encryption.frame(header, parts, &mut self.control);
            return;
        }
        framing.write(header, &mut self.control);
        for part in parts {
            self.control.extend_from_slice(part);
        }
    }

    /// See [`Engine::queued_messages`](super::Engine::queued_messages).
    pub(super) fn queued_messages(&self) -> usize {
        self.messages.len()
    }

    /// See [`Engine::queued_bytes`](super::Engine::queued_bytes).
    pub(super) fn queued_bytes(&self) -> usize {
        self.cost + self.control.len()
    }

    /// Whether [`gather`](Self::gather) would find anything.
    pub(super) fn has_output(&self) -> bool {
        !self.batch.is_empty()
            || !self.control.is_empty()
            || (self.framing.is_some() && !self.messages.is_empty())
    }

    /// See [`Engine::output`](super::Engine::output).
    pub(super) fn gather<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        if self.batch.is_empty() {
            self.fill();
        }
        self.batch.gather(slices)
    }

    /// Encodes control bytes, then messages until the batch is full. Only into an empty batch: control
    /// bytes are always in front, and a batch that is not written out means that the peer is busy anyway.
    fn fill(&mut self) {
        if !self.control.is_empty() {
            self.batch.copy(&self.control);
            self.control.clear();
            self.control.shrink_to(Batch::IDLE_CAPACITY);
            self.pongs = 0;
            self.ping_waits = false;
        }
        if let Some(framing) = self.framing {
            for queued in &mut self.messages {
                if self.batch.is_full() {
                    break;
                }
                queued.begins = self.batch.len();
                match &mut self.encryption {
                    None => encode(framing, &queued.message, &mut self.batch),
                    Some(encryption) => encrypt(encryption, &queued.message, &mut self.batch),
                }
                queued.ends = self.batch.len();
                self.batched += 1;
            }
        }
        self.batch.end_segment();
    }

    /// See [`Engine::advance`](super::Engine::advance).
    pub(super) fn advance(&mut self, count: usize) {
        let written = self.batch.advance(count);
        while self.batched > 0
            && self.messages.front().is_some_and(|first| first.ends <= written)
            && let Some(queued) = self.messages.pop_front()
        {
            self.batched -= 1;
            self.cost -= queued.cost;
        }
        if self.encryption.is_some() && self.batched > 0 {
            self.forget_sealed(written);
        }
        if self.batch.is_empty() {
            self.batch.reset(self.messages.is_empty());
        }
        if self.messages.is_empty() && self.messages.capacity() > IDLE_MESSAGES {
            self.messages = VecDeque::new();
        }
    }

    /// A message that has begun to leave in boxes cannot be taken back: what was put into them is not needed any more.
    fn forget_sealed(&mut self, written: usize) {
        if let Some(Queued { message, begins, .. }) = self.messages.front_mut()
            && *begins < written
        {
            message.frames.clear();
            message.tail = Bytes::new();
        }
    }

    /// See [`Engine::take_unsent`](super::Engine::take_unsent).
    pub(super) fn take_unsent(&mut self) -> Vec<Outgoing> {
        let written = self.batch.written();
        let begun = self.messages.iter().take(self.batched).take_while(|one| one.begins < written);
        let kept = begun.count();
        if kept < self.batched {
            self.batch.truncate(self.messages[kept].begins);
            self.batched = kept;
        }
        let unsent = self.messages.drain(kept..);
        let unsent: Vec<_> =
            unsent.inspect(|one| self.cost -= one.cost).map(|one| one.message).collect();
        if self.batch.is_empty() {
            self.batch.reset(true);
        }
        unsent
    }
}

/// An idle connection keeps no more room for messages than this. Not measured: some KiB.
const IDLE_MESSAGES: usize = 32;

/// Appends all frames of a message. The last one is made of the last frame and the tail.
fn encode(framing: Framing, message: &Outgoing, batch: &mut Batch) {
    let Some((last, leading)) = message.frames.split_last() else { return };
    for frame in leading {
        let header = Header { more: true, command: false, size: frame.len() as u64 };
        batch.header(framing, header);
        if !frame.is_empty() {
            batch.part(frame);
        }
    }
    let size = last.len() as u64 + message.tail.len() as u64;
    batch.header(framing, Header { more: false, command: false, size });
    batch.part(last);
    if !message.tail.is_empty() {
        batch.part(&message.tail);
    }
}

/// The same, with each frame in a box.
fn encrypt(encryption: &mut Encryption, message: &Outgoing, batch: &mut Batch) {
    let Some((last, leading)) = message.frames.split_last() else { return };
    for frame in leading {
        batch.encrypted(encryption, true, &[frame]);
    }
    batch.encrypted(encryption, false, &[last, &message.tail]);
}

impl Outgoing {
    /// A message of these frames.
    pub fn new(frames: impl IntoIterator<Item = Bytes>) -> Self {
        Self { frames: frames.into_iter().collect(), ..Self::default() }
    }

    /// Copies what is small: such parts are slices of memory that they share with many others.
    pub(crate) fn detach(&mut self) {
        const SMALL: usize = 4 << 10;
        for part in self.frames.iter_mut().chain([&mut self.tail]) {
            if !part.is_empty() && part.len() < SMALL {
                *part = Bytes::copy_from_slice(part);
            }
        }
    }

    /// The bytes of all frames, and what frames cost besides.
    fn cost(&self) -> usize {
        let bytes: usize = self.frames.iter().map(Bytes::len).sum();
        bytes + self.tail.len() + self.frames.len() * WireLimits::FRAME_COST
    }
}
