//! What is to be sent, and how it leaves.

use std::io::IoSlice;

use bytes::Bytes;
use zerorpc_proto::Payload;

use super::{Engine, Phase};
use crate::{Outgoing, traffic::Subscription};

impl Engine {
    /// Queues a message. It leaves when the handshake is over and those before it have left.
    pub fn send(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        self.send_message(Outgoing::new(frames));
    }

    /// Queues a message of `leading` frames and one for the payload, which is not put together.
    pub fn send_payload(&mut self, leading: impl IntoIterator<Item = Bytes>, payload: Payload) {
        let frames = leading.into_iter().chain([payload.head]).collect();
        self.send_message(Outgoing { frames, tail: payload.body, token: None });
    }

    /// Queues a message, for instance one that was [taken back](Self::take_unsent) from another engine.
    pub fn send_message(&mut self, message: Outgoing) {
        self.outbox.push(message);
    }

    /// Tells the peer that this side is about to stop, ahead of queued messages. Returns whether it is told: false where it
    /// has not announced that it understands this, as no ZeroMQ library but ours does.
    pub fn go_away(&mut self) -> bool {
        let understood = self.understands_goaway();
        if understood {
            self.outbox.command("GOAWAY", &[]);
        }
        understood
    }

    /// Tells the peer that everything which this side has looked at is answered. Returns whether it is told: false as long
    /// as messages are queued, and where the peer does not [understand](Self::go_away) it.
    pub fn say_last_word(&mut self) -> bool {
        let is_last = self.understands_goaway() && self.outbox.queued_messages() == 0;
        if is_last {
            self.outbox.command("GOAWAY", &[&[1]]);
        }
        is_last
    }

    fn understands_goaway(&self) -> bool {
        matches!(&self.phase, Phase::Traffic(traffic) if traffic.understands_goaway())
    }

    /// Tells a publisher that we want messages that begin with `topic`, ahead of queued messages. Tell each
    /// connection anew. Only for SUB sockets.
    pub fn subscribe(&mut self, topic: &[u8]) {
        self.change_subscription(Subscription::Begin, topic);
    }

    /// Tells a publisher that we no longer want messages that begin with `topic`: once, when nobody here
    /// wants them any more. Only for SUB sockets.
    pub fn cancel(&mut self, topic: &[u8]) {
        self.change_subscription(Subscription::End, topic);
    }

    fn change_subscription(&mut self, change: Subscription, topic: &[u8]) {
        match &mut self.phase {
            Phase::Handshake { subscriptions, .. } => {
                subscriptions.push((change, Bytes::copy_from_slice(topic)));
            }
            Phase::Traffic(traffic) => traffic.subscription(change, topic, &mut self.outbox),
            Phase::Dead(_) => {}
        }
    }

    /// Fills `slices` from the front with what is to be written, for one vectored write, and returns how
    /// many it filled; none when there is nothing to write. Large parts of messages are where they were,
    /// everything else is gathered in few slices. What follows may wait until this is written: ask again.
    pub fn output<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.gather(slices)
    }

    /// Takes note that `written` bytes of the output were written.
    pub fn advance(&mut self, written: usize) {
        self.outbox.advance(written);
        if let Phase::Traffic(traffic) = &mut self.phase {
            traffic.spoke();
        }
    }

    /// Whether there is output.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.outbox.has_output()
    }

    /// Messages of which not every byte was written.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.outbox.queued_messages()
    }

    /// Bytes of those messages, each frame counting [`FRAME_COST`](crate::WireLimits::FRAME_COST) besides,
    /// and of commands that wait for their turn.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.outbox.queued_bytes()
    }

    /// Takes back the messages of which no byte was written, in order, so that another peer can have them.
    /// One that has begun stays and can be finished.
    pub fn take_unsent(&mut self) -> Vec<Outgoing> {
        self.outbox.take_unsent()
    }
}
