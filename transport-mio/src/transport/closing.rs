//! The end of a socket: what is left is written, and peers learn that nothing follows.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{MioTransport, slots::Slot};

/// Where the linger has no end: how long is waited for something at a time, and, once all is written, for peers to hang up.
const ENDLESS: Duration = Duration::from_secs(1);

/// So much of what nobody looks at any more is read from one connection before it is another's turn. Not measured: nobody is
/// served any more, so it may be more than a read of a socket at work.
const PORTION: usize = 1 << 20;

impl MioTransport {
    /// Writes what is left, for as long as the linger allows. A socket that has answered everything says its last word to
    /// each peer as soon as all else is written there, and waits for it to hang up.
    pub(super) fn linger(&mut self) {
        let linger = self.options.linger_of(self.kind);
        let mut until = linger.and_then(|linger| Instant::now().checked_add(linger));
        loop {
            let is_written = self.write_rest();
            if self.is_finished {
                self.hang_up();
            }
            if is_written && (!self.is_finished || self.socket.peer_count() == 0) {
                return;
            }
            if is_written {
                until.get_or_insert_with(|| Instant::now() + ENDLESS);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) || !self.wait(left.unwrap_or(ENDLESS)) {
                return;
            }
        }
    }

    /// Writes as much of what is left as there is room for; true when nothing is left.
    fn write_rest(&mut self) -> bool {
        let slots = self.ready_slots();
        for slot in slots {
            if let Some(connection) = self.connection(slot) {
                connection.set_writable();
            }
            self.flush(slot);
            self.after_read(slot, false, Instant::now());
        }
        !self.socket.ready_connections().any(|id| self.socket.has_output(id))
    }

    /// The slots of all connections with a peer.
    fn ready_slots(&self) -> Vec<usize> {
        self.socket.ready_connections().filter_map(|id| self.slot_of(id)).collect()
    }

    /// Says the last word where nothing else is left to say, and reads on until the peer ends its connection as well: to
    /// close one on which something was not read would throw away what has not reached the peer yet.
    fn hang_up(&mut self) {
        let slots = self.ready_slots();
        let mut scratch = std::mem::take(&mut self.scratch);
        for slot in slots {
            let Self { slots, socket, .. } = self;
            let connection = slots.get_mut(slot).and_then(Slot::connection_mut);
            let Some(connection) = connection else { continue };
            if !connection.has_hung_up && !socket.has_output(connection.id) {
                socket.say_last_word(connection.id);
                connection.write(socket);
                connection.stream.shut_down_writing();
                connection.has_hung_up = true;
            }
            let mut portion = 0;
            while connection.has_hung_up && portion < PORTION {
                scratch.clear();
                match connection.stream.read(&mut scratch) {
                    Ok(count) if count > 0 => portion += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Ok(_) | Err(_) => {
                        self.close(slot, "this side has stopped");
                        break;
                    }
                }
            }
        }
        scratch.clear();
        self.scratch = scratch;
    }

    /// Waits until connections are ready for something; false when there is nothing to wait for.
    fn wait(&self, time: Duration) -> bool {
        let connections = self.slots.iter().filter_map(|(_, slot)| slot.connection());
        let mut waits: Vec<PollFd<'_>> = connections
            .filter(|connection| self.socket.peer_of(connection.id).is_some())
            .filter_map(|connection| {
                let flags = match (self.socket.has_output(connection.id), connection.has_hung_up) {
                    (_, true) => PollFlags::IN,
                    (true, false) => PollFlags::OUT,
                    (false, false) => return None,
                };
                Some(PollFd::new(&connection.stream, flags))
            })
            .collect();
        let timeout = Timespec::try_from(time).ok();
        !waits.is_empty()
            && !poll(&mut waits, timeout.as_ref())
                .is_err_and(|error| error != rustix::io::Errno::INTR)
    }
}
