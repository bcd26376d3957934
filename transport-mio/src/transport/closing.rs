//! The end of a socket: what is left is written, and peers learn that nothing follows.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::MioTransport;

/// How long is waited for something at a time, and for the ends of connections, where the linger has no end.
const ENDLESS: Duration = Duration::from_secs(1);

impl MioTransport {
    /// Writes what is left, for as long as the linger allows, and says the last word.
    pub(super) fn linger(&mut self) {
        let start = Instant::now();
        while !self.write_rest() {
            // Without an end to it, it is looked at again now and then: connections may end meanwhile.
            if !self.wait(PollFlags::OUT, self.linger_left(start)) {
                return;
            }
        }
        if self.is_finished {
            self.say_last_word();
            while !self.read_to_ends() && self.wait(PollFlags::IN, self.linger_left(start)) {}
        }
    }

    fn linger_left(&self, start: Instant) -> Duration {
        self.options.linger.map_or(ENDLESS, |linger| linger.saturating_sub(start.elapsed()))
    }

    /// Writes as much of what is left as there is room for; true when nothing is left.
    fn write_rest(&mut self) -> bool {
        let slots: Vec<usize> = self.peers.values().copied().collect();
        for slot in slots {
            if let Some(connection) = self.connection(slot) {
                connection.set_writable();
            }
            self.flush(slot);
            let failed = self.connection(slot).and_then(|connection| connection.failed.take());
            if let Some(ending) = failed {
                self.end(slot, &ending);
            }
        }
        let mut connections = self.slots.iter().filter_map(|(_, slot)| slot.connection());
        !connections.any(|connection| connection.peer.is_some() && connection.engine.has_output())
    }

    /// Tells all peers that everything was answered, as far as they understand it, and that nothing follows.
    fn say_last_word(&mut self) {
        let slots: Vec<usize> = self.peers.values().copied().collect();
        for slot in slots {
            if let Some(connection) = self.connection(slot) {
                connection.engine.go_away(true);
                connection.write();
                connection.stream.shut_down_writing();
            }
        }
    }

    /// Reads what nobody looks at any more, until the peers end their connections as well; true when all have. To close a
    /// connection on which something was not read would throw away what has not reached the peer yet.
    fn read_to_ends(&mut self) -> bool {
        let slots: Vec<usize> = self.peers.values().copied().collect();
        for slot in slots {
            let mut scratch = std::mem::take(&mut self.scratch);
            let Some(connection) = self.connection(slot) else { continue };
            let ended = loop {
                scratch.clear();
                match connection.stream.read(&mut scratch) {
                    Ok(0) => break true,
                    Ok(_) => {}
                    Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
                }
            };
            scratch.clear();
            self.scratch = scratch;
            if ended {
                self.close(slot, "this side has stopped");
            }
        }
        self.peers.is_empty()
    }

    /// Waits until connections are ready for something; false when it is too late for that.
    fn wait(&self, ready: PollFlags, time: Duration) -> bool {
        let connections = self.slots.iter().filter_map(|(_, slot)| slot.connection());
        let mut waits: Vec<PollFd<'_>> = connections
            .filter(|connection| connection.peer.is_some())
            .filter(|connection| ready != PollFlags::OUT || connection.engine.has_output())
            .map(|connection| PollFd::new(&connection.stream, ready))
            .collect();
        if waits.is_empty() || time.is_zero() {
            return false;
        }
        let timeout = Timespec::try_from(time).ok();
        let waited = poll(&mut waits, timeout.as_ref());
        // Where the linger has no end, nobody waits longer than this for peers to hang up.
        let is_over = ready == PollFlags::IN && waited == Ok(0);
        !is_over && !waited.is_err_and(|error| error != rustix::io::Errno::INTR)
    }
}
