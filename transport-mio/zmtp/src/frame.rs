//! Frames: their headers in three versions, and the decoder.

mod partial;

use std::sync::Arc;

use bytes::Bytes;

use super::{Buffers, FreshBuffers, Violation, input::Input};
use partial::Partial;

/// How frames look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// ZMTP 1.0: length (of flags and body), flags, body.
    V1,
    /// ZMTP 2.0: flags, length, body.
    V2,
    /// ZMTP 3.x: the same, and there are commands.
    V3,
}

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The longest header: a length byte or flags, 8 bytes, and in 1.0 the flags behind them.
pub(super) const HEADER_MAX: usize = 10;

/// What stands in front of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Another frame of the same message follows.
    pub(super) more: bool,
    /// Not part of any message.
    pub(super) command: bool,
    /// Length of the body in bytes.
    pub(super) size: u64,
}

/// What is to be done with a frame of which the header is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// All of it is wanted.
    Whole,
    /// What its body begins with is wanted: a short string, with its length in front. The rest is to be skipped.
    Name,
}

/// A frame: whole, or what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) more: bool,
    pub(super) command: bool,
    pub(super) body: Bytes,
}

/// A body, whole.
#[derive(Debug)]
pub(super) enum Body {
    /// A slice of a chunk.
    Slice(Bytes),
    /// In memory of its own.
    Whole(Vec<u8>),
}

impl Body {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Slice(bytes) => bytes,
            Self::Whole(bytes) => bytes,
        }
    }
}

impl Framing {
    /// Reads a header from the front of `bytes`, and its length; `None` when it is not all there.
    fn read(self, bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        match self {
            Self::V1 => read_v1(bytes),
            Self::V2 => read_v2(bytes, MORE | LONG),
            Self::V3 => read_v2(bytes, MORE | LONG | COMMAND),
        }
    }

    /// Appends the header of a frame, in its short form where there is one.
    pub(super) fn write(self, header: Header, out: &mut Vec<u8>) {
        let Header { more, command, size } = header;
        let flags = if more { MORE } else { 0 } | if command { COMMAND } else { 0 };
        match (self, u8::try_from(size)) {
            (Self::V1, Ok(size @ ..=253)) => out.extend_from_slice(&[size + 1, flags]),
            (Self::V1, _) => {
                out.push(0xff);
                out.extend_from_slice(&(size + 1).to_be_bytes());
                out.push(flags);
            }
            (Self::V2 | Self::V3, Ok(size)) => out.extend_from_slice(&[flags, size]),
            (Self::V2 | Self::V3, Err(_)) => {
                out.push(flags | LONG);
                out.extend_from_slice(&size.to_be_bytes());
            }
        }
    }
}

fn read_v1(bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
    let (length, used) = match bytes {
        [] => return Ok(None),
        [0xff, rest @ ..] => match rest.first_chunk() {
            Some(length) => (u64::from_be_bytes(*length), 9),
            None => return Ok(None),
        },
        [length, ..] => (u64::from(*length), 1),
    };
    let Some(size) = length.checked_sub(1) else { return Err(Violation::NoLength) };
    if length >> 63 != 0 {
        return Err(Violation::FrameLength(length));
    }
    let Some(&flags) = bytes.get(used) else { return Ok(None) };
    if flags & !MORE != 0 {
        return Err(Violation::UnknownFlags(flags));
    }
    Ok(Some((Header { more: flags & MORE != 0, command: false, size }, used + 1)))
}

fn read_v2(bytes: &[u8], known: u8) -> Result<Option<(Header, usize)>, Violation> {
    let [flags, rest @ ..] = bytes else { return Ok(None) };
    if flags & !known != 0 {
        return Err(Violation::UnknownFlags(*flags));
    }
    let (size, used) = if flags & LONG == 0 {
        let Some(&size) = rest.first() else { return Ok(None) };
        (u64::from(size), 2)
    } else {
        let Some(size) = rest.first_chunk() else { return Ok(None) };
        (u64::from_be_bytes(*size), 9)
    };
    if size >> 63 != 0 {
        return Err(Violation::FrameLength(size));
    }
    Ok(Some((Header { more: flags & MORE != 0, command: flags & COMMAND != 0, size }, used)))
}

