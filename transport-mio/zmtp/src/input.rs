//! A chunk of received bytes, being read.

use bytes::Bytes;

/// A chunk, and how far it has been read. What is taken out is a slice of it.
#[derive(Debug)]
pub(super) struct Input {
    chunk: Bytes,
    at: usize,
}

impl Input {
    pub(super) fn new(chunk: Bytes) -> Self {
        Self { chunk, at: 0 }
    }

    /// The length of the whole chunk.
    pub(super) fn len(&self) -> usize {
        self.chunk.len()
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
        Some(self.chunk.slice(from..self.at))
    }
}
