//! What comes in: which channel an event belongs to, and what it does there.

use bytes::Bytes;
use web_time::{Duration, Instant};

use super::{
    CallId, Notice, RequestId, Session,
    notices::{READABLE, REQUESTED},
    outbound::{Loose, Refusal},
    request::stopping,
    store::ChannelKey,
};
use crate::{
    answer::{Answer, Loss},
    args::Args,
    channel::{
        Channel, RequestState, Role, Turn,
        heartbeat::{Heartbeat, Patience},
        phase::{self, Meaning, Phase},
        window::Credit,
    },
    compat::{self, Dialect, RemoteError},
    config::HeartbeatMode,
    error::{Malformed, PeerMisbehaved},
    event::{Broken, Context, Event, EventRef, Kind, Version},
    id::{self, MessageId},
    multipart::{Envelope, Multipart},
    peer::PeerId,
};

/// From this size on, the small parts of a message are copied instead of keeping all of it alive.
const LARGE: usize = 1024;

/// Messages are slices of chunks of about twice this size. From here on, one keeps no more than twice its size alive;
const CHUNK: usize = 32 << 10;

/// of those below, no more requests, and no more answers, keep their chunks than this: the others are copied.
const MOST_SHARED: usize = 256;

/// The most bytes of identities with which a refused request is answered.
const LONGEST_RETURN: usize = 1 << 16;

/// How much of a strange name is shown, in characters.
const SHOWN_NAME: usize = 100;

impl Session {
    /// Takes a message from a peer.
    ///
    /// A peer that breaks the protocol loses this message by it, or the channel that it belongs to, and is answered with
    /// `ERR` where that is possible. Nothing else is affected; [`Notice::Misbehaved`] tells of it.
    pub fn handle_message(&mut self, now: Instant, from: PeerId, message: Multipart) {
        if let Err(how) = self.take_message(now, from, message) {
            self.tell_misbehaved(from, how);
        }
    }

    fn take_message(
        &mut self,
        now: Instant,
        from: PeerId,
        message: Multipart,
    ) -> Result<(), PeerMisbehaved> {
        let now = self.advance(now);
        if self.peers.heard(now, from) {
            self.resume_unassigned();
        }
        let Multipart { envelope, payload } = message;
        let event = match EventRef::read(&payload, &self.config.limits) {
            Ok(event) => event,
            Err(broken) => return Err(self.handle_broken(from, envelope, broken)),
        };
        let Some(key) = event.header.response_to else {
            let is_part = payload.len() < CHUNK;
            if is_part && self.shared_requests >= MOST_SHARED {
                let own = Bytes::copy_from_slice(&payload);
                let Ok(event) = EventRef::read(&own, &self.config.limits) else { return Ok(()) };
                let (envelope, event) = (envelope.detached(), event.into_event(&own));
                return self.handle_request(now, from, envelope, event, false);
            }
            let event = event.into_event(&payload);
            let large = payload.len() >= LARGE;
            let event = if large { event.detached(payload.len()) } else { event };
            return self.handle_request(now, from, envelope, event, is_part);
        };
        let EventRef { header, kind, name, args } = event;
        let version = header.version;
        if let Some(at) = self.store.find_call(id::content(key), from) {
            if kind == Kind::Err && header.is_returned() && self.is_retried(now, at) {
                return Ok(());
            }
            let unknown = (kind == Kind::Other).then(|| shown(name));
            let is_lossless = header.is_lossless();
            let args = if payload.len() < CHUNK && self.unread_answers >= MOST_SHARED {
                Args::from_read(Bytes::copy_from_slice(&payload[args]))
            } else {
                Args::slice_of(payload, args, LARGE)
            };
            return self.handle_answer(
                now,
                at,
                IncomingAnswer { kind, unknown, version, is_lossless, args },
            );
        }
        if let Some(at) = self.store.find_request(from, &envelope, key) {
            self.handle_feedback(now, at, kind, &payload[args]);
        }
        // Anything else is late: grants cross ends of streams, beats cross answers (protocol section 4).
        Ok(())
    }

    /// An event that cannot be read ends the call that it belongs to, or is answered if it may be a request.
    fn handle_broken(
        &mut self,
        from: PeerId,
        envelope: Envelope,
        broken: Broken<'_>,
    ) -> PeerMisbehaved {
        let Broken { reason, header } = broken;
        if let Some(header) = header {
            match (header.response_to, header.message_id) {
                (Some(key), _) => {
                    if let Some(at) = self.store.find_call(id::content(key), from) {
                        self.lose(at, Loss::Malformed(reason));
                    }
                }
                (None, Some(key)) if self.config.accept => {
                    let class =
                        if reason == Malformed::NameNotText { "NameError" } else { "ValueError" };
                    let failure = RemoteError::new(class, reason.to_string());
                    let id = MessageId::from_key(key);
                    self.refuse(from, envelope, id, Dialect::of(header.version), failure, false);
                }
                (None, _) => {}
            }
        }
        reason.into()
    }

