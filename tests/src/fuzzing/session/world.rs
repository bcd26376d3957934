//! Three sessions, what is on its way between them, and what their applications know.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::LazyLock,
    time::{Duration, Instant},
};

use arbitrary::Unstructured;
use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{Args, Event, Limits, Multipart, PeerEvent, PeerId, Route, Token, Transmit};

use super::{super::script::wide, app::App};
use crate::world::{raw_event::read, test_session::hear};

pub(super) const SESSIONS: usize = 3;

/// The session that the others are connected to. These two draw the same ids.
pub(super) const MIDDLE: usize = 2;

pub(super) fn are_connected(one: usize, other: usize) -> bool {
    (one == MIDDLE) != (other == MIDDLE)
}

/// The only look at a clock: something to count from.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) apps: Vec<App>,
    /// What is on its way from one session to another.
    wire: BTreeMap<(usize, usize), VecDeque<Multipart>>,
    /// Ids of requests that were seen on the wire.
    ids: Vec<Bytes>,
    used: BTreeSet<(usize, Bytes)>,
    /// What names messages that may come back, by whose they are and their ids.
    tokens: BTreeMap<(usize, Bytes), Token>,
    /// Connections that have ended, by both ends: nobody says anything more on them.
    broken: BTreeSet<(usize, usize)>,
    /// Somebody broke the protocol on purpose: answers may be anything.
    pub(super) spoiled: bool,
    /// Somebody takes no requests any more: calls without a time limit may wait for another server for ever.
    pub(super) stopped: bool,
}

/// How a session sees another one. Peers are counted from zero, as anybody may count them.
pub(super) fn peer(of: usize) -> PeerId {
    PeerId::new(of as u64)
}

pub(super) fn number(peer: PeerId) -> usize {
    peer.number().and_then(|number| usize::try_from(number).ok()).expect("a small number")
}

impl World {
    pub(super) fn new(script: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let apps = (0..SESSIONS).map(|at| App::new(at, script));
        let apps = apps.collect::<arbitrary::Result<_>>()?;
        let (wire, ids, used) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let mut world = Self {
            now: *EPOCH,
            apps,
            wire,
            ids,
            used,
            tokens: BTreeMap::new(),
            broken: BTreeSet::new(),
            spoiled: false,
            stopped: false,
        };
        for one in 0..SESSIONS {
            (0..=one).for_each(|other| world.come_up(one, other));
        }
        Ok(world)
    }

    pub(super) fn transmit(&mut self, at: usize, most: usize) {
        for _ in 0..=most {
            let Some(transmit) = self.apps[at].session.poll_transmit() else { return };
            self.send(at, &transmit);
        }
    }

    fn send(&mut self, at: usize, transmit: &Transmit) {
        let event = read(transmit);
        let id = event.header.message_id.expect("every event has an id of its own");
        assert!(
            self.used.insert((at, Bytes::copy_from_slice(id.as_encoded()))),
            "an id is used once"
        );
        if let Some(token) = transmit.token {
            self.tokens.insert((at, Bytes::copy_from_slice(id.as_encoded())), token);
        }
        if event.header.response_to.is_none() {
            self.ids.push(Bytes::copy_from_slice(id.as_encoded()));
        }
        let to = number(transmit.to);
        let payload = transmit.payload.to_bytes();
        let message = Multipart { envelope: transmit.envelope.clone(), payload };
        self.wire.entry((at, to)).or_default().push_back(message);
    }

    pub(super) fn carry(&mut self, from: usize, to: usize, most: usize) {
        for _ in 0..=most {
            let waiting = self.wire.get_mut(&(from, to)).and_then(VecDeque::pop_front);
            let Some(message) = waiting else { return };
            self.hear(to, from, message);
        }
    }

    fn hear(&mut self, at: usize, from: usize, message: Multipart) {
        self.forgive_return(at, &message.payload);
        let app = &mut self.apps[at];
        let heard = hear(&mut app.session, self.now, peer(from), message);
        let full = matches!(
            heard,
            Err(zerorpc_proto::PeerMisbehaved::TooManyChannels(_)
                | zerorpc_proto::PeerMisbehaved::TooManyBytes(_)
                | zerorpc_proto::PeerMisbehaved::Overflow)
        );
        assert!(heard.is_ok() || full || self.spoiled, "{heard:?}");
    }

    /// A request that was turned down because its server is stopping may be sent again.
    fn forgive_return(&mut self, at: usize, payload: &Bytes) {
        let Ok(event) = Event::decode(payload, &Limits::default()) else { return };
        let key = Args::encode("_zpc_returned").expect("text");
        if event.header.context.iter().any(|(name, _)| *name == key)
            && let Some(id) = event.header.response_to
        {
            self.used.remove(&(at, Bytes::copy_from_slice(id.as_encoded())));
        }
    }

    pub(super) fn inject(&mut self, at: usize, from: usize, message: Multipart) {
        self.spoiled = true;
        self.hear(at, from, message);
    }

    /// A message on its way is lost, doubled, or changed.
    pub(super) fn spoil(
        &mut self,
        from: usize,
        script: &mut Unstructured<'_>,
    ) -> arbitrary::Result<()> {
        let to = script.choose_index(SESSIONS)?;
        let Some(waiting) = self.wire.get_mut(&(from, to)) else { return Ok(()) };
        let Some(mut message) = waiting.pop_front() else { return Ok(()) };
        self.spoiled = true;
        match script.choose_index(4)? {
            0 => self.forgive_repetition(from, &message.payload),
            1 => waiting.extend([message.clone(), message]),
            2 => waiting.push_back(message),
            _ => {
                let mut bytes = message.payload.to_vec();
                let place = usize::from(wide(script)?) % bytes.len();
                bytes[place] = script.arbitrary()?;
                let as_sent = std::mem::replace(&mut message.payload, bytes.into());
                waiting.push_front(message);
                self.forgive_repetition(from, &as_sent);
            }
        }
        Ok(())
    }

