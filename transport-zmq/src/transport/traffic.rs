//! Moving messages between libzmq and the backlog.

use std::{os::fd::AsRawFd, time::Instant};

use bytes::Bytes;
use zerorpc_proto::{
    Multipart, Transmit,
    transport::{Flow, SocketKind},
};
use zmq::{POLLIN, POLLOUT, PollEvents, PollItem};

use super::ZmqTransport;
use crate::{
    backlog::Outcome,
    frames::{self, Arrival},
    waiter::RETRY_INTERVAL,
};

impl ZmqTransport {
    /// Takes note of peers that came and went.
    pub(super) fn refresh(&mut self) -> Result<(), zmq::Error> {
        if self.links.refresh(&self.connected)? {
            // It is announced once, and whoever asks now need not be who waits for it.
            self.notifier.notify();
        }
        while let Some(endpoint) = self.links.take_due() {
            self.dial_again(&endpoint);
        }
        Ok(())
    }

    /// Whether libzmq may have messages: it would queue them for endpoints at which nobody is.
    fn has_peer(&self) -> bool {
        self.links.any()
    }

    /// What libzmq has to say, after it has handled all that its descriptor announced.
    fn events(&self) -> Result<PollEvents, zmq::Error> {
        loop {
            match self.socket.get_events() {
                Err(zmq::Error::EINTR) => {}
                result => return result,
            }
        }
    }

    /// Sends what waits and has room now; costs nothing when nothing waits.
    pub(super) fn flush(&mut self) -> Result<(), zmq::Error> {
        if self.backlog.is_empty() || !self.has_peer() {
            return Ok(());
        }
        // Sending alone looks for news from libzmq only now and then.
        self.events()?;
        let (socket, delimiter) = (&self.socket, self.kind.has_delimiter());
        let senders = self.senders.as_ref();
        let result =
            self.backlog.flush(|message| frames::send(socket, delimiter, message, senders));
        self.note_stalled();
        result
    }

    /// Only a ROUTER cannot tell whose pipe has room; see [`RETRY_INTERVAL`].
    pub(super) fn note_stalled(&self) {
        if self.is_router() {
            self.notifier.set_stalled(!self.backlog.is_empty());
        }
    }

    pub(super) fn try_send(&mut self, lane: Bytes, message: Transmit) -> Result<Flow, zmq::Error> {
        self.refresh()?;
        self.flush()?;
        let outcome = if self.backlog.holds(&lane) || !self.has_peer() {
            Outcome::Full
        } else {
            let senders = self.senders.as_ref();
            frames::send(&self.socket, self.kind.has_delimiter(), &message, senders)?
        };
        match outcome {
            Outcome::Sent => {}
            Outcome::Full => {
                let queued = self.backlog.push(lane, message);
                self.note_stalled();
                return Ok(Flow::Congested(queued));
            }
            Outcome::Gone => tracing::trace!(peer = ?lane, "dropped a message: the peer is gone"),
        }
        Ok(Flow::Clear)
    }

    pub(super) fn try_receive(&mut self) -> Result<Option<Multipart>, zmq::Error> {
        self.flush()?;
        loop {
            match self.arrival()? {
                Arrival::Message(message) => return Ok(Some(message)),
                Arrival::Refused => {}
                Arrival::Nothing => {
                    self.refresh()?;
                    if self.backlog.is_empty() {
                        return Ok(None);
                    }
                    // Looking for messages may have taken the news that there is room.
                    let events = self.events()?;
                    let room = events.contains(POLLOUT) && self.has_peer() && !self.is_router();
                    if !room && !events.contains(POLLIN) {
                        return Ok(None);
                    }
                    self.flush()?;
                }
            }
        }
    }

    fn arrival(&mut self) -> Result<Arrival, zmq::Error> {
        if matches!(self.kind, SocketKind::Push | SocketKind::Pub) {
            self.events()?;
            return Ok(Arrival::Nothing);
        }
        frames::receive(&self.socket, self.senders.as_mut())
    }

    pub(super) fn try_can_send(&mut self) -> Result<bool, zmq::Error> {
        self.refresh()?;
        self.flush()?;
        // Asking libzmq whether there is room takes a system call for each message. That there is none shows in
        // one that has to wait.
        Ok(self.backlog.is_empty() && self.has_peer())
    }

    /// Gives the backlog its part of the linger.
    pub(super) fn flush_until(&mut self, deadline: Instant) -> Result<(), zmq::Error> {
        loop {
            self.refresh()?;
            self.flush()?;
            let left = deadline.saturating_duration_since(Instant::now()).min(RETRY_INTERVAL);
            if self.backlog.is_empty() || left.is_zero() {
                return Ok(());
            }
            let mut items = [PollItem::from_fd(self.socket.as_raw_fd(), POLLIN)];
            match zmq::poll(&mut items, i64::try_from(left.as_millis()).unwrap_or(0)) {
                Ok(_) | Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