    fn handle_request(
        &mut self,
        now: Instant,
        from: PeerId,
        envelope: Envelope,
        event: Event,
        is_shared: bool,
    ) -> Result<(), PeerMisbehaved> {
        if matches!(Kind::of(event.name.as_bytes()), Kind::Heartbeat | Kind::More) {
            // Some peers beat outside of channels. It means nothing, and is no request.
            return Ok(());
        }
        if !self.config.accept {
            return Err(PeerMisbehaved::NotAccepting);
        }
        let Event { header, name, args } = event;
        let id = header.message_id.ok_or(Malformed::NoMessageId)?;
        let dialect = Dialect::of(header.version);
        let parts = envelope.size() + header.context.size() + id.size();
        let retained_bytes = parts + name.len() + args.as_bytes().len();
        if let Err(refused) = self.admit(from, &envelope, retained_bytes) {
            let failure = match refused {
                None => stopping(),
                Some(ref reason) => {
                    RemoteError::new("ServerBusy", format!("{reason}; try again later"))
                }
            };
            self.refuse(from, envelope, id, dialect, failure, refused.is_none());
            return refused.map_or(Ok(()), Err);
        }
        self.buffered_bytes += retained_bytes;
        self.shared_requests += usize::from(is_shared);
        let request = RequestState {
            id,
            method: name,
            args: Some(args),
            retained_bytes,
            is_shared,
            turn: Turn::Unasked,
            taken_bytes: 0,
            context: header.context,
            reply_context: Context::new(),
            credit: Credit::new(self.config.limits.credit),
            has_begun: false,
            items: std::collections::VecDeque::new(),
            ending: None,
            writable_wanted: false,
            blocked_since: None,
        };
        let patience = self.patience(from, &envelope);
        let mode = if dialect.version_1 { HeartbeatMode::Passive } else { HeartbeatMode::Active };
        let at = self.store.insert(Channel {
            peer: Some(from),
            envelope,
            phase: Phase::Asked,
            heartbeat: self.heartbeat(now, mode, patience),
            dialect: Some(dialect),
            heartbeat_pending: false,
            ready: false,
            congested: false,
            has_beaten_congested: false,
            notices: REQUESTED,
            unsent_bytes: 0,
            unsent_answers: 0,
            timer: None,
            role: Role::Server(request),
        });
        self.reschedule(at);
        self.notices.push_back(Notice::Requested(RequestId(at)));
        Ok(())
    }

    /// How long a caller's first sign of life may take.
    fn patience(&self, from: PeerId, envelope: &Envelope) -> Patience {
        // The end of a connection is told of, unless a queue stands between.
        let is_seen = from.is_named() && envelope.frames().is_empty();
        let account = self.store.account_of(from, envelope);
        match account.and_then(|account| account.rhythm).filter(|_| is_seen) {
            Some(rhythm) => Patience::OfServer { rhythm },
            None if is_seen => Patience::WhileConnected,
            None => Patience::OfServer { rhythm: Duration::ZERO },
        }
    }

    /// Whether another request may come in; the error is `None` when none may any more.
    fn admit(
        &self,
        from: PeerId,
        envelope: &Envelope,
        bytes: usize,
    ) -> Result<(), Option<PeerMisbehaved>> {
        let limits = &self.config.limits;
        let account = self.store.account_of(from, envelope);
        let (of_peer, requested) =
            account.map_or((0, 0), |account| (account.requests, account.requested_bytes));
        let kept = account.map_or(0, |account| account.requested_and_taken(limits));
        if self.stopping {
            Err(None)
        } else if self.store.len() >= limits.channels {
            Err(Some(PeerMisbehaved::TooManyChannels(self.store.len())))
        } else if of_peer >= limits.channels_per_peer {
            Err(Some(PeerMisbehaved::TooManyChannels(of_peer)))
        } else if requested > 0 && kept.saturating_add(bytes) > limits.peer_bytes {
            Err(Some(PeerMisbehaved::TooManyBytes(kept)))
        } else if self.buffered_bytes.saturating_add(bytes) > limits.total_bytes {
            Err(Some(PeerMisbehaved::TooManyBytes(self.buffered_bytes)))
        } else {
            Ok(())
        }
    }

    pub(crate) fn refuse(
        &mut self,
        to: PeerId,
        envelope: Envelope,
        id: MessageId,
        dialect: Dialect,
        failure: RemoteError,
        is_returned: bool,
    ) {
        if envelope.size() <= LONGEST_RETURN {
            let refusal = Refusal { to, envelope, id, dialect, failure, is_returned };
            self.say_loosely(Loose::Refusal(refusal));
        }
    }

