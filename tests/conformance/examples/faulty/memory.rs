//! What a fault knows of the conversations that it spoils.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rmpv::Value;

use super::event::Event;

/// What is kept for a fault that spoils events.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) now: Instant,
    /// The heartbeat interval that the peer was given.
    pub(crate) interval: Duration,
    /// By the id of the channel, encoded.
    channels: HashMap<String, Channel>,
    /// The id of the request that came or left last.
    pub(crate) latest: Value,
    /// Events for the sender or receiver of this one, later.
    pub(crate) later: Vec<Later>,
    /// For whatever a fault counts.
    pub(crate) count: u64,
    /// What a fault holds back.
    pub(crate) stash: Option<Event>,
}

/// One conversation.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) request: Event,
    pub(crate) opened: Instant,
    pub(crate) is_open: bool,
    /// When the other side last beat, or the channel was opened.
    pub(crate) heard: Instant,
    /// Items in either direction.
    pub(crate) items: u64,
    /// Credit in either direction.
    pub(crate) granted: u64,
    /// Beats of this side.
    pub(crate) beats: u64,
    /// For whatever a fault counts.
    pub(crate) count: u64,
}

/// An event for later.
#[derive(Debug)]
pub(crate) struct Later {
    pub(crate) after: Duration,
    pub(crate) event: Event,
    /// Comes in, instead of leaving.
    pub(crate) is_incoming: bool,
    /// Is forgotten when its channel has ended by then.
    pub(crate) while_open: bool,
}

impl Memory {
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        let (channels, later) = (HashMap::new(), Vec::new());
        Self { now, interval, channels, latest: Value::Nil, later, count: 0, stash: None }
    }

    /// The conversation of an event.
    pub(crate) fn channel(&mut self, event: &Event) -> &mut Channel {
        let now = self.now;
        self.channels.entry(key(&event.channel())).or_insert_with(|| Channel {
            request: event.clone(),
            opened: now,
            is_open: true,
            heard: now,
            items: 0,
            granted: 1,
            beats: 0,
            count: 0,
        })
    }

    /// Whether the channel of an event has not ended.
    pub(crate) fn is_open(&self, event: &Event) -> bool {
        self.channels.get(&key(&event.channel())).is_some_and(|channel| channel.is_open)
    }

    /// How many conversations have not ended.
    pub(crate) fn open_count(&self) -> usize {
        self.channels.values().filter(|channel| channel.is_open).count()
    }

    /// Whether anything streams.
    pub(crate) fn streams(&self) -> bool {
        self.channels.values().any(|channel| channel.is_open && channel.items > 0)
    }

    /// Takes note of an event, as it was before it was spoiled.
    pub(crate) fn note(&mut self, event: &Event, is_incoming: bool) {
        let now = self.now;
        if event.is_request() {
            self.latest = event.channel();
            self.channels.remove(&key(&event.channel()));
        }
        let channel = self.channel(event);
        if event.is_last() {
            channel.is_open = false;
        } else if event.is_beat() && is_incoming {
            channel.heard = now;
        } else if event.is_beat() {
            channel.beats += 1;
        } else if event.is("STREAM") {
            channel.items += 1;
        }
    }

    /// Sends an event after some time, if its channel is open then.
    pub(crate) fn later(&mut self, after: Duration, event: Event) {
        self.later.push(Later { after, event, is_incoming: false, while_open: true });
    }

    /// Sends an event after some time, whatever happens until then.
    pub(crate) fn later_anyway(&mut self, after: Duration, event: Event) {
        self.later.push(Later { after, event, is_incoming: false, while_open: false });
    }

    /// Receives an event after some time.
    pub(crate) fn receive_later(&mut self, after: Duration, event: Event) {
        self.later.push(Later { after, event, is_incoming: true, while_open: false });
    }

    /// Beats each `every` of an interval on the channel of this event, as long as it is open.
    pub(crate) fn beat_every(&mut self, every: f64, event: &Event) {
        let id = event.channel();
        for number in 1..200 {
            let after = self.interval.mul_f64(every * f64::from(number));
            self.later(after, Event::beat(&id));
        }
    }
}

fn key(id: &Value) -> String {
    format!("{id:?}")
}
