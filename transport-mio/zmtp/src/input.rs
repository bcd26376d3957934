//! A chunk of received bytes, being read.

use std::mem;

use bytes::{Buf, Bytes};

/// A chunk, and how far it has been read. What is taken out is a slice of it.
#[derive(Debug)]
pub(super) struct Input {
    chunk: Bytes,
    at: usize,
    len: usize,
}

impl Input {
    pub(super) fn new(chunk: Bytes) -> Self {
        let len = chunk.len();
        Self { chunk, at: 0, len }
    }

    /// The length of the whole chunk.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &[u8] {
        &self.chunk[self.at..]
    }

    /// Reads up to `count` bytes.
    pub(super) fn read(&mut self, count: usize) -> &[u8] {
        let from = self.at;
        self.at = self.chunk.len().min(from.saturating_add(count));
        &self.chunk[from..self.at]
    }

    /// Reads `count` bytes as a slice that keeps the chunk alive; `None` when there are fewer.
    pub(super) fn take(&mut self, count: usize) -> Option<Bytes> {
        if self.chunk.len() - self.at < count {
            return None;
        }
        if count == 0 {
            return Some(Bytes::new());
        }
        let from = self.at;
        self.at += count;
        if self.at < self.chunk.len() {
            return Some(self.chunk.slice(from..self.at));
        }
        // The last slice is what is left of the chunk, which then need not be shared once more.
        let mut last = mem::take(&mut self.chunk);
        last.advance(from);
        self.at = 0;
        Some(last)
    }
}
