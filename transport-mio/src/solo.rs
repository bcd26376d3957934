//! Waiting in the read itself.
//!
//! A socket with one connection has nothing else to watch, most of the time. As long as its peer is brisk, the waiter
//! reads from the connection instead of waiting until there is something to be read: one system call less for each
//! message. What it has read reaches the transport with the readiness of other sources.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use zerorpc_proto::PeerId;

use crate::{connection::chunk, link::Stream};

/// As long as other sources may go unwatched: wakes, new connections.
pub(crate) const UNWATCHED: Duration = Duration::from_millis(1);
/// Peers that have said something in this time are brisk.
pub(crate) const BRISK: Duration = Duration::from_millis(1);
/// A read waits for no longer than about this, and so makes nobody wait who has less time.
pub(crate) const PATIENCE: Duration = Duration::from_millis(10);

/// The only connection of a socket.
#[derive(Debug, Clone)]
pub(crate) struct Solo {
    pub(crate) slot: usize,
    pub(crate) peer: PeerId,
    pub(crate) stream: Arc<Stream>,
}

/// What a waiter has read.
#[derive(Debug)]
pub(crate) struct Haul {
    pub(crate) from: Solo,
    /// Empty at the end of the stream.
    pub(crate) chunk: io::Result<Bytes>,
    /// There may be more.
    pub(crate) more: bool,
}

impl Haul {
    /// What came of a read into a buffer that was empty.
    pub(crate) fn new(from: Solo, read: io::Result<usize>, buffer: &mut Vec<u8>) -> Self {
        let more = buffer.len() == buffer.capacity();
        let chunk = read.map(|_| chunk(buffer));
        buffer.clear();
        Self { from, chunk, more }
    }
}
