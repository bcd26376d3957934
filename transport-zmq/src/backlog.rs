//! Messages that libzmq had no room for, in order, per destination.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use zerorpc_proto::Transmit;

/// How many bytes may wait for one peer, beside libzmq's own queue, before all of them are dropped.
///
/// A single message may be larger. Not measured: a bound.
pub const MAX_BACKLOG_BYTES: usize = 64 << 20;

/// How many messages may wait for one peer, beside libzmq's own queue, before all of them are dropped. Not measured: sixteen
/// times that queue of 1000 messages.
pub const MAX_BACKLOG_MESSAGES: usize = 16_384;

/// What became of an attempt to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// libzmq has the message.
    Sent,
    /// There is no room; nothing was sent.
    Full,
    /// There is no such peer.
    Gone,
}

/// Stalled messages, each in the lane of its destination: the routing id on a ROUTER, the empty name on
/// sockets that pick the peer themselves.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    lanes: BTreeMap<Bytes, Lane>,
    /// Bytes in all of them.
    bytes: usize,
    /// Lanes that have emptied, one way or the other, since they were last asked for.
    emptied: VecDeque<Bytes>,
}

#[derive(Debug, Default)]
struct Lane {
    messages: VecDeque<Transmit>,
    bytes: usize,
}

impl Lane {
    fn has_room_for(&self, bytes: usize) -> bool {
        self.messages.is_empty()
            || (self.messages.len() < MAX_BACKLOG_MESSAGES
                && self.bytes + bytes <= MAX_BACKLOG_BYTES)
    }
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether a message in this lane has to stand behind others.
    pub(crate) fn holds(&self, lane: &Bytes) -> bool {
        self.lanes.contains_key(lane)
    }

    /// Queues a message. A lane that would grow over its limit belongs to a peer that does not read:
    /// the whole lane is dropped, with the message. How many bytes wait in it now.
    pub(crate) fn push(&mut self, lane: Bytes, message: Transmit) -> usize {
        let bytes = weight(&message);
        let waiting = self.lanes.entry(lane.clone()).or_default();
        if waiting.has_room_for(bytes) {
            waiting.messages.push_back(message);
            waiting.bytes += bytes;
            self.bytes += bytes;
            return waiting.bytes;
        }
        tracing::warn!(
            peer = ?lane,
            messages = waiting.messages.len() + 1,
            bytes = waiting.bytes + bytes,
            "dropped everything that waits for a peer that does not read"
        );
        self.discard(&lane);
        0
    }

    /// Drops all that waits in a lane.
    pub(crate) fn discard(&mut self, lane: &Bytes) {
        if let Some(dropped) = self.lanes.remove(lane) {
            self.bytes -= dropped.bytes;
            self.emptied.push_back(lane.clone());
        }
    }

    /// Bytes in all lanes,
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// and in each of them.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (&Bytes, usize)> {
        self.lanes.iter().map(|(name, lane)| (name, lane.bytes))
    }

    /// The next lane that has emptied.
    pub(crate) fn pop_emptied(&mut self) -> Option<Bytes> {
        self.emptied.pop_front()
    }

    /// Tries every lane from its front until it has no room.
    ///
    /// # Errors
    /// The first error of `send`; what was not sent stays queued.
    pub(crate) fn flush<E>(
        &mut self,
        mut send: impl FnMut(&Transmit) -> Result<Outcome, E>,
    ) -> Result<(), E> {
        let mut result = Ok(());
        let Self { lanes, bytes, emptied } = self;
        lanes.retain(|name, lane| {
            while result.is_ok() && let Some(message) = lane.messages.front() {
                match send(message) {
                    Ok(Outcome::Sent) => {
                        let sent = weight(message);
                        lane.bytes -= sent;
                        *bytes -= sent;
                        lane.messages.pop_front();
                    }
                    Ok(Outcome::Full) => return true,
                    Ok(Outcome::Gone) => {
                        tracing::trace!(peer = ?name, messages = lane.messages.len(), "the peer is gone");
                        lane.messages.clear();
                        *bytes -= std::mem::take(&mut lane.bytes);
                    }
                    Err(error) => result = Err(error),
                }
            }
            if lane.messages.is_empty() {
                emptied.push_back(name.clone());
            }
            !lane.messages.is_empty()
        });
        result
    }
}

