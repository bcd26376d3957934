//! What goes out: which channel may send next, and the bytes of it.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Session, channel_key::ChannelKey};
use crate::{
    args::Args,
    channel::{self, Channel, Ending, RequestState, Role, heartbeat::Patience, phase::Phase},
    compat::{Dialect, RemoteError},
    event::{Context, ResponseTo, Writer, name},
    faults::{self, Fault},
    id::{MessageId, OwnId},
    msgpack,
    multipart::{Envelope, Payload},
    peer::{PeerId, Route},
    transmit::{Token, Transmit},
};

/// How many events may wait that belong to no channel (not measured: bounds that only floods meet),
pub(super) const MOST_LOOSE: usize = 1024;
/// and how many bytes of them.
pub(super) const MOST_LOOSE_BYTES: usize = 1 << 20;

/// On a route that is congested, beats and refusals still leave, which the transport bounds by their number: those are
/// left out whose identities and id are longer than this. 4000 of such messages take 5 MiB; identities have a few bytes, and
/// ids 36.
pub(super) const LONGEST_UNREAD: usize = 1 << 10;

/// An event that belongs to no channel.
#[derive(Debug)]
pub(super) enum Loose {
    Refusal(Refusal),
    /// The only beat of a call that was given up: from it on, its server counts silence. There is no other way to tell
    /// it, and callers that never beat are not missed.
    Farewell {
        to: PeerId,
        own: OwnId,
    },
}

impl Loose {
    /// How many bytes are kept with it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Refusal(Refusal { envelope, id, failure, .. }) => {
                size_of::<Self>() + envelope.size() + id.as_encoded().len() + failure.size()
            }
            Self::Farewell { .. } => size_of::<Self>(),
        }
    }
}

/// The answer to a request that got no channel.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) to: PeerId,
    pub(super) envelope: Envelope,
    pub(super) id: MessageId,
    pub(super) dialect: Dialect,
    pub(super) failure: RemoteError,
    /// The request may be sent again, to somebody else.
    pub(super) is_returned: bool,
}

/// Answers below this share memory with others; see [`Args::encode`].
const SMALL: usize = 4 << 10;

/// What a channel sends next.
enum Next {
    /// Encoded when the call was opened.
    Request(Payload),
    Beat,
    Grant(u32),
    Item(Args),
    Ending(Ending),
}

