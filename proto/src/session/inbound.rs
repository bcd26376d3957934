//! What comes in: which channel an event belongs to, and what it does there.

use bytes::Bytes;
use web_time::Instant;

use super::{CallId, Notice, Session, channel_key::ChannelKey, notices::READABLE};
use crate::{
    answer::{Answer, Loss},
    args::Args,
    channel::{
        Role,
        heartbeat::{Heartbeat, Patience},
        phase::{self, Meaning, Phase},
    },
    compat::{self, Dialect, RemoteError},
    config::HeartbeatMode,
    error::{Malformed, PeerMisbehaved},
    event::{Broken, EventRef, Kind, Version},
    faults::{self, Fault},
    id::{self, MessageId},
    multipart::{Envelope, Multipart},
    peer::PeerId,
};

/// From this size on, the small parts of a message are copied instead of keeping all of it alive. Not measured: below, an
/// allocation of its own takes about as much as it would free.
const LARGE: usize = 1024;

/// Messages are slices of chunks of about twice this size. From here on, one keeps no more than twice its size alive;
const CHUNK: usize = 32 << 10;

/// of those below, no more requests keep their chunks than this, so that what is kept without being counted is 4 MiB: the
/// others are copied,
const MOST_SHARED_REQUESTS: usize = 64;

/// and no more answers than this, which are counted among nobody's: to copy each item of a stream costs it some speed.
const MOST_SHARED_ANSWERS: usize = 256;

/// How much of a strange name is shown, in characters: one line of a log.
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
            return self.take_request(now, from, envelope, event, &payload);
        };
        let EventRef { header, kind, name, args } = event;
        let version = header.version;
        if let Some(at) = self.store.find_call(id::content(key), from) {
            if kind == Kind::Err && header.is_returned() && self.is_retried(now, at) {
                return Ok(());
            }
            let unknown = (kind == Kind::Other).then(|| shown(name));
            let args = if payload.len() < CHUNK && self.unread_answers >= MOST_SHARED_ANSWERS {
                Args::from_read(Bytes::copy_from_slice(&payload[args]))
            } else {
                Args::slice_of(payload, args, LARGE)
            };
            return self.handle_answer(now, at, IncomingAnswer { kind, unknown, version, args });
        }
        if let Some(at) = self.store.find_request(from, &envelope, key) {
            self.handle_feedback(now, at, kind, &payload[args]);
        } else if faults::has(Fault::LateEventOpens)
            && let Ok(event) = EventRef::read(&payload, &self.config.limits)
        {
            return self.take_request(now, from, envelope, event, &payload);
        }
        // Anything else is late: grants cross ends of streams, beats cross answers (ZRPC-4.7).
        Ok(())
    }

    /// An event that belongs to no channel.
    fn take_request(
        &mut self,
        now: Instant,
        from: PeerId,
        envelope: Envelope,
        event: EventRef<'_>,
        payload: &Bytes,
    ) -> Result<(), PeerMisbehaved> {
        if matches!(event.kind, Kind::Heartbeat | Kind::More) {
            // Some peers beat outside of channels. It means nothing, and is no request (ZRPC-4.14).
            return Ok(());
        }
        let is_part = payload.len() < CHUNK;
        if is_part && self.shared_requests >= MOST_SHARED_REQUESTS {
            let own = Bytes::copy_from_slice(payload);
            let Ok(event) = EventRef::read(&own, &self.config.limits) else { return Ok(()) };
            let (envelope, event) = (envelope.detached(), event.into_event(&own));
            return self.handle_request(now, from, envelope, event, false);
        }
        let event = match payload.len() >= LARGE {
            true => event.into_event(payload).detached(payload.len()),
            false => event.into_event(payload),
        };
        self.handle_request(now, from, envelope, event, is_part)
    }

    /// An event that cannot be read ends the call that it belongs to, or is answered if it may be a request.
    #[cold]
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
        let IncomingAnswer { kind, unknown, version, args } = said;
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
            Meaning::Value => match args.into_first() {
                Some(value) => Answer::Value(value),
                None => {
                    self.lose(at, Loss::Malformed(Malformed::NoValue));
                    return Err(Malformed::NoValue.into());
                }
            },
            Meaning::Item => {
                if channel.phase == Phase::Asked
                    && let Role::Client(call) = &mut channel.role
                {
                    call.is_lossless =
                        channel.peer.is_some_and(|peer| self.peers.is_lossless(peer));
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
        let Some((channel, _, account)) = self.store.get_with_account(at) else { return };
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
        let more = if grants { compat::granted(args) } else { 0 };
        if more > 0 {
            request.credit.grant(more);
            if let Some(account) = account {
                account.stalled -= u32::from(request.is_stalled());
            }
            request.blocked_since = None;
            if request.writable_wanted && request.has_room(&self.config.limits) {
                request.writable_wanted = false;
                self.tell_writable(at);
            }
            self.note_crowd(at);
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
    args: Args,
}

/// A strange name, as far as it is shown.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(SHOWN_NAME).collect()
}