/// What a queued message is charged with: its bytes, and what it costs to hold it.
fn weight(message: &Transmit) -> usize {
    let envelope: usize =
        message.envelope.frames().iter().map(|id| id.len() + size_of::<Bytes>()).sum();
    size_of::<Transmit>() + envelope + message.payload.len()
}

#[cfg(test)]
mod tests {
    use zerorpc_proto::{Envelope, Payload, PeerId};

    use super::*;

    fn message(text: &'static str) -> Transmit {
        let payload = Payload { head: Bytes::from_static(text.as_bytes()), body: Bytes::new() };
        Transmit::new(PeerId::NAMELESS, Envelope::default(), payload)
    }

    fn lane(name: &'static str) -> Bytes {
        Bytes::from_static(name.as_bytes())
    }

    /// Flushes; messages that begin with one of `full` have no room, with one of `gone` no peer.
    fn flush(backlog: &mut Backlog, full: &str, gone: &str) -> Vec<Bytes> {
        let mut sent = Vec::new();
        let result: Result<(), ()> = backlog.flush(|message| {
            let initial = char::from(message.payload.head[0]);
            if full.contains(initial) {
                return Ok(Outcome::Full);
            }
            if gone.contains(initial) {
                return Ok(Outcome::Gone);
            }
            sent.push(message.payload.head.clone());
            Ok(Outcome::Sent)
        });
        assert_eq!(result, Ok(()));
        sent
    }

    #[test]
    fn lanes_keep_their_order_and_do_not_delay_each_other() {
        let mut backlog = Backlog::default();
        for text in ["a1", "b1", "a2", "c1", "b2"] {
            backlog.push(lane(&text[..1]), message(text));
        }
        assert_eq!(flush(&mut backlog, "a", "b"), ["c1"]);
        assert!(backlog.holds(&lane("a")));
        assert!(!backlog.holds(&lane("b")), "what waits for a peer that is gone is dropped");
        assert!(!backlog.holds(&lane("c")), "an empty lane is no lane");
        backlog.push(lane("a"), message("a3"));
        assert_eq!(backlog.bytes(), backlog.lanes().map(|(_, bytes)| bytes).sum::<usize>());
        assert_eq!(flush(&mut backlog, "", ""), ["a1", "a2", "a3"]);
        assert!(backlog.is_empty());
        assert_eq!(backlog.bytes(), 0);
    }

    #[test]
    fn an_error_keeps_what_was_not_sent() {
        let mut backlog = Backlog::default();
        backlog.push(lane("a"), message("a1"));
        backlog.push(lane("b"), message("b1"));
        assert_eq!(backlog.flush(|_| Err("broken")), Err("broken"));
        assert_eq!(flush(&mut backlog, "", ""), ["a1", "b1"]);
    }

    #[test]
    fn a_lane_over_its_limit_is_dropped_whole() {
        let mut backlog = Backlog::default();
        backlog.push(lane("b"), message("b1"));
        for _ in 0..MAX_BACKLOG_MESSAGES {
            backlog.push(lane("a"), message("a"));
        }
        assert!(backlog.holds(&lane("a")));
        backlog.push(lane("a"), message("a"));
        assert!(!backlog.holds(&lane("a")));
        assert_eq!(backlog.bytes(), weight(&message("b1")));
        assert_eq!(flush(&mut backlog, "", ""), ["b1"]);
    }

    #[test]
    fn one_message_may_be_larger_than_the_limit() {
        let mut huge = message("");
        huge.payload.body = Bytes::from(vec![b'a'; MAX_BACKLOG_BYTES + 1]);
        let mut backlog = Backlog::default();
        backlog.push(lane("a"), huge);
        assert!(backlog.holds(&lane("a")));
        backlog.push(lane("a"), message("a"));
        assert!(backlog.is_empty());
    }
}