impl Session {
    /// The next message to send. Channels take turns; each is encoded as late as this.
    ///
    /// Leave requests here as long as the transport has nowhere to put them: what was not polled is withdrawn
    /// when its caller gives up.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(loose) = self.loose.pop_front() {
            self.loose_bytes -= loose.weight();
            return Some(self.encode_loose(loose));
        }
        loop {
            let at = self.ready.pop()?;
            if !self.is_assigned(at) {
                continue;
            }
            let Some(channel) = self.store.get_mut(at) else { continue };
            let waiting = match &mut self.congested {
                congested if congested.is_empty() => None,
                congested => channel
                    .peer
                    .and_then(|peer| congested.get_mut(&Route::of(peer, &channel.envelope))),
            };
            channel.ready = false;
            let next = channel.take_output(waiting.is_some());
            if let Some(waiting) =
                waiting.filter(|_| channel.has_beaten_congested || channel.has_output())
            {
                channel.detach_unsent();
                if !std::mem::replace(&mut channel.congested, true) {
                    waiting.push(at, &self.store, |channel| channel.congested);
                }
            }
            if let Some(next) = next
                && let Some(transmit) = self.encode(at, next)
            {
                return Some(transmit);
            }
        }
    }

    /// Finds a peer for a call to any; without one the call waits.
    fn is_assigned(&mut self, at: ChannelKey) -> bool {
        let Some(channel) = self.store.get_mut(at) else { return false };
        let Channel { peer: None, role: Role::Client(call), .. } = channel else {
            return true;
        };
        if !call.has_request() {
            // It ended while it waited, or has to wait some more.
            return true;
        }
        let congested = &self.congested;
        let has_room = |peer| !congested.contains_key(&Route::from(peer));
        match self.peers.assign(self.now, has_room) {
            Some(peer) => {
                call.assigned = true;
                self.store.move_call(at, Some(peer));
                true
            }
            None => {
                channel.ready = false;
                self.unassigned.push(at, &self.store, |_| true);
                false
            }
        }
    }

    fn encode(&mut self, at: ChannelKey, next: Next) -> Option<Transmit> {
        let writer = &mut self.writer;
        let (channel, number, account) = self.store.get_with_account(at)?;
        let (to, envelope) = (channel.peer?, channel.envelope.clone());
        let ended = matches!(next, Next::Ending(_));
        let mut waited_for = false;
        let mut token = None;
        if let Next::Item(item) = &next {
            // The last answer goes with its channel.
            let weight = channel::weight(item);
            channel.unsent_bytes -= weight;
            channel.unsent_answers -= 1;
            self.unsent_bytes -= weight;
            waited_for = account.is_some_and(|account| account.remove_unsent(weight));
        }
        let payload = match next {
            Next::Request(payload) => {
                token = self.begin_listening(at);
                payload
            }
            Next::Beat => {
                put_beat(channel.begin(writer, name::HEARTBEAT, false));
                writer.finish(Bytes::new())
            }
            Next::Grant(more) => {
                let out = channel.begin(writer, channel.dialect().grant_name(), false);
                out.put_u8(0x91);
                msgpack::put_uint(out, u64::from(more));
                writer.finish(Bytes::new())
            }
            Next::Item(item) => {
                channel.begin(writer, name::STREAM, true);
                writer.finish(item.into_bytes())
            }
            Next::Ending(ending) => channel.encode_ending(writer, ending),
        };
        if ended {
            self.close(at);
        } else {
            if waited_for {
                self.resume_postponed(number);
            }
            self.tell_room(at);
            self.enqueue(at);
        }
        Some(Transmit { to, envelope, payload, token })
    }

    /// Bounded: a peer that floods while it reads nothing goes without.
    pub(super) fn say_loosely(&mut self, loose: Loose) {
        let weight = loose.weight();
        if self.loose.len() < MOST_LOOSE && self.loose_bytes + weight <= MOST_LOOSE_BYTES {
            self.loose_bytes += weight;
            self.loose.push_back(loose);
        }
    }

    /// A call is given up that its server may be at work on.
    pub(crate) fn take_leave(&mut self, at: ChannelKey) {
        if let Some(Channel { peer: Some(to), phase, role: Role::Client(call), .. }) =
            self.store.get(at)
            && *phase != Phase::Ended
            && call.is_sent
            && !call.has_beaten
        {
            let (to, own) = (*to, call.own);
            self.say_loosely(Loose::Farewell { to, own });
        }
    }

    fn encode_loose(&mut self, loose: Loose) -> Transmit {
        let none = Context::new();
        let (to, envelope) = match loose {
            Loose::Refusal(Refusal { to, envelope, id, dialect, failure, is_returned }) => {
                let context = if is_returned { Context::returned() } else { none };
                let out = self.writer.begin(&context, ResponseTo::Theirs(&id), name::ERR);
                dialect.put_failure(out, &failure);
                (to, envelope)
            }
            Loose::Farewell { to, own } => {
                let out = self.writer.begin(&none, ResponseTo::Ours(own), name::HEARTBEAT);
                put_beat(out);
                (to, Envelope::default())
            }
        };
        Transmit::new(to, envelope, self.writer.finish(Bytes::new()))
    }

    /// The request is on its way: only now can its server be silent. What names it if it comes back.
    fn begin_listening(&mut self, at: ChannelKey) -> Option<Token> {
        let now = self.now?;
        let heartbeat = self.heartbeat(now, self.config.heartbeat_mode, Patience::OfCaller);
        let channel = self.store.get_mut(at)?;
        channel.heartbeat = heartbeat;
        let Role::Client(call) = &mut channel.role else { return None };
        call.attempts = call.attempts.saturating_add(1);
        let token = at.token(call.attempts);
        self.look_by(at, heartbeat.deadline(self.config.interval()));
        token
    }

    /// Tells a producer that was turned away, once half of what waited has left.
    fn tell_room(&mut self, at: ChannelKey) {
        let limits = &self.config.limits;
        let Some(Channel { role: Role::Server(request), .. }) = self.store.get_mut(at) else {
            return;
        };
        if request.writable_wanted
            && request.items.len() <= limits.unsent_items / 2
            && request.has_room(limits)
        {
            request.writable_wanted = false;
            self.tell_writable(at);
        }
    }
}