/// The header of a message's frame that is in its short form, if all of the frame is there.
fn short_header(bytes: &[u8]) -> Option<Header> {
    let [flags @ (0 | MORE), size, body @ ..] = bytes else { return None };
    let header = Header { more: *flags == MORE, command: false, size: u64::from(*size) };
    (body.len() >= usize::from(*size)).then_some(header)
}

/// Cuts what arrives into frames. Frames that are whole within a chunk become slices of it; others are
/// gathered in a buffer of their own, which grows with what arrives and not by what was announced.
#[derive(Debug)]
pub(super) struct Decoder {
    framing: Framing,
    buffers: Arc<dyn Buffers>,
    state: State,
}

#[derive(Debug)]
enum State {
    Header {
        bytes: [u8; HEADER_MAX],
        filled: usize,
    },
    Body {
        header: Header,
        body: Partial,
    },
    /// In the name of a frame that is going to be skipped.
    Name {
        header: Header,
        bytes: Vec<u8>,
    },
    /// In the rest of such a frame, of `size` bytes in all.
    Skip {
        size: u64,
        missing: u64,
    },
}

impl State {
    const START: Self = Self::Header { bytes: [0; HEADER_MAX], filled: 0 };
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        Self::with_buffers(framing, Arc::new(FreshBuffers))
    }

    /// With memory for large bodies from there.
    pub(super) fn with_buffers(framing: Framing, buffers: Arc<dyn Buffers>) -> Self {
        Self { framing, buffers, state: State::START }
    }

    /// Begins with bytes that were read before it was known that they are a header.
    pub(super) fn resume(framing: Framing, read: &[u8]) -> Self {
        let mut bytes = [0; HEADER_MAX];
        let filled = read.len().min(HEADER_MAX);
        bytes[..filled].copy_from_slice(&read[..filled]);
        let state = State::Header { bytes, filled };
        Self { state, ..Self::new(framing) }
    }

    /// The next frame; `None` when all of `input` is read. `admit` sees each header before anything is done for its
    /// body.
    pub(super) fn next(
        &mut self,
        input: &mut Input,
        mut admit: impl FnMut(Header) -> Result<Admission, Violation>,
    ) -> Result<Option<Frame>, Violation> {
        if let State::Header { filled: 0, .. } = self.state {
            if input.rest().is_empty() {
                return Ok(None);
            }
            if self.framing != Framing::V1
                && let Some(header) = short_header(input.rest())
            {
                // As nearly all frames are: short, and all there.
                admit(header)?;
                input.read(2);
                return Ok(input.take(header.size as usize).map(|body| header.with(body)));
            }
        }
        let Some((header, body)) = self.next_raw(input, admit)? else { return Ok(None) };
        let body = match body {
            Body::Slice(body) => body,
            Body::Whole(body) => self.buffers.seal(body),
        };
        Ok(Some(header.with(body)))
    }

    /// As [`next`](Self::next), of a frame that is not what it looks like.
    pub(super) fn next_raw(
        &mut self,
        input: &mut Input,
        mut admit: impl FnMut(Header) -> Result<Admission, Violation>,
    ) -> Result<Option<(Header, Body)>, Violation> {
        loop {
            match &mut self.state {
                State::Header { bytes, filled } => {
                    let Some(header) = read_header(self.framing, bytes, filled, input)? else {
                        return Ok(None);
                    };
                    if admit(header)? == Admission::Name {
                        self.state = State::Name { header, bytes: Vec::new() };
                        continue;
                    }
                    let size = usize::try_from(header.size)
                        .map_err(|_| Violation::FrameLength(header.size))?;
                    if size == 0 {
                        self.state = State::START;
                        return Ok(Some((header, Body::Slice(Bytes::new()))));
                    }
                    if let Some(body) = input.take(size) {
                        self.state = State::START;
                        return Ok(Some((header, Body::Slice(body))));
                    }
                    let body = Partial::new(size, self.buffers.take(size));
                    self.state = State::Body { header, body };
                }
                State::Body { header, body } => {
                    body.copy(input.read(body.missing()));
                    if body.missing() > 0 {
                        return Ok(None);
                    }
                    let raw = (*header, Body::Whole(body.take()));
                    self.state = State::START;
                    return Ok(Some(raw));
                }
                State::Name { header, bytes } => {
                    if !read_name(header.size, bytes, input) {
                        return Ok(None);
                    }
                    let (size, name) = (header.size, std::mem::take(bytes));
                    let raw = (*header, Body::Slice(name.into()));
                    self.state =
                        State::Skip { size, missing: size - raw.1.as_slice().len() as u64 };
                    return Ok(Some(raw));
                }
                State::Skip { missing, .. } => {
                    let count = usize::try_from(*missing).unwrap_or(usize::MAX);
                    *missing -= input.read(count).len() as u64;
                    if *missing > 0 {
                        return Ok(None);
                    }
                    self.state = State::START;
                }
            }
        }
    }

    /// The size of the frame that is being skipped, if one is.
    pub(super) fn skipped(&self) -> Option<u64> {
        match self.state {
            State::Skip { size, .. } => Some(size),
            State::Header { .. } | State::Body { .. } | State::Name { .. } => None,
        }
    }

    /// Where the memory for large bodies comes from.
    pub(super) fn buffers(&self) -> &Arc<dyn Buffers> {
        &self.buffers
    }

    /// Room for the next bytes of a body of which much is missing.
    pub(super) fn direct(&mut self) -> Option<&mut [u8]> {
        match &mut self.state {
            State::Body { body, .. } => body.direct(),
            State::Header { .. } | State::Name { .. } | State::Skip { .. } => None,
        }
    }

    /// So many bytes were read into that room.
    pub(super) fn filled(&mut self, count: usize) {
        if let State::Body { body, .. } = &mut self.state {
            body.fill(count);
        }
    }

    /// Bytes reserved for a frame of which not all has arrived.
    pub(super) fn partial_bytes(&self) -> usize {
        match &self.state {
            State::Header { .. } | State::Skip { .. } => 0,
            State::Body { body, .. } => body.reserved(),
            State::Name { bytes, .. } => bytes.capacity(),
        }
    }
}

