//! The body of the fuzz target for what the child says: it panics when something does not hold that should.

use std::{
    cell::Cell,
    io::{BufReader, Read},
};

use arbitrary::Unstructured;
use bytes::Bytes;

use super::{
    frames::{self, Kind},
    outgoing::fuzzing::order,
    service_info::{ServiceInfo, failure, texts},
};

const HEAD: usize = 17;

/// Reads frames that a child may send, in any pieces, and takes their bodies apart.
pub fn bridge(data: &[u8]) {
    // Ends with the script.
    let _ = play(&mut Unstructured::new(data));
}

fn play(script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut stream = Vec::new();
    for _ in 0..script.int_in_range(0..=4_u8)? {
        let kind = match script.int_in_range(0..=3_u8)? {
            0 => script.arbitrary()?,
            1 => script.int_in_range(32..=38)?,
            _ => script.int_in_range(0..=8)?,
        };
        let number = script.arbitrary()?;
        let (count, piece) = (usize::from(script.arbitrary::<u8>()?), script.arbitrary::<u8>()?);
        let body = script.bytes(count.min(script.len()))?;
        // The parts in which a frame is written make no difference.
        let (start, tail) = body.split_at(usize::from(piece).min(body.len()));
        let tail = Bytes::copy_from_slice(tail);
        stream.extend(frames::frame(kind, number, start, tail).concat());
    }
    let capacity = 1 + usize::from(script.arbitrary::<u8>()?);
    let most = 1 + usize::from(script.arbitrary::<u8>()?);
    stream.extend(script.bytes(script.len())?);
    read_all(&stream, capacity, most);
    Ok(())
}

/// Every frame of the stream, compared with what its head says.
fn read_all(mut stream: &[u8], capacity: usize, most: usize) {
    let reads = Cell::new(0);
    let mut pipe = BufReader::with_capacity(capacity, Pieces { left: stream, most, reads: &reads });
    loop {
        let is_there = frames::has_arrived(&pipe);
        let before = reads.get();
        let read = frames::read(&mut pipe);
        assert!(!is_there || reads.get() == before, "what has arrived is read without waiting");
        let Some(head) = stream.first_chunk::<HEAD>() else {
            assert!(matches!(read, Ok(None)), "a part of a head is no frame: {read:?}");
            return;
        };
        let eight = |at: usize| head[at..at + 8].try_into().map(u64::from_be_bytes);
        let (length, number) = (eight(0).expect("eight bytes"), eight(8).expect("eight bytes"));
        if !matches!(head[16], 0..=8 | 32..=47) {
            assert!(!is_there || reads.get() == before);
            read.expect_err("there is no such kind");
            return;
        }
        stream = &stream[HEAD..];
        if length > stream.len() as u64 {
            assert!(
                !is_there && matches!(read, Ok(None)),
                "a part of a body is no frame: {read:?}"
            );
            return;
        }
        let (body, rest) = stream.split_at(length as usize);
        stream = rest;
        let frame = read.expect("it is readable").expect("it is all there");
        assert_eq!((frame.call, &frame.body[..]), (number, body));
        take(frame.kind, &frame.body);
    }
}

/// What a body means, and to others as well: a child may be wrong about the kind.
fn take(kind: Kind, body: &Bytes) {
    if let Some(info) = ServiceInfo::decode(body) {
        assert!(info.methods.len() < body.len(), "a method takes a byte at least");
    }
    let (failure, _) = failure(body);
    assert!(failure.name.len() + failure.message.len() <= body.len());
    let texts: [String; 2] = texts(body);
    assert!(texts.iter().map(String::len).sum::<usize>() <= body.len());
    match kind {
        Kind::Outgoing(kind) => order(kind, body),
        _ => (32..40).for_each(|kind| order(kind, body)),
    }
}

/// A pipe that gives a few bytes at a time.
struct Pieces<'a> {
    left: &'a [u8],
    most: usize,
    reads: &'a Cell<usize>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        let count = buffer.len().min(self.most);
        (&mut self.left).take(count as u64).read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn random_frames(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::bridge(&data);
        }
    }
}
