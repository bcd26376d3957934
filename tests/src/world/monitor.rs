//! Watches every event on the wire, and knows what must never be seen there.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use zerorpc_proto::{Envelope, Event, Limits, MessageId, PeerId, Transmit};

use super::raw_event::{read, value};

/// A channel as one of its ends sees it.
type Channel = (usize, PeerId, Envelope, Vec<u8>);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// Counted events that an end may still send.
    credit: BTreeMap<Channel, i64>,
    beats: BTreeMap<Channel, Instant>,
    /// How many beats were sent.
    pub(super) beat_count: u64,
}

impl Monitor {
    /// A node sends an event.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        node: usize,
        transmit: &Transmit,
        interval: Option<Duration>,
    ) {
        let event = read(transmit);
        let Some(id) = &event.header.response_to else { return };
        let channel = (node, transmit.to, transmit.envelope.clone(), content(id));
        match &*event.name {
            "_zpc_hb" => {
                let interval = interval.expect("a session without heartbeats beats");
                self.beat_count += 1;
                if let Some(last) = self.beats.insert(channel, now) {
                    assert!(now - last >= interval, "two beats within {:?}", now - last);
                }
            }
            "_zpc_more" => {}
            _ => {
                let credit = self.credit.entry(channel).or_insert(1);
                *credit -= 1;
                assert!(*credit >= 0, "an event was sent without credit: {event:?}");
            }
        }
    }

    /// A node gets an event.
    pub(super) fn received(
        &mut self,
        node: usize,
        from: PeerId,
        envelope: &Envelope,
        payload: &bytes::Bytes,
    ) {
        let event = Event::decode(payload, &Limits::default()).expect("nobody sends garbage here");
        let Some(id) = &event.header.response_to else { return };
        if event.name == *"_zpc_more" {
            let more = value(&event.args);
            let more = more.as_array().and_then(|args| args[0].as_i64());
            let channel = (node, from, envelope.clone(), content(id));
            *self.credit.entry(channel).or_insert(1) += more.expect("a grant is a number");
        }
    }
}

fn content(id: &MessageId) -> Vec<u8> {
    id.content().to_vec()
}
