//! Requests that come in: which of them become channels, and what is said to the others.

use web_time::{Duration, Instant};

use super::{
    Notice, RequestId, Session,
    accounts::Account,
    notices::REQUESTED,
    outbound::{LONGEST_UNREAD, Loose, Refusal},
    request::stopping,
};
use crate::{
    channel::{
        Channel, RequestState, Role, Turn, heartbeat::Patience, phase::Phase, window::Credit,
    },
    compat::{Dialect, RemoteError},
    config::HeartbeatMode,
    error::{Malformed, PeerMisbehaved},
    event::{Context, Event},
    id::MessageId,
    multipart::Envelope,
    peer::{PeerId, Route},
};

/// The most bytes of identities with which a refused request is answered. Not measured: identities have 255 bytes at
/// most, and no request has come through so many queues.
const LONGEST_RETURN: usize = 1 << 16;

/// Why a request does not come in.
struct Busy {
    how: PeerMisbehaved,
    /// What its caller can do about it.
    advice: String,
}

impl Session {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        from: PeerId,
        envelope: Envelope,
        event: Event,
        is_shared: bool,
    ) -> Result<(), PeerMisbehaved> {
        if !self.config.accept {
            return Err(PeerMisbehaved::NotAccepting);
        }
        let Event { header, name, args } = event;
        let id = header.message_id.ok_or(Malformed::NoMessageId)?;
        let dialect = Dialect::of(header.version);
        let parts = envelope.size() + header.context.size() + id.size();
        let retained_bytes = parts + name.len() + args.as_bytes().len();
        let account = self.store.account_of(from, &envelope);
        let patience = patience(from, &envelope, account);
        if let Err(busy) = self.admit(account, retained_bytes) {
            return self.turn_away(from, envelope, id, dialect, busy);
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
            expected_bytes: 0,
            context: header.context,
            reply_context: Context::new(),
            credit: Credit::new(),
            items: std::collections::VecDeque::new(),
            ending: None,
            writable_wanted: false,
            blocked_since: None,
        };
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
        self.note_crowd(at);
        self.reschedule(at);
        self.notices.push_back(Notice::Requested(RequestId(at)));
        Ok(())
    }

    /// Answers a request that does not come in; nothing is too much when none may any more.
    fn turn_away(
        &mut self,
        from: PeerId,
        envelope: Envelope,
        id: MessageId,
        dialect: Dialect,
        busy: Option<Busy>,
    ) -> Result<(), PeerMisbehaved> {
        let failure = match &busy {
            None => stopping(),
            Some(Busy { how, advice }) => {
                RemoteError::new("ServerBusy", format!("{how}; {advice}"))
            }
        };
        self.refuse(from, envelope, id, dialect, failure, busy.is_none());
        busy.map_or(Ok(()), |busy| Err(busy.how))
    }

    /// Whether another request may come in; the error is `None` when none may any more.
    fn admit(&self, account: Option<&Account>, bytes: usize) -> Result<(), Option<Busy>> {
        let limits = &self.config.limits;
        let (of_peer, requested, stalled) = account.map_or((0, 0, 0), |account| {
            (account.requests, account.requested_bytes, account.stalled)
        });
        let kept = account.map_or(0, |account| account.bytes_beside_request(limits));
        let busy = |how, advice| Err(Some(Busy { how, advice }));
        if self.stopping {
            Err(None)
        } else if self.store.len() >= limits.channels {
            let advice = "try again later, or raise Limits::channels of the server".into();
            busy(PeerMisbehaved::TooManyChannels(self.store.len()), advice)
        } else if of_peer >= limits.channels_per_peer {
            let advice =
                "end some of them, or raise Limits::channels_per_peer of the server".into();
            busy(PeerMisbehaved::TooManyChannels(of_peer), advice)
        } else if requested > 0 && kept.saturating_add(bytes) > limits.peer_bytes {
            let advice = format!(
                "of this caller, {of_peer} calls are open, {stalled} of them streams of whose items it asks for no more: read \
                 or end some, or raise Limits::peer_bytes of the server"
            );
            busy(PeerMisbehaved::TooManyBytes(kept), advice)
        } else if self.buffered_bytes.saturating_add(bytes) > limits.total_bytes {
            let advice = "try again later, or raise Limits::total_bytes of the server".into();
            busy(PeerMisbehaved::TooManyBytes(self.buffered_bytes), advice)
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
        let is_congested = self.congested.contains_key(&Route::of(to, &envelope));
        let longest = if is_congested { LONGEST_UNREAD } else { LONGEST_RETURN };
        if envelope.size() + id.size() <= longest {
            let refusal = Refusal { to, envelope, id, dialect, failure, is_returned };
            self.say_loosely(Loose::Refusal(refusal));
        }
    }
}

/// How long a caller's first sign of life may take.
fn patience(from: PeerId, envelope: &Envelope, account: Option<&Account>) -> Patience {
    // The end of a connection is told of, unless a queue stands between.
    let is_seen = from.is_named() && envelope.frames().is_empty();
    match account.and_then(|account| account.rhythm).filter(|_| is_seen) {
        Some(rhythm) => Patience::OfServer { rhythm },
        None if is_seen => Patience::WhileConnected,
        None => Patience::OfServer { rhythm: Duration::ZERO },
    }
}
