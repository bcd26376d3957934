//! Memory for large bodies, used again.
//!
//! To get fresh memory from the system for each body costs more than to receive it: every page is cleared, and mapped
//! at its first touch. What an application has done with comes back here and is used for the next body. What nobody
//! has needed for a while is given back.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;

use zerorpc_zmtp::Buffers;

/// Buffers of fewer bytes are not kept: allocators use such memory again by themselves, and faster, since what comes
/// fresh from the system is aligned to pages, which copies from the system's own pages do not like.
const SMALLEST: usize = 8 << 20;
/// So many bytes are kept at most: two bodies of 64 MiB, as an echo has them at a time (docs/speed.md), and some small ones.
const MOST_BYTES: usize = 160 << 20;
/// A body gets no buffer that is more than so many times as large. Not measured: what is wasted is not touched.
const WASTE: usize = 4;

/// Buffers that nobody uses. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many bodies are in use.
    lent: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// With the number of the season in which each came back.
    buffers: Vec<(Vec<u8>, u64)>,
    bytes: usize,
    season: u64,
}

impl Pool {
    /// Whether bodies are in use, whose memory is going to come back.
    pub(crate) fn is_in_use(&self) -> bool {
        self.0.lent.load(Ordering::Relaxed) > 0
    }

    /// Lets go of what was not needed since this was last called; whether anything is left, or is going to come.
    pub(crate) fn trim(&self) -> bool {
        let mut kept = self.0.kept.lock();
        let season = kept.season;
        kept.season += 1;
        kept.buffers.retain(|(_, since)| *since == season);
        kept.bytes = kept.buffers.iter().map(|(buffer, _)| buffer.capacity()).sum();
        !kept.buffers.is_empty() || self.is_in_use()
    }
}

impl Kept {
    fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        let fits = |capacity: usize| size <= capacity && capacity / WASTE <= size;
        let place = self.buffers.iter().rposition(|(buffer, _)| fits(buffer.capacity()))?;
        let (buffer, _) = self.buffers.remove(place);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        let more = buffer.capacity();
        // The oldest make room: they are the least likely to be needed.
        while !self.buffers.is_empty() && self.bytes + more > MOST_BYTES {
            let (oldest, _) = self.buffers.remove(0);
            self.bytes -= oldest.capacity();
        }
        if more <= MOST_BYTES {
            self.bytes += more;
            self.buffers.push((buffer, self.season));
        }
    }
}

impl Buffers for Pool {
    fn take(&self, size: usize) -> Vec<u8> {
        if size < SMALLEST {
            return Vec::new();
        }
        self.0.kept.lock().take(size).unwrap_or_default()
    }

    fn seal(&self, body: Vec<u8>) -> Bytes {
        if body.capacity() < SMALLEST {
            return Bytes::from(body);
        }
        self.0.lent.fetch_add(1, Ordering::Relaxed);
        Bytes::from_owner(Lent { body, pool: Arc::clone(&self.0) })
    }
}

/// A body in use; its memory comes back when nobody uses it any more.
struct Lent {
    body: Vec<u8>,
    pool: Arc<Shared>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let body = std::mem::take(&mut self.body);
        self.pool.kept.lock().keep(body);
        self.pool.lent.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(size: usize) -> Vec<u8> {
        vec![7; size]
    }

    #[test]
    fn what_comes_back_is_used_again() {
        let pool = Pool::default();
        let size = 5 * SMALLEST;
        let bytes = pool.seal(body(size));
        let start = bytes.as_ptr();
        let part = bytes.slice(5..10);
        drop(bytes);
        assert_eq!(pool.take(size).capacity(), 0, "a part of it is in use");
        drop(part);
        assert_eq!(pool.take(size + 1).capacity(), 0, "it is too small");
        assert_eq!(pool.take(SMALLEST).capacity(), 0, "it would be a waste");
        let again = pool.take(size / 2);
        assert_eq!(again.as_ptr(), start);
        assert_eq!(pool.take(size / 2).capacity(), 0, "there was one only");
    }

    #[test]
    fn little_and_too_much_are_not_kept() {
        let pool = Pool::default();
        drop(pool.seal(body(SMALLEST - 1)));
        drop(pool.seal(body(MOST_BYTES + 1)));
        assert!(!pool.trim());
        let some: Vec<_> = (0..30).map(|_| pool.seal(body(SMALLEST))).collect();
        drop(some);
        assert_eq!(pool.0.kept.lock().buffers.len(), MOST_BYTES / SMALLEST);
        drop(pool.seal(body(MOST_BYTES)));
        assert_eq!(pool.0.kept.lock().bytes, MOST_BYTES, "all others made room");
    }

    #[test]
    fn what_nobody_needs_goes() {
        let pool = Pool::default();
        drop(pool.seal(body(SMALLEST)));
        assert!(pool.trim(), "it came back just now");
        assert!(!pool.trim());
        let late = pool.seal(body(SMALLEST));
        assert!(pool.is_in_use() && pool.trim(), "it is going to come back");
        drop(late);
        assert!(!pool.is_in_use());
    }
}