    pub(super) fn heartbeat(
        &self,
        now: Instant,
        mode: HeartbeatMode,
        patience: Patience,
    ) -> Heartbeat {
        match self.config.heartbeat {
            Some(interval) => Heartbeat::start(now, interval, mode, patience),
            None => Heartbeat::answering(),
        }
    }

    /// An event on a channel that we opened.
    fn handle_answer(
        &mut self,
        now: Instant,
        at: ChannelKey,
        said: IncomingAnswer,
    ) -> Result<(), PeerMisbehaved> {
        let IncomingAnswer { kind, unknown, version, is_lossless, args } = said;
        let Some(channel) = self.store.get_mut(at) else { return Ok(()) };
        channel.dialect.get_or_insert_with(|| Dialect::of(version));
        channel.heartbeat.heard(now);
        if let Role::Client(call) = &mut channel.role
            && call.request.is_some()
        {
            call.forget_request(kind == Kind::Heartbeat);
        }
        if kind == Kind::Heartbeat && channel.heartbeat.heard_beat(now, self.config.interval()) {
            channel.heartbeat_pending = true;
            self.enqueue(at);
            self.reschedule(at);
            return Ok(());
        }
        let (phase, meaning) = phase::step(channel.phase, kind);
        let answer = match meaning {
            Meaning::Value => match args.first() {
                Some(value) => Answer::Value(value),
                None => {
                    self.lose(at, Loss::Malformed(Malformed::NoValue));
                    return Err(Malformed::NoValue.into());
                }
            },
            Meaning::Item => {
                if let Role::Client(call) = &mut channel.role {
                    call.is_lossless |= is_lossless;
                }
                Answer::Item(args)
            }
            Meaning::End => Answer::End,
            Meaning::Failure => Answer::Failed(Box::new(RemoteError::read(&args))),
            Meaning::NoPattern => {
                self.lose(at, Loss::NoPattern { event: unknown.unwrap_or_default() });
                return Ok(());
            }
            Meaning::Nothing => return Ok(()),
        };
        self.deliver(at, phase, answer)
    }

    /// Puts an answer where its reader finds it.
    fn deliver(
        &mut self,
        at: ChannelKey,
        phase: Phase,
        answer: Answer,
    ) -> Result<(), PeerMisbehaved> {
        let limits = &self.config.limits;
        let Some(channel) = self.store.get_mut(at) else { return Ok(()) };
        let Role::Client(call) = &mut channel.role else { return Ok(()) };
        let most = limits.buffered_events.max(call.window.most_unread() as usize + 1);
        let size = answer.size();
        let too_many = call.inbox.len() >= most && !answer.is_last();
        let too_large = self.buffered_bytes.saturating_add(size) > limits.total_bytes;
        if too_many || too_large {
            self.lose(at, Loss::Overflow);
            return Err(PeerMisbehaved::Overflow);
        }
        let last = answer.is_last();
        channel.phase = phase;
        call.timeout = None;
        call.window.arrived(self.now);
        self.unread_answers += 1;
        call.inbox.push(answer);
        self.buffered_bytes += size;
        if !std::mem::replace(&mut call.readable_notified, true) && channel.notices & READABLE == 0
        {
            channel.notices |= READABLE;
            self.notices.push_back(Notice::Readable(CallId(at)));
        }
        if last {
            self.end_call(at);
        }
        Ok(())
    }

    /// A caller's event on a channel of its own: a beat, a grant, or nothing that we know.
    fn handle_feedback(&mut self, now: Instant, at: ChannelKey, kind: Kind, args: &[u8]) {
        let Some(channel) = self.store.get_mut(at) else { return };
        channel.heartbeat.heard(now);
        let beat = kind == Kind::Heartbeat;
        let was_counting = channel.heartbeat.counts_silence();
        if beat && channel.heartbeat.heard_beat(now, self.config.interval()) {
            channel.heartbeat_pending = true;
        }
        let rhythm = channel.heartbeat.rhythm();
        let is_first = !was_counting && channel.heartbeat.counts_silence();
        let grants = kind == Kind::More || beat && channel.dialect().grants_in_beats;
        let Role::Server(request) = &mut channel.role else { return };
        if beat && request.blocked_since.is_some() {
            request.blocked_since = Some(now);
        }
        let more = if grants { compat::granted(args) } else { 0 };
        if more > 0 {
            request.credit.grant(more);
            request.blocked_since = None;
            if request.writable_wanted && request.has_room(&self.config.limits) {
                request.writable_wanted = false;
                self.tell_writable(at);
            }
        }
        if is_first {
            self.store.note_rhythm(at, rhythm);
        }
        self.enqueue(at);
        self.reschedule(at);
    }
}

/// What a peer has said on a call.
struct IncomingAnswer {
    kind: Kind,
    /// The name of an event that nobody knows.
    unknown: Option<String>,
    version: Version,
    /// Nothing drops what the server sends ahead.
    is_lossless: bool,
    args: Args,
}

/// A strange name, as far as it is shown.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(SHOWN_NAME).collect()
}