    /// Nobody will see a message: it may be sent again.
    fn forgive_repetition(&mut self, from: usize, payload: &Bytes) {
        let event = Event::decode(payload, &Limits::default());
        if let Some(id) = event.ok().and_then(|event| event.header.message_id) {
            self.used.remove(&(from, Bytes::copy_from_slice(id.as_encoded())));
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn wake(&mut self, at: usize) {
        let app = &mut self.apps[at];
        app.session.handle_timeout(self.now);
        let next = app.session.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "what is due was done");
    }

    /// A connection takes nothing but beats for a while, or everything again.
    pub(super) fn congest(&mut self, at: usize, to: usize, congested: bool) {
        let route = Route::from(peer(to));
        let event =
            if congested { PeerEvent::Congested(route, 0) } else { PeerEvent::Drained(route) };
        self.apps[at].session.handle_peer_event(self.now, event);
    }

    /// A connection breaks before the last message on it was written.
    pub(super) fn give_back(&mut self, at: usize, to: usize) {
        if let Some(message) = self.wire.get_mut(&(at, to)).and_then(VecDeque::pop_back)
            && let Ok(event) = Event::decode(&message.payload, &Limits::default())
            && let Some(id) = event.header.message_id
        {
            // What was never written may be sent again.
            let message = (at, Bytes::copy_from_slice(id.as_encoded()));
            self.used.remove(&message);
            if let Some(token) = self.tokens.get(&message) {
                let returned = PeerEvent::Returned(*token);
                self.apps[at].session.handle_peer_event(self.now, returned);
            }
        }
        self.disconnect(at, to);
    }

    /// One side of a connection wants no new calls there; or it says, as its last word, that it has answered everything
    /// that it has looked at.
    pub(super) fn go_away(&mut self, at: usize, from: usize, is_last: bool) {
        if !are_connected(at, from) || self.broken.contains(&(at, from)) {
            return;
        }
        self.apps[at].session.handle_peer_event(self.now, PeerEvent::GoingAway(peer(from)));
        self.transmit(from, usize::MAX - 1);
        self.carry(from, at, usize::MAX - 1);
        if is_last && self.apps[from].session.open_channels() == 0 {
            // Whatever of it is still on its way was never looked at.
            let unseen = self.wire.remove(&(at, from)).unwrap_or_default();
            for message in unseen {
                self.forgive_repetition(at, &message.payload);
            }
            self.apps[at].session.handle_peer_event(self.now, PeerEvent::Gone(peer(from)));
            self.disconnect(at, from);
        }
    }

    /// A connection is there.
    pub(super) fn come_up(&mut self, one: usize, other: usize) {
        if !are_connected(one, other) {
            return;
        }
        for ends in [(one, other), (other, one)] {
            self.broken.remove(&ends);
        }
        self.apps[one].session.handle_peer_event(self.now, PeerEvent::Up(peer(other)));
        self.apps[other].session.handle_peer_event(self.now, PeerEvent::Up(peer(one)));
    }

    /// A connection breaks: what was on it is gone, and both ends hear of it.
    pub(super) fn disconnect(&mut self, one: usize, other: usize) {
        for (at, from) in [(one, other), (other, one)] {
            self.wire.remove(&(from, at));
            self.broken.insert((at, from));
            self.apps[at]
                .session
                .handle_peer_event(self.now, PeerEvent::Down(peer(from), "gone".into()));
        }
    }

    pub(super) fn turn_back_the_clock(&mut self, at: usize) {
        let earlier = *EPOCH;
        let session = &mut self.apps[at].session;
        session.handle_timeout(self.now);
        let (due, channels) = (session.poll_timeout(), session.open_channels());
        session.handle_timeout(earlier);
        assert_eq!((due, channels), (session.poll_timeout(), session.open_channels()));
    }

    pub(super) fn stop_accepting(&mut self, at: usize) {
        self.look(at);
        self.stopped = true;
        self.apps[at].session.stop_accepting();
    }

    /// An id that is, or was, that of a channel.
    pub(super) fn known_id(&self, script: &mut Unstructured<'_>) -> arbitrary::Result<Value> {
        let known = usize::from(script.arbitrary::<u8>()?).checked_rem(self.ids.len());
        Ok(match known {
            Some(at) => rmpv::decode::read_value(&mut &self.ids[at][..]).expect("well-formed"),
            None => Value::from(script.arbitrary::<u8>()?),
        })
    }

    /// What holds after every step.
    pub(super) fn check(&self) {
        for app in &self.apps {
            app.session.check_invariants();
            assert!(app.session.open_channels() <= app.limits.channels);
            assert!(app.session.buffered_bytes() <= app.limits.total_bytes);
            let of_peers = app.session.retained_by_route().map(|(_, bytes)| bytes).sum::<usize>();
            if app.session.open_channels() == 0 {
                assert_eq!((app.session.buffered_bytes(), of_peers), (0, 0));
                assert_eq!(app.session.poll_timeout(), None);
            }
        }
    }
}
