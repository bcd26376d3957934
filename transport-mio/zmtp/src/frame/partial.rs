//! A body that arrives in pieces.

use std::mem;

/// So much at least is reserved for a body that is still to come; beyond that, as much as has come. Not measured: a quarter of
/// a read; who announces much and sends nothing costs no more.
pub(super) const STEP: usize = 16 << 10;

/// From so many missing bytes on, a body is worth a read of its own.
pub(super) const DIRECT: usize = 16 << 10;

/// So many bytes are read into a body at a time, at most: larger pieces fall out of the processor's caches on their way.
pub(super) const DIRECT_MAX: usize = 256 << 10;

/// A body that has begun to arrive.
#[derive(Debug)]
pub(super) struct Partial {
    size: usize,
    /// As large as what has arrived asks for, and never larger than the body.
    buffer: Vec<u8>,
    /// How much has arrived.
    filled: usize,
}

impl Partial {
    /// The buffer may hold anything: it is written over.
    pub(super) fn new(size: usize, mut buffer: Vec<u8>) -> Self {
        buffer.truncate(size);
        Self { size, buffer, filled: 0 }
    }

    pub(super) fn missing(&self) -> usize {
        self.size - self.filled
    }

    pub(super) fn copy(&mut self, arrived: &[u8]) {
        self.reserve(arrived.len());
        self.buffer[self.filled..][..arrived.len()].copy_from_slice(arrived);
        self.filled += arrived.len();
    }

    /// Room for the next bytes, where much is missing.
    pub(super) fn direct(&mut self) -> Option<&mut [u8]> {
        (self.missing() >= DIRECT).then(|| self.room())
    }

    /// So many bytes were read into that room.
    pub(super) fn fill(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.buffer.len());
    }

    /// The body, once nothing is missing.
    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.buffer)
    }

    /// Bytes reserved for it.
    pub(super) fn reserved(&self) -> usize {
        self.buffer.capacity()
    }

    fn room(&mut self) -> &mut [u8] {
        self.reserve(DIRECT.min(self.missing()));
        let room = &mut self.buffer[self.filled..];
        let most = room.len().min(DIRECT_MAX);
        &mut room[..most]
    }

    /// Makes room for so many more bytes: at least doubles what is there, never beyond the size of the body.
    fn reserve(&mut self, arrived: usize) {
        let len = self.buffer.len();
        if len - self.filled < arrived {
            let ahead = len.max(STEP).max(arrived).min(self.size - len);
            self.buffer.reserve_exact(ahead);
            self.buffer.resize(len + ahead, 0);
        }
    }
}
