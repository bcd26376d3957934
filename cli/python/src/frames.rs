//! The private protocol between this process and the Python child: frames over two pipes.
//!
//! A frame is a head of 17 bytes (length of the body, number of the call, kind) and a body: one msgpack
//! value, or nothing. `wire.py` is the other half.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::ChildStdout,
};

use bytes::Bytes;
use rmpv::{Value, encode::write_value};
use zerorpc::Context;

const HEAD: usize = 17;

/// Bodies are received into a buffer of their announced size up to here, and beyond into one that grows. Not measured: a
/// bound on what an announcement alone can make a server reserve.
const TRUSTED: u64 = 1 << 20;

/// Up to here, a body is copied behind its head instead of being a part of its own. Not measured: so much is copied in some
/// microseconds, and a pipe holds no more.
const JOINED: usize = 1 << 16;

/// What the child sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The module is loaded: `[service name, [[method, doc, signature]...]]`. The number tells how calls are run.
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
    /// The failure of a call or stream: `[name, message, traceback, whether the method raised it]`.
    Failure,
    /// A call runs in a thread or greenlet of its own now.
    Begun,
    /// A call runs on the event loop now.
    Async,
    /// Something for a socket that served code has opened.
    Outgoing(u8),
}

/// What is sent to the child.
const CALL: u8 = 16;
const CREDIT: u8 = 17;
const CANCEL: u8 = 18;

/// The pipe that the child writes to, for one reader.
pub(super) type Output = BufReader<ChildStdout>;

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
        7 => Kind::Begun,
        8 => Kind::Async,
        32..48 => Kind::Outgoing(kind),
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

/// Begins a call. `header` are the keys that came with the request, `peer` is what is known of who calls, encoded.
pub(super) fn call(
    number: u64,
    method: &str,
    header: &Context,
    peer: &[u8],
    arguments: Bytes,
) -> Vec<Bytes> {
    let (has_header, has_peer) = (!header.is_empty() || !peer.is_empty(), !peer.is_empty());
    let mut body = vec![0x92 + u8::from(has_header) + u8::from(has_peer)];
    append(&mut body, &Value::from(method));
    if has_header {
        append_map_head(&mut body, header.len());
        for part in header.iter().flat_map(|(key, value)| [key, value]) {
            body.extend(part.as_bytes());
        }
    }
    if has_peer {
        // Read only by those who ask.
        append(&mut body, &Value::from(peer));
    }
    frame(CALL, number, &body, arguments)
}

/// Gives credit back: that much has been taken off a stream.
pub(super) fn credit(number: u64, items: u64, bytes: u64) -> Vec<Bytes> {
    let mut body = Vec::new();
    append(&mut body, &Value::Array(vec![items.into(), bytes.into()]));
    frame(CREDIT, number, &body, Bytes::new())
}

/// Nobody wants the answer to a call any more.
pub(super) fn cancel(number: u64) -> Vec<Bytes> {
    frame(CANCEL, number, &[], Bytes::new())
}

/// A frame in one part, or in two where the second is so large that it is not worth a copy.
pub(super) fn frame(kind: u8, number: u64, body: &[u8], tail: Bytes) -> Vec<Bytes> {
    let length = (body.len() + tail.len()) as u64;
    let is_joined = tail.len() < JOINED;
    let mut start = Vec::with_capacity(HEAD + body.len() + if is_joined { tail.len() } else { 0 });
    start.extend(length.to_be_bytes());
    start.extend(number.to_be_bytes());
    start.push(kind);
    start.extend(body);
    if is_joined {
        start.extend_from_slice(&tail);
        vec![start.into()]
    } else {
        vec![start.into(), tail]
    }
}

/// A map of up to 2^32 pairs; nearly always a handful.
fn append_map_head(out: &mut Vec<u8>, pairs: usize) {
    match u8::try_from(pairs) {
        Ok(pairs @ 0..16) => out.push(0x80 | pairs),
        _ => {
            out.push(0xdf);
            out.extend((pairs as u32).to_be_bytes());
        }
    }
}

fn append(out: &mut Vec<u8>, value: &Value) {
    // A `Vec` takes everything.
    let _never_fails = write_value(out, value);
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
            let out = call(7, "m", &Context::new(), b"", arguments.clone().into()).concat();
            let body = [&[0x92, 0xa1, b'm'][..], &arguments].concat();
            assert_eq!(out, frame(body.len() as u64, 16, &body));
        }
        let mut header = Context::new();
        header.insert("k", &1).expect("has a form");
        let out = call(7, "m", &header, b"", Bytes::from_static(&[0x90])).concat();
        let body = [0x93, 0xa1, b'm', 0x81, 0xa1, b'k', 1, 0x90];
        assert_eq!(out, frame(body.len() as u64, 16, &body));
        let out = call(7, "m", &Context::new(), &[0x80], Bytes::from_static(&[0x90])).concat();
        let body = [0x94, 0xa1, b'm', 0x80, 0xc4, 1, 0x80, 0x90];
        assert_eq!(out, frame(body.len() as u64, 16, &body));

        let out = [credit(7, 32, 1000), cancel(7)].concat().concat();
        let expected = [frame(5, 17, &[0x92, 32, 0xcd, 0x03, 0xe8]), frame(0, 18, b"")].concat();
        assert_eq!(out, expected);
    }
}
