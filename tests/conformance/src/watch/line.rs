//! One direction of a connection: bytes become a greeting and frames, however they are split.

use bytes::{Buf, BytesMut};

use crate::raw::{Frame, Framing, frame::LONG};

/// No larger frame is kept. What is longer is passed over.
const LARGEST_FRAME: u64 = 256 << 20;

/// No frame is that large: its length is a mistake.
const IMPOSSIBLE: u64 = 1 << 40;

/// A first byte with bit 0 of the tenth is what ZMTP 2.0 and later begin with.
const SIGNATURE: usize = 10;

/// What a side says of itself first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Greeting {
    /// ZMTP 3.x: all 64 bytes.
    V3(Vec<u8>),
    /// ZMTP 2.0, or one that speaks it because the other does: its number of the socket type.
    V2(u8),
}

/// What has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Token {
    /// The signature is not what it should be, but something can be read.
    OddSignature(Vec<u8>),
    Greeting(Greeting),
    Frame(Frame),
    /// A frame of this size, which was not looked into.
    Passed(u64),
    /// Nothing behind these bytes can be read: what is wrong, and whether it is at the beginning.
    Broken {
        words: String,
        at_start: bool,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Greeting {
        signed: bool,
    },
    Frames(Framing),
    /// So many bytes of a frame are still to be passed over.
    Passing(Framing, u64),
    /// Nothing is read any more.
    Shut,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Line {
    pending: BytesMut,
    phase: Phase,
    /// How many bytes have come in all.
    pub(super) total: u64,
    /// The major version in the greeting.
    pub(super) major: Option<u8>,
}

impl Line {
    /// One that begins with a greeting.
    pub(super) fn new() -> Self {
        let phase = Phase::Greeting { signed: false };
        Self { pending: BytesMut::new(), phase, total: 0, major: None }
    }

    /// One of ZMTP 3.x that begins with a frame, in the midst of a connection.
    pub(super) fn of_frames() -> Self {
        Self { phase: Phase::Frames(Framing::V2), ..Self::new() }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        match &mut self.phase {
            Phase::Shut => {}
            Phase::Passing(framing, left) => {
                let passed = (*left).min(bytes.len() as u64);
                *left -= passed;
                if *left == 0 {
                    self.phase = Phase::Frames(*framing);
                }
                let passed = usize::try_from(passed).unwrap_or(bytes.len());
                self.pending.extend_from_slice(&bytes[passed..]);
            }
            Phase::Greeting { .. } | Phase::Frames(_) => self.pending.extend_from_slice(bytes),
        }
        if self.major.is_none() && self.phase == (Phase::Greeting { signed: false }) {
            self.major = self.pending.get(SIGNATURE).copied();
        }
    }

    /// Nothing is read any more.
    pub(super) fn shut(&mut self) {
        self.phase = Phase::Shut;
        self.pending = BytesMut::new();
    }

    pub(super) fn is_shut(&self) -> bool {
        self.phase == Phase::Shut
    }

    /// The next of what has come. `other` is the major version of the other side: the lower one is spoken.
    pub(super) fn next(&mut self, other: Option<u8>) -> Option<Token> {
        match self.phase {
            Phase::Greeting { signed } => self.greeting(signed, other),
            Phase::Frames(framing) => self.frame(framing),
            Phase::Passing(..) | Phase::Shut => None,
        }
    }

    fn greeting(&mut self, signed: bool, other: Option<u8>) -> Option<Token> {
        let first = *self.pending.first()?;
        let is_signed = first == 0xff && self.pending.get(9).is_none_or(|byte| byte & 1 == 1);
        if !is_signed {
            let words = format!(
                "{}: neither ZMTP 2.0 nor 3.x",
                crate::event::shown_bytes(&self.pending[..self.pending.len().min(64)])
            );
            self.shut();
            return Some(Token::Broken { words, at_start: true });
        }
        if self.pending.get(9).is_some_and(|byte| *byte != 0x7f) && !signed {
            self.phase = Phase::Greeting { signed: true };
            return Some(Token::OddSignature(self.pending[..SIGNATURE].to_vec()));
        }
        let own = *self.pending.get(SIGNATURE)?;
        let spoken = if own < 3 { own } else { own.min(other?) };
        let (greeting, framing, length) = match spoken {
            3.. => (Greeting::V3(self.pending.get(..64)?.to_vec()), Framing::V2, 64),
            0 => (Greeting::V2(*self.pending.get(11)?), Framing::V1, 12),
            _ => (Greeting::V2(*self.pending.get(11)?), Framing::V2, 12),
        };
        self.pending.advance(length);
        self.phase = Phase::Frames(framing);
        Some(Token::Greeting(greeting))
    }

    fn frame(&mut self, framing: Framing) -> Option<Token> {
        let length = framing.header_length(*self.pending.first()?);
        let header = self.pending.get(..length)?;
        let Some((mut flags, size)) = framing.read(header).filter(|(_, size)| *size < IMPOSSIBLE)
        else {
            let words = format!(
                "the header of a frame {} has an impossible length",
                crate::event::shown_bytes(header)
            );
            self.shut();
            return Some(Token::Broken { words, at_start: false });
        };
        if framing == Framing::V1 {
            // What else stands there means nothing in 1.0.
            flags &= 1;
        }
        if size > LARGEST_FRAME {
            let have = (self.pending.len() - length) as u64;
            let passed = have.min(size);
            self.pending.advance(length + usize::try_from(passed).unwrap_or(usize::MAX));
            self.phase = match size - passed {
                0 => Phase::Frames(framing),
                left => Phase::Passing(framing, left),
            };
            return Some(Token::Passed(size));
        }
        let size = usize::try_from(size).ok()?;
        if self.pending.len() < length + size {
            return None;
        }
        self.pending.advance(length);
        let body = self.pending.split_to(size).to_vec();
        Some(Token::Frame(Frame { flags, body }))
    }
}

/// Whether a frame has the long form though it would fit into the short one.
pub(super) fn is_needlessly_long(frame: &Frame) -> bool {
    frame.flags & LONG != 0 && frame.body.len() <= 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{
        Handshake,
        frame::{COMMAND, MORE},
    };

    fn read(line: &mut Line, other: Option<u8>) -> Vec<Token> {
        std::iter::from_fn(|| line.next(other)).collect()
    }

    #[test]
    fn any_split_reads_the_same() {
        let hello = Handshake::new("DEALER");
        let message = Framing::V2.frame(MORE, b"");
        let bytes = [hello.greeting(), hello.ready(), message, Framing::V2.frame(0, &[7; 300])];
        let bytes = bytes.concat();
        let mut whole = Line::new();
        whole.add(&bytes);
        let expected = read(&mut whole, Some(3));
        assert_eq!(expected.len(), 4);
        assert!(
            matches!(&expected[1], Token::Frame(frame) if frame.flags == COMMAND),
            "{expected:?}"
        );
        let mut split = Line::new();
        let mut tokens = Vec::new();
        for byte in &bytes {
            split.add(&[*byte]);
            tokens.extend(read(&mut split, Some(3)));
        }
        assert_eq!(tokens, expected);
    }

    #[test]
    fn the_lower_version_is_spoken() {
        let mut line = Line::new();
        line.add(&crate::raw::signature(0));
        line.add(&[3, 5, 0, 0]);
        assert_eq!(read(&mut line, None), [], "the other's version is not known yet");
        let greeting = Token::Greeting(Greeting::V2(5));
        let identity = Token::Frame(Frame { flags: 0, body: Vec::new() });
        assert_eq!(read(&mut line, Some(1)), [greeting, identity]);
    }

    #[test]
    fn what_is_no_zmtp_is_broken_at_its_start() {
        let mut line = Line::new();
        line.add(b"GET / HTTP/1.1\r\n");
        let tokens = read(&mut line, Some(3));
        assert!(matches!(&tokens[..], [Token::Broken { at_start: true, .. }]), "{tokens:?}");
        line.add(b"more");
        assert_eq!(read(&mut line, Some(3)), []);
    }

    #[test]
    fn huge_frames_are_passed_over_without_being_kept() {
        let mut line = Line::of_frames();
        line.add(&Framing::V2.header(0, LARGEST_FRAME + 1));
        assert_eq!(read(&mut line, None), [Token::Passed(LARGEST_FRAME + 1)]);
        for _ in 0..=256 {
            line.add(&vec![0; 1 << 20][..]);
        }
        assert!(line.pending.len() < 2 << 20);
        let left = (257_u64 << 20) - (LARGEST_FRAME + 1);
        assert_eq!(line.pending.len() as u64, left);
    }

    #[test]
    fn impossible_lengths_end_the_reading() {
        let mut line = Line::of_frames();
        line.add(&Framing::V2.header(0, IMPOSSIBLE));
        assert!(matches!(read(&mut line, None)[..], [Token::Broken { at_start: false, .. }]));
    }
}