/// The arguments of a beat; to peers of version 2, no credit.
fn put_beat(out: &mut BytesMut) {
    out.put_slice(&[0x91, 0]);
}

impl Channel {
    /// Begins an event on this channel; context keys go with answers, not with beats and grants.
    fn begin<'a>(
        &self,
        writer: &'a mut Writer,
        name: &str,
        with_context: bool,
    ) -> &'a mut BytesMut {
        let none = Context::new();
        match &self.role {
            Role::Server(request) => {
                let context = if with_context { &request.reply_context } else { &none };
                writer.begin(context, ResponseTo::Theirs(&request.id), name)
            }
            Role::Client(call) => writer.begin(&none, ResponseTo::Ours(call.own), name),
        }
    }

    fn encode_ending(&self, writer: &mut Writer, ending: Ending) -> Payload {
        match ending {
            Ending::Value(value) => {
                self.begin(writer, name::OK, true).put_u8(0x91);
                writer.finish(value.into_bytes())
            }
            Ending::Done => {
                self.begin(writer, name::STREAM_DONE, true).put_u8(0xc0);
                writer.finish(Bytes::new())
            }
            Ending::Failure(failure) => {
                let out = self.begin(writer, name::ERR, true);
                self.dialect().put_failure(out, &failure);
                writer.finish(Bytes::new())
            }
        }
    }

    /// What waits for long keeps no memory that it shares with what does not.
    fn detach_unsent(&mut self) {
        let Role::Server(request) = &mut self.role else { return };
        let detach = |value: &mut Args| {
            if value.as_bytes().len() < SMALL && !value.as_bytes().is_unique() {
                *value = value.detached();
            }
        };
        request.items.iter_mut().for_each(detach);
        if let Some(Ending::Value(value)) = &mut request.ending {
            detach(value);
        }
    }

    /// How many bytes of identities and ids each message on this channel takes along, beside a few.
    fn return_size(&self) -> usize {
        let id = match &self.role {
            Role::Client(_) => 0,
            Role::Server(request) => request.id.size(),
        };
        self.envelope.size() + id
    }

    /// The request before anything else; beats before items, so that no backlog delays them. On a congested route, a
    /// channel sends nothing that a slow peer could pile up.
    fn take_output(&mut self, is_congested: bool) -> Option<Next> {
        if let Role::Client(call) = &mut self.role
            && call.has_request()
            && let Some(request) = &call.request
        {
            call.is_sent = call.attempts != 1 || !faults::has(Fault::ReturnedTwice);
            return Some(Next::Request(request.clone()));
        }
        if self.heartbeat_pending
            && !(is_congested && (self.has_beaten_congested || self.return_size() > LONGEST_UNREAD))
        {
            self.heartbeat_pending = false;
            self.has_beaten_congested = is_congested;
            if let Role::Client(call) = &mut self.role {
                call.has_beaten = true;
            }
            return Some(Next::Beat);
        }
        match &mut self.role {
            Role::Client(call) => match std::mem::take(&mut call.grant) {
                0 => None,
                more => Some(Next::Grant(more)),
            },
            Role::Server(_) if is_congested => None,
            Role::Server(request) => request.take_output(),
        }
    }
}

impl RequestState {
    fn take_output(&mut self) -> Option<Next> {
        /// Room for no more than this is not kept by streams that wait: many of them never send much.
        const LITTLE: usize = 4;
        if let Some(item) = self.items.pop_front() {
            if self.credit.is_empty() && self.items.is_empty() && self.items.capacity() <= LITTLE {
                self.items = VecDeque::new();
            }
            return Some(Next::Item(item));
        }
        self.ending.take_if(|_| self.credit.take()).map(Next::Ending)
    }
}
