//! Encoded bytes on their way: small parts copied together, large ones as they are.

use std::{collections::VecDeque, io::IoSlice, ops::Range};

use bytes::Bytes;

use super::super::{
    frame::{Framing, Header},
    mechanism::Encryption,
};

/// Parts from this size on are not copied.
const WHOLE: usize = 4 << 10;

/// With so many copied bytes, a batch takes no further message.
const COPIED_MAX: usize = 32 << 10;

/// With so many bytes in all, it takes none.
const TOTAL_MAX: usize = 1 << 20;

/// With so many segments, it takes none.
const SEGMENTS_MAX: usize = 64;

/// What one or a few vectored writes can carry.
#[derive(Debug, Default)]
pub(super) struct Batch {
    copied: Vec<u8>,
    /// So many of the copied bytes are in segments.
    ended: usize,
    segments: VecDeque<Segment>,
    /// Bytes of all segments there have been.
    len: usize,
    /// Bytes of them that are written.
    written: usize,
    /// Bytes of the first segment that are written.
    begun: usize,
}

#[derive(Debug)]
enum Segment {
    Copied(Range<usize>),
    Whole(Bytes),
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Self::Copied(range) => range.len(),
            Self::Whole(bytes) => bytes.len(),
        }
    }
}

impl Batch {
    /// An idle connection keeps no larger buffer than this.
    pub(super) const IDLE_CAPACITY: usize = 4 << 10;

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.copied.len() >= COPIED_MAX
            || self.len() >= TOTAL_MAX
            || self.segments.len() >= SEGMENTS_MAX
    }

    /// Bytes encoded since the batch was reset, written ones included.
    pub(super) fn len(&self) -> usize {
        self.len + self.copied.len() - self.ended
    }

    /// Bytes written since the batch was reset.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    pub(super) fn copy(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    pub(super) fn header(&mut self, framing: Framing, header: Header) {
        framing.write(header, &mut self.copied);
    }

    /// A part of a body.
    pub(super) fn part(&mut self, part: &Bytes) {
        if part.len() < WHOLE {
            self.copy(part);
        } else {
            self.end_segment();
            self.len += part.len();
            self.segments.push_back(Segment::Whole(part.clone()));
        }
    }

    /// A frame of a message, in a box.
    pub(super) fn encrypted(&mut self, encryption: &mut Encryption, more: bool, parts: &[&[u8]]) {
        let size = parts.iter().map(|part| part.len() as u64).sum();
        let header = Header { more, command: false, size };
        if size < COPIED_MAX as u64 {
            encryption.frame(header, parts, &mut self.copied);
        } else {
            self.end_segment();
            let frame = encryption.large_frame(header, parts);
            self.len += frame.len();
            self.segments.push_back(Segment::Whole(frame));
        }
    }

    /// Makes a segment of what was copied since the last one. To be done before anything is written.
    pub(super) fn end_segment(&mut self) {
        let range = self.ended..self.copied.len();
        if !range.is_empty() {
            self.ended = range.end;
            self.len += range.len();
            self.segments.push_back(Segment::Copied(range));
        }
    }

    /// Fills `slices` from the front with what is not written; how many it filled.
    pub(super) fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut begun = self.begun;
        let mut filled = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            let bytes = match segment {
                Segment::Copied(range) => &self.copied[range.clone()],
                Segment::Whole(bytes) => bytes,
            };
            *slice = IoSlice::new(&bytes[begun..]);
            begun = 0;
            filled += 1;
        }
        filled
    }

    /// Takes note of `count` written bytes; how many are written in all.
    pub(super) fn advance(&mut self, count: usize) -> usize {
        let count = count.min(self.len - self.written);
        self.written += count;
        self.begun += count;
        while let Some(first) = self.segments.front()
            && self.begun >= first.len()
        {
            self.begun -= first.len();
            self.segments.pop_front();
        }
        self.written
    }

    /// Drops everything from `len` bytes on, of which nothing is written.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.len > len
            && let Some(last) = self.segments.pop_back()
        {
            let begins = self.len - last.len();
            self.len = begins;
            if begins < len
                && let Segment::Copied(range) = last
            {
                self.len = len;
                self.segments.push_back(Segment::Copied(range.start..range.start + len - begins));
            }
        }
        if self.written == self.len {
            self.segments.clear();
            self.begun = 0;
        }
    }

    /// Begins anew; gives memory back when nothing is going to follow soon.
    pub(super) fn reset(&mut self, idle: bool) {
        self.copied.clear();
        self.segments.clear();
        (self.ended, self.len, self.written, self.begun) = (0, 0, 0, 0);
        if idle && self.copied.capacity() > Self::IDLE_CAPACITY {
            self.copied = Vec::new();
        }
        if idle && self.segments.capacity() > SEGMENTS_MAX {
            self.segments = VecDeque::new();
        }
    }
}
