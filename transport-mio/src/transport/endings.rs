//! How connections end, and in what words that is told.

use std::{
    mem::{Discriminant, discriminant},
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::{MonitorEvent, SocketKind};

use super::{MioTransport, sources::Slot};
use crate::connection::{Connection, Ending, Origin};
use zerorpc_zmtp::{Blame, ForeignKind, Violation};

/// A connection that ends after so much silence may have been ended for it.
const QUIET: Duration = Duration::from_secs(2);

/// Whose last message is not older may be in the middle of a call: calls have heartbeats.
const BUSY: Duration = Duration::from_secs(60);

/// What is worth a line at the log's default level, once in a while for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Complaint {
    /// Nobody can be accepted.
    Accept,
    /// Something else than ZMTP came.
    Foreign(ForeignKind),
    /// The peer broke the rules or does not fit.
    Violation(Discriminant<Violation>),
    /// The peer ended the connection because of this side.
    CutOff,
    /// This side ended it for a reason of its own.
    Dropped,
    /// Several want this name.
    Name(Bytes),
}

impl Complaint {
    /// What there is to say about the end of a connection: nothing where somebody merely came and went.
    fn about(ending: &Ending, connection: &Connection, now: Instant) -> Option<Self> {
        match ending {
            Ending::Closed | Ending::Failed(_) | Ending::Mute(_) | Ending::Left(_) => None,
            Ending::CutOff(_) => Some(Self::CutOff),
            Ending::Dropped(_) => Some(Self::Dropped),
            Ending::Name { name, .. } => Some(Self::Name(Bytes::copy_from_slice(name))),
            Ending::Foreign(foreign) => Some(Self::Foreign(foreign.kind)),
            Ending::Violation(violation) => {
                let is_worth_it = match (violation.blame(), connection.peer) {
                    (Blame::Silence, None) => connection.was_heard(),
                    (Blame::Silence, Some(_)) => connection
                        .spoke_at
                        .is_some_and(|at| now.saturating_duration_since(at) < BUSY),
                    (Blame::Peer | Blame::Settings, _) => true,
                };
                is_worth_it.then(|| Self::Violation(discriminant(violation)))
            }
        }
    }
}

impl MioTransport {
    /// Ends a connection for a reason of this side, and tells the peer in `words`, if it understands them.
    pub(super) fn end_connection(&mut self, slot: usize, reason: &str, words: &str) {
        if let Some(connection) = self.connection(slot) {
            connection.engine.part(words);
        }
        self.end(slot, &Ending::Dropped(reason.to_owned()));
    }

    /// Ends the connection of a peer for which too much is kept. One that takes nothing is not given a last word, which
    /// would have to wait behind all the rest.
    pub(super) fn cut_off_connection(&mut self, slot: usize, reason: &str) {
        let Some(connection) = self.connection(slot) else { return };
        connection.write();
        if connection.engine.has_output() {
            connection.stream.abort();
            return self.end(slot, &Ending::Dropped(reason.to_owned()));
        }
        self.end_connection(slot, reason, reason);
    }

    /// Ends a connection. If this side had made it, it is made again.
    pub(super) fn end(&mut self, slot: usize, ending: &Ending) {
        let now = Instant::now();
        let address = self.connection(slot).and_then(|connection| connection.stream.address());
        let is_refused =
            self.connection(slot).is_some_and(|connection| connection.told().is_some());
        let Some((origin, mut reason)) = self.conclude(slot, ending, now) else { return };
        if origin == Origin::Dialed
            && let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot)
        {
            if self.is_draining {
                return self.remove_slot(slot);
            }
            let dialer = &mut dialed.dialer;
            let retry = if is_refused { dialer.refused(now) } else { dialer.lost(now) };
            let (endpoint, group) = (dialed.given.to_string(), dialed.group);
            if let Some(address) = address.filter(|_| dialed.named) {
                reason = format!("tcp://{address}: {reason}");
            }
            self.retry(slot, endpoint, reason, retry, now);
            self.look_up_again(group, now);
        }
    }

    /// Closes a connection that whoever uses this side wants no longer, if there is one.
    pub(super) fn close(&mut self, slot: usize, reason: &'static str) {
        self.conclude(slot, &Ending::Left(reason), Instant::now());
    }

    /// Closes a connection, if there is one, and tells of it; where it came from, and why it ended.
    fn conclude(&mut self, slot: usize, ending: &Ending, now: Instant) -> Option<(Origin, String)> {
        // Parting words, if there is room for them.
        self.connection(slot)?.write();
        self.schedule(slot, None);
        let mut connection = match self.slots.get_mut(slot)? {
            Slot::Dialer(dialed) => dialed.connection.take()?,
            Slot::Accepted(_) => match self.slots.remove(slot) {
                Slot::Accepted(connection) => *connection,
                Slot::Listener(_) | Slot::Dialer(_) | Slot::Group(_) => return None,
            },
            Slot::Listener(_) | Slot::Group(_) => return None,
        };
        self.retained -= std::mem::take(&mut connection.retained);
        let (origin, remote) = (connection.origin, connection.stream.to_string());
        let ending = match ending {
            Ending::Closed | Ending::Failed(_) => {
                connection.told().map_or_else(|| ending.clone(), Ending::CutOff)
            }
            _ => ending.clone(),
        };
        // Who calls hears of what becomes of calls; others have nothing but the log.
        let is_silent = origin != Origin::Accepted && self.kind == SocketKind::Dealer;
        let complaint = Complaint::about(&ending, &connection, now).filter(|_| !is_silent);
        let reason = match connection.peer {
            Some(peer) => {
                let reason = ending.to_string();
                let hint = hint_at_idleness(&ending, &connection, now);
                let told = format!("{remote}: {reason}{hint}").into();
                self.farewell(peer, &mut connection, told);
                let event = MonitorEvent::Disconnected { peer, remote, reason: reason.clone() };
                self.tell_as(event, complaint);
                reason
            }
            None => {
                let reason = format!("{ending}{}", hint_at_closing(&ending, &connection));
                let event = MonitorEvent::HandshakeFailed { remote, reason: reason.clone() };
                self.tell_as(event, complaint);
                reason
            }
        };
        if connection.engine.has_parted() {
            self.partings.add(connection, &self.registry, now);
        }
        Some((origin, reason))
    }
}

