//! The private protocol between this process and the Python child: frames over two pipes.
//!
//! A frame is a head of 17 bytes (length of the body, number of the call, kind) and a body: one msgpack
//! value, or nothing. `wire.py` is the other half.

use std::io::{self, BufRead, BufReader, Read, Write};

use bytes::Bytes;
use rmpv::{Value, encode::write_value};

const HEAD: usize = 17;

/// Bodies are received into a buffer of their announced size up to here, and beyond into one that grows.
const TRUSTED: u64 = 1 << 20;

/// Up to here, one copy is cheaper than a second system call.
const JOINED: usize = 1 << 16;

/// What the child sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The module is loaded: `[service name, [[method, doc, signature]...]]`.
    Ready,
    /// It cannot be served: `[reason, traceback]`.
    Refused,
    /// The result of a call.
    Value,
    /// The call's result is a stream.
    Stream,
    /// One item of it.
    Item,
    /// The end of it.
    Done,
    /// The failure of a call or stream: `[name, message, traceback]`.
    Failure,
}

/// One frame from the child.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) call: u64,
    pub(super) body: Bytes,
}

/// Reads the next frame; `None` at the end of the pipe.
pub(super) fn read(pipe: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    match pipe.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let (length, call, kind) = fields(&head);
    let kind = match kind {
        0 => Kind::Ready,
        1 => Kind::Refused,
        2 => Kind::Value,
        3 => Kind::Stream,
        4 => Kind::Item,
        5 => Kind::Done,
        6 => Kind::Failure,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame of unknown kind")),
    };
    let body = read_body(pipe, length)?;
    Ok(body.map(|body| Frame { kind, call, body }))
}

/// Whether the next frame has arrived as a whole, so that reading it would not block.
pub(super) fn has_arrived<R>(pipe: &BufReader<R>) -> bool {
    match pipe.buffer().split_first_chunk::<HEAD>() {
        Some((head, rest)) => rest.len() as u64 >= fields(head).0,
        None => false,
    }
}

/// Length of the body, number of the call, kind.
fn fields(head: &[u8; HEAD]) -> (u64, u64, u8) {
    let number =
        |at: usize| head[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    (number(0), number(8), head[16])
}

/// `None` when the pipe ends within.
fn read_body(pipe: &mut impl BufRead, length: u64) -> io::Result<Option<Bytes>> {
    if length == 0 {
        return Ok(Some(Bytes::new()));
    }
    let there = pipe.fill_buf()?;
    if there.len() as u64 >= length {
        let length = length as usize;
        let body = Bytes::copy_from_slice(&there[..length]);
        pipe.consume(length);
        return Ok(Some(body));
    }
    let mut body = Vec::with_capacity(length.min(TRUSTED) as usize);
    let read = pipe.take(length).read_to_end(&mut body)?;
    Ok((read as u64 == length).then(|| body.into()))
}

/// Begins a call; `arguments` is one msgpack value.
pub(super) fn write_call(
    pipe: &mut impl Write,
    call: u64,
    method: &str,
    arguments: &[u8],
) -> io::Result<()> {
    let mut body = vec![0x92];
    write_value(&mut body, &Value::from(method)).map_err(io::Error::from)?;
    write(pipe, 16, call, &body, arguments)
}

/// Gives credit back: that much has been taken off a stream.
pub(super) fn write_credit(
    pipe: &mut impl Write,
    call: u64,
    items: u64,
    bytes: u64,
) -> io::Result<()> {
    let mut body = Vec::new();
    let taken = Value::Array(vec![items.into(), bytes.into()]);
    write_value(&mut body, &taken).map_err(io::Error::from)?;
    write(pipe, 17, call, &body, &[])
}

/// Nobody wants the answer to a call any more.
pub(super) fn write_cancel(pipe: &mut impl Write, call: u64) -> io::Result<()> {
    write(pipe, 18, call, &[], &[])
}

/// The body is given in two parts, of which the second may be large and is not copied then.
fn write(pipe: &mut impl Write, kind: u8, call: u64, body: &[u8], tail: &[u8]) -> io::Result<()> {
    let length = (body.len() + tail.len()) as u64;
    let mut start = Vec::with_capacity(HEAD + body.len() + tail.len().min(JOINED));
    start.extend(length.to_be_bytes());
    start.extend(call.to_be_bytes());
    start.push(kind);
    start.extend(body);
    if tail.len() < JOINED {
        start.extend(tail);
        pipe.write_all(&start)
    } else {
        pipe.write_all(&start)?;
        pipe.write_all(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: u64, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(length.to_be_bytes());
        bytes.extend(7u64.to_be_bytes());
        bytes.push(kind);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn reads_whole_frames_only() {
        let whole = frame(3, 2, b"abc");
        let read_frame = read(&mut &whole[..]).expect("is readable").expect("is whole");
        assert_eq!(
            (read_frame.kind, read_frame.call, &read_frame.body[..]),
            (Kind::Value, 7, &b"abc"[..])
        );
        for end in 0..whole.len() {
            assert!(read(&mut &whole[..end]).expect("is readable").is_none(), "cut at {end}");
        }
    }

    #[test]
    fn tells_what_can_be_read_without_blocking() {
        let two = [frame(0, 5, b""), frame(2, 2, b"ab")].concat();
        for end in 0..=two.len() {
            let mut pipe = BufReader::new(&two[..end]);
            pipe.fill_buf().expect("is readable");
            assert_eq!(has_arrived(&pipe), end >= HEAD, "cut at {end}");
            if end >= HEAD {
                read(&mut pipe).expect("is readable").expect("is whole");
                assert_eq!(has_arrived(&pipe), end == two.len(), "cut at {end}");
            }
        }
    }

    #[test]
    fn refuses_unknown_kinds_and_reserves_nothing_for_announcements() {
        assert!(read(&mut &frame(0, 9, b"")[..]).is_err());
        assert!(read(&mut &frame(u64::MAX, 2, b"abc")[..]).expect("is readable").is_none());
    }

    #[test]
    fn writes_what_the_bridge_reads() {
        for size in [0, 1, JOINED, JOINED + 1] {
            let arguments = vec![0xc0; size];
            let mut out = Vec::new();
            write_call(&mut out, 7, "m", &arguments).expect("a Vec takes everything");
            let body = [&[0x92, 0xa1, b'm'][..], &arguments].concat();
            assert_eq!(out, frame(body.len() as u64, 16, &body));
        }
        let mut out = Vec::new();
        write_credit(&mut out, 7, 32, 1000).expect("a Vec takes everything");
        write_cancel(&mut out, 7).expect("a Vec takes everything");
        let expected = [frame(5, 17, &[0x92, 32, 0xcd, 0x03, 0xe8]), frame(0, 18, b"")].concat();
        assert_eq!(out, expected);
    }
}