impl Header {
    fn with(self, body: Bytes) -> Frame {
        Frame { more: self.more, command: self.command, body }
    }
}

/// Reads a header straight from the input where it is all there, and otherwise through `bytes`.
fn read_header(
    framing: Framing,
    bytes: &mut [u8; HEADER_MAX],
    filled: &mut usize,
    input: &mut Input,
) -> Result<Option<Header>, Violation> {
    if *filled == 0
        && let Some((header, used)) = framing.read(input.rest())?
    {
        input.read(used);
        return Ok(Some(header));
    }
    loop {
        if let Some((header, _)) = framing.read(&bytes[..*filled])? {
            return Ok(Some(header));
        }
        let &[byte] = input.read(1) else { return Ok(None) };
        bytes[*filled] = byte;
        *filled += 1;
    }
}

/// Reads what a body of `size` bytes begins with: a length, and a string of that length; whether it is all there.
fn read_name(size: u64, bytes: &mut Vec<u8>, input: &mut Input) -> bool {
    loop {
        let length = 1 + bytes.first().copied().map_or(0, usize::from);
        let missing = usize::try_from(size).unwrap_or(usize::MAX).min(length) - bytes.len();
        if missing == 0 {
            return true;
        }
        let read = input.read(missing);
        if read.is_empty() {
            return false;
        }
        bytes.extend_from_slice(read);
    }
}

#[cfg(test)]
mod tests;
