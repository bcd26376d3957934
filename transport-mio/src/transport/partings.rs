//! Connections that are over but for a last word: their peers are to read it.
//!
//! Who closes a connection on which something has arrived that was not read resets it, and with that the peer's system
//! throws away what the peer has not read. So writing ends first, and for a moment what comes is read and dropped.

use std::{
    io::ErrorKind,
    os::fd::{AsFd, AsRawFd},
    time::{Duration, Instant},
};

use mio::{Registry, event::Source, unix::SourceFd};
use zerorpc_zmtp::LastWords;

use super::connection::Connection;

/// So long may a peer take to read its last word. Not measured: some round trips on any path, with a packet lost.
const READING_TIME: Duration = Duration::from_secs(2);

/// So long may a peer take that goes on to talk: it does not notice by writing that nobody listens. Not measured: one round trip.
const READING_TIME_OF_TALKERS: Duration = Duration::from_millis(200);

/// A peer talks that has sent so many bytes meanwhile: more than what is on its way on most paths when the last word leaves.
const MUCH: usize = 256 << 10;

/// So much is dropped of what it says in one turn: as much as one read takes of anybody else.
const PORTION: usize = 64 << 10;

/// So many may be parting at a time. Others are closed at once. Not measured: a bound that only floods meet; each has a
/// descriptor that peers could use.
const MOST: usize = 64;

/// The time between looks at them, which grows. Begins with about what a peer nearby takes to read a word.
const PACE: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
pub(super) struct Partings {
    all: Vec<Parting>,
    next: Option<(Instant, Duration)>,
}

#[derive(Debug)]
struct Parting {
    connection: Connection,
    words: LastWords,
    since: Instant,
    dropped: usize,
    finished: bool,
}

impl Partings {
    /// Takes a connection of which the socket has no more than last words. From now on no event tells of it.
    pub(super) fn add(
        &mut self,
        connection: Connection,
        words: LastWords,
        registry: &Registry,
        now: Instant,
    ) {
        if self.all.len() >= MOST {
            return;
        }
        let fd = connection.stream.as_fd().as_raw_fd();
        if let Err(error) = SourceFd(&fd).deregister(registry) {
            return tracing::debug!(%error, "{} cannot be given a last word", connection.stream);
        }
        self.all.push(Parting { connection, words, since: now, dropped: 0, finished: false });
        self.next = Some((now + PACE, PACE));
        self.turn(now);
    }

    /// When to look at them again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.map(|(due, _)| due)
    }

    /// Looks at them, if it is time.
    pub(super) fn work(&mut self, now: Instant) {
        if let Some((due, pace)) = self.next
            && due <= now
        {
            let pace = (pace * 2).min(Duration::from_millis(50));
            self.next = Some((now + pace, pace));
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        let mut scratch = Vec::with_capacity(64 << 10);
        self.all.retain_mut(|parting| parting.may_go_on(now) && parting.goes_on(&mut scratch));
        if self.all.is_empty() {
            *self = Self::default();
        }
    }
}

impl Parting {
    fn may_go_on(&self, now: Instant) -> bool {
        let patience = if self.dropped < MUCH { READING_TIME } else { READING_TIME_OF_TALKERS };
        now.saturating_duration_since(self.since) < patience
    }

    /// Writes what is left and drops what comes; false when the peer is gone.
    fn goes_on(&mut self, scratch: &mut Vec<u8>) -> bool {
        let connection = &mut self.connection;
        connection.set_writable();
        connection.write_last(&mut self.words);
        if connection.write_error.is_some() {
            return false;
        }
        if !self.finished && !self.words.has_output() {
            self.finished = true;
            connection.stream.shut_down_writing();
        }
        let mut portion = 0;
        while portion < PORTION {
            scratch.clear();
            match connection.stream.read(scratch) {
                Ok(0) => return false,
                Ok(count) => portion += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.dropped += portion;
        true
    }
}
