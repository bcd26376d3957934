//! Moving messages between transport and session, one round at a time.

use std::{
    mem::discriminant,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::{
    Answer, Event, Limits, Loss, Notice, PeerEvent, PeerId, PeerMisbehaved, Route, Target,
    transport::{Flow, MonitorEvent, TransportError, earliest},
};

use super::{RequestQueue, State};

/// So long after something was due in the session, nobody wakes up for what is due next: the beats of many channels
/// leave together. Measured with 100,000 open streams: `upkeep` of benches, docs/speed.md.
const GRAIN: Duration = Duration::from_millis(5);

/// How many messages are taken before it is somebody else's turn to send. Not measured: a bound.
const BATCH: usize = 256;
/// So many bytes of them are enough: then it is looked at whether they are too much. Where many connections have sent while
/// nobody read, a round would add hundreds of MiB to what may be kept (tests/tests/memory: 1015 MiB once, instead of 905).
const BATCH_BYTES: usize = 16 << 20;
/// In so many rounds of messages time stands still once: a beat that is still to be read is no silence, unless reading never
/// comes to an end. Not measured: 4096 messages, some milliseconds of work.
const TIMELESS_ROUNDS: usize = 16;

/// How many connections are remembered that were given up, for the calls that they ended. Not measured: a bound.
const GIVEN_UP: usize = 64;

impl State {
    /// Whom a call is open to: all peers, where the transport tells them apart.
    pub(crate) fn any_peer(&self) -> Target {
        match &self.transport {
            Some(transport) if transport.knows_peers() => Target::Any,
            _ => PeerId::NAMELESS.into(),
        }
    }

    /// When something is due: in the session, or to be sent. What the transport has to do is known to its waiter.
    pub(super) fn due(&self) -> Option<Instant> {
        let session = self.session.poll_timeout();
        let session = session.map(|due| self.timed.map_or(due, |timed| due.max(timed + GRAIN)));
        let requests = self.requests.as_ref().and_then(RequestQueue::due);
        earliest([session, self.coalescer.due(), self.bounds.due(), requests])
    }

    /// What is known of why a call to this peer was lost.
    pub(super) fn reason(&self, peer: Option<PeerId>, answer: &Answer) -> Option<Arc<str>> {
        match answer {
            Answer::Lost(Loss::Disconnected { reason }) => Some(Arc::clone(reason)),
            Answer::Lost(Loss::NotSent { .. }) => self.last_connect_error.clone(),
            Answer::Lost(Loss::Silent { .. } | Loss::TimedOut { .. }) => self.remote(peer?),
            _ => None,
        }
    }

    /// Where a peer is, or was when it was given up.
    fn remote(&self, peer: PeerId) -> Option<Arc<str>> {
        let given_up = self.given_up.iter().find(|(given_up, _)| *given_up == peer);
        let standing = || self.transport.as_ref()?.remote(peer).map(Arc::from);
        given_up.map(|(_, remote)| Arc::clone(remote)).or_else(standing)
    }

    /// One of several rounds of moving messages; true when there may be more to receive.
    pub(super) fn exchange(&mut self, now: Instant, round: usize) -> Result<bool, TransportError> {
        let (None, Some(transport)) = (&self.closed, &mut self.transport) else { return Ok(false) };
        let (mut received, mut bytes) = (0, 0);
        while received < BATCH
            && bytes < BATCH_BYTES
            && let Some((from, message)) = transport.receive()?
        {
            received += 1;
            bytes += message.payload.len();
            if tracing::enabled!(tracing::Level::DEBUG) {
                log_event("received", &message.payload);
            }
            self.session.handle_message(now, from, message);
        }
        self.poll_peer_events(now);
        let is_behind = received == BATCH || bytes >= BATCH_BYTES;
        let is_over = !is_behind || round % TIMELESS_ROUNDS == TIMELESS_ROUNDS - 1;
        if is_over && self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.timed = Some(now);
            self.session.handle_timeout(now);
        }
        self.end_connections(now);
        let hides = self.transmit()? | self.bound_memory(now)?;
        Ok(is_behind || hides)
    }

    /// Ends connections that are of no use any more.
    fn end_connections(&mut self, now: Instant) {
        while let Some((peer, reason)) = self.session.poll_disconnect() {
            if let Some(transport) = &mut self.transport {
                if let Some(remote) = transport.remote(peer) {
                    self.given_up.truncate(GIVEN_UP - 1);
                    self.given_up.push_front((peer, remote.into()));
                }
                transport.reset(peer, reason);
            }
            self.poll_peer_events(now);
        }
    }

    /// Takes note of what has happened to peers and connections.
    pub(super) fn poll_peer_events(&mut self, now: Instant) {
        let Some(transport) = &mut self.transport else { return };
        while let Some(event) = transport.poll_peer() {
            self.session.handle_peer_event(now, event);
        }
        while let Some(event) = transport.poll_monitor() {
            match &event {
                MonitorEvent::Connected { .. } => self.last_connect_error = None,
                MonitorEvent::Retried { endpoint, reason, .. } => {
                    self.last_connect_error =
                        Some(format!("cannot connect to {endpoint}: {reason}").into());
                }
                MonitorEvent::HandshakeFailed { .. } | MonitorEvent::GoingAway { .. } => {
                    self.last_connect_error = Some(event.to_string().into());
                }
                _ => {}
            }
            // Somebody who has stopped to listen hears nothing.
            self.monitor.take_if(|monitor| monitor.send(event).is_err());
        }
    }

    /// Sends what there is to send; true when that may have used up the announcement of messages that have
    /// come.
    pub(super) fn transmit(&mut self) -> Result<bool, TransportError> {
        let Some(transport) = &mut self.transport else { return Ok(false) };
        let mut sent = false;
        while self.session.has_output()
            && transport.can_send()
            && let Some(message) = self.session.poll_transmit()
        {
            let route = Route::of(message.to, &message.envelope);
            if tracing::enabled!(tracing::Level::DEBUG) {
                log_event("sent", &message.payload.to_bytes());
            }
            if let Flow::Congested(bytes) = transport.send(message)? {
                let congested = PeerEvent::Congested(route, bytes);
                self.session.handle_peer_event(Instant::now(), congested);
            }
            sent = true;
        }
        self.end_denied();
        self.coalescer.clear();
        let Some(transport) = self.transport.as_mut().filter(|_| sent) else { return Ok(false) };
        transport.flush()?;
        Ok(transport.sending_hides_arrivals())
    }

    /// Ends requests that wait, where nobody lets this side in.
    fn end_denied(&mut self) {
        let Some(transport) = &mut self.transport else { return };
        let waits = self.session.has_unassigned()
            || !transport.knows_peers() && self.session.has_output() && !transport.can_send();
        if waits && let Some(reason) = transport.denial() {
            let now = Instant::now();
            // The monitor hears first what led to it: when callers have gone, nobody looks for a while.
            self.poll_peer_events(now);
            self.session.handle_peer_event(now, PeerEvent::Denied(reason));
        }
    }

    /// Takes note of what happens now and then.
    #[cold]
    pub(super) fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Writable(_) | Notice::RequestLost(..) => {
                if let Some(requests) = &mut self.requests {
                    requests.note(notice, &mut self.deferred);
                }
            }
            Notice::Misbehaved { peer, how, times } => self.complain(peer, &how, times),
            other => tracing::debug!("{other:?} is nothing to this side"),
        }
    }

    /// Tells what peers do wrong: once in a while of each kind, for they decide how often they do it. Each time is told to
    /// whoever debugs.
    fn complain(&mut self, peer: PeerId, how: &PeerMisbehaved, times: u64) {
        let admitted = self.complaints.admit(Instant::now(), discriminant(how));
        if let Some(untold) = admitted {
            let remote = self.transport.as_ref().and_then(|transport| transport.remote(peer));
            let at = remote.map(|remote| format!(" at {remote}")).unwrap_or_default();
            match untold + (times - 1) {
                0 => tracing::warn!("{peer}{at}: {how}"),
                alike => tracing::warn!(alike, "{peer}{at}: {how}"),
            }
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let told = u64::from(admitted.is_some());
            (told..times).for_each(|_| tracing::debug!("{peer}: {how}"));
        }
    }

    /// Whether something may come that somebody has to see.
    pub(super) fn must_be_polled(&self) -> bool {
        // Connections that have names come and go on their own account.
        let has_peers = self.transport.as_ref().is_some_and(|transport| transport.knows_peers());
        self.closed.is_none()
            && (has_peers || self.requests.is_some() || self.session.open_channels() > 0)
    }
}

/// Shows an event to whoever debugs.
#[cold]
fn log_event(what: &str, payload: &Bytes) {
    match Event::decode(payload, &Limits::default()) {
        Ok(Event { header, name, args }) => {
            tracing::debug!(id = ?header.message_id, response_to = ?header.response_to, ?args, "{what} {name}");
        }
        Err(broken) => tracing::debug!(bytes = payload.len(), "{what} something else: {broken}"),
    }
}