/// What may be behind the end of a connection on which nothing was said: for callers whose calls it took along.
fn hint_at_idleness(ending: &Ending, connection: &Connection, now: Instant) -> String {
    let quiet = now.saturating_duration_since(connection.heard_at);
    if !matches!(ending, Ending::Closed | Ending::Failed(_))
        || quiet < QUIET
        || connection.going_away.is_some()
        || connection.stream.is_local()
    {
        return String::new();
    }
    format!(
        " after {:.1} s without a word from there; unless it was stopped, something in between (a proxy, a firewall) may \
         cut connections that are idle: its limit must be longer than the time between pings (docs/deployment.md)",
        quiet.as_secs_f64()
    )
}

/// What may be behind the end of a connection that was being made.
fn hint_at_closing(ending: &Ending, connection: &Connection) -> &'static str {
    let was_closed = matches!(ending, Ending::Closed | Ending::Failed(_));
    if !was_closed || connection.origin != Origin::Dialed {
        return "";
    }
    match (connection.was_heard(), connection.stream.is_local()) {
        (false, false) => {
            " before a word was said: the server may be stopping, or not speak ZMTP, or something in between (a proxy) has \
             no server to pass it on to"
        }
        (true, false) => {
            " in the middle of the handshake: the server may be stopping, or something in between (a proxy) says what is \
             not ZMTP; the server's log tells"
        }
        (_, true) => {
            " before the handshake was over: the server may be stopping, or not speak ZMTP"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::Arc};

    use mio::net::TcpStream;

    use super::*;
    use crate::link::Stream;
    use zerorpc_proto::PeerId;
    use zerorpc_zmtp::{EngineConfig, Foreign};

    /// A connection over the loopback that nothing has come from.
    fn connection(origin: Origin, now: Instant) -> (TcpListener, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let socket = TcpStream::connect(address).expect("it listens");
        let stream = Stream::tcp(socket, address).expect("a stream");
        let config = Arc::new(EngineConfig::new(SocketKind::Router));
        (listener, Connection::new(stream, &config, origin, now))
    }

    #[test]
    fn an_end_after_silence_has_a_likely_cause() {
        let start = Instant::now();
        let (_listener, mut connection) = connection(Origin::Dialed, start);
        connection.peer = Some(PeerId(1));
        let reset = || Ending::Failed("Connection reset by peer (os error 104)".into());
        // How it ended, after how long, and whether there is a likely cause.
        let table = [
            (Ending::Closed, 0, false),
            (Ending::Closed, 1999, false),
            (Ending::Closed, 3000, true),
            (reset(), 60_000, true),
            (Ending::CutOff("enough".into()), 60_000, false),
            (Ending::Left("enough"), 60_000, false),
            (Ending::Dropped("enough".into()), 60_000, false),
        ];
        for (ending, milliseconds, expected) in table {
            let now = start + Duration::from_millis(milliseconds);
            let hint = hint_at_idleness(&ending, &connection, now);
            assert_eq!(!hint.is_empty(), expected, "{ending:?} after {milliseconds} ms");
            if expected {
                let seconds = format!("after {:.1} s", now.duration_since(start).as_secs_f64());
                for part in [&seconds, "idle", "docs/deployment.md"] {
                    assert!(hint.contains(part), "{hint}");
                }
            }
        }
    }

    #[test]
    fn only_what_can_be_mended_is_worth_a_line() {
        let now = Instant::now();
        let (_listener, connection) = connection(Origin::Accepted, now);
        let foreign = Foreign::recognise(b"GET / HTTP/1.1").expect("HTTP");
        let late = Ending::Violation(Violation::HandshakeTimeout(Duration::from_secs(30)));
        let silent = Ending::Violation(Violation::HeartbeatTimeout(Duration::from_secs(15)));
        let name = || Ending::Name { name: "x".into(), holder: String::new(), what_then: "" };
        // How it ended before it was a peer, and whether that is worth a line.
        let table = [
            (Ending::Closed, false),
            (Ending::Failed("reset".into()), false),
            (Ending::Left("enough"), false),
            (late, false),
            (Ending::Foreign(foreign), true),
            (Ending::Violation(Violation::NoLength), true),
            (Ending::CutOff("too large".into()), true),
            (Ending::Dropped("it does not read".into()), true),
            (name(), true),
        ];
        for (ending, expected) in table {
            let complaint = Complaint::about(&ending, &connection, now);
            assert_eq!(complaint.is_some(), expected, "{ending:?}");
        }
        let mut peer = connection;
        peer.peer = Some(PeerId(1));
        let complains = |peer: &Connection, after: u64| {
            Complaint::about(&silent, peer, now + Duration::from_secs(after)).is_some()
        };
        assert!(!complains(&peer, 30), "nothing was going on");
        peer.spoke_at = Some(now);
        assert!(complains(&peer, 30), "something was");
        assert!(!complains(&peer, 60), "that is long ago");
        assert_ne!(
            Complaint::about(&Ending::Violation(Violation::NoLength), &peer, now),
            Complaint::about(&Ending::Violation(Violation::UnknownFlags(8)), &peer, now),
        );
    }
}
