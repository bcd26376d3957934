//! What libzmq's monitor tells, in words for people.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use zerorpc_proto::{PeerId, transport::MonitorEvent};
use zmq::Error;

use crate::endpoint;

use super::{
    ACCEPT_FAILED, ACCEPTED, CONNECTED, DISCONNECTED, HANDSHAKE_BROKEN, HANDSHAKE_FAILED,
    HANDSHAKE_REFUSED, Happened, READY, RETRIED,
};

/// How many things to tell are kept for somebody who asks. Not measured: a bound; what is more is counted.
const KEPT: usize = 256;

/// How often it is told at most that there is no room for connections. Not measured: as often as somebody may want to read it
/// who watches a log.
const REPEATED: Duration = Duration::from_secs(1);

/// libzmq's codes of what is wrong with a handshake.
pub(super) const UNEXPECTED_COMMAND: u32 = 0x1000_0001;
pub(super) const MECHANISM_MISMATCH: u32 = 0x1100_0002;

#[derive(Debug, Default)]
pub(super) struct Emitter {
    events: VecDeque<MonitorEvent>,
    /// Where connections were accepted: of those, libzmq tells no other end.
    accepting: BTreeSet<String>,
    /// The end that comes next is that of a handshake, which was told of, for this reason.
    failed: Option<String>,
    /// Where a connection has ended last, and why.
    ended: Option<(String, String)>,
    /// When it was last told that there is no room for connections.
    full: Option<Instant>,
}

impl Emitter {
    /// Takes note of an event; true when it says that there is no room for connections.
    pub(super) fn note(&mut self, happened: &Happened<'_>, now: Instant) -> bool {
        let &Happened { event, value, endpoint } = happened;
        match event {
            ACCEPTED => {
                if !self.accepting.contains(endpoint) {
                    self.accepting.insert(endpoint.to_owned());
                }
            }
            ACCEPT_FAILED => return self.note_refused(endpoint, value, now),
            READY => {
                let remote = self.remote(endpoint);
                self.emit(MonitorEvent::Connected { peer: PeerId::NAMELESS, remote });
            }
            HANDSHAKE_FAILED | HANDSHAKE_BROKEN | HANDSHAKE_REFUSED => {
                let (remote, reason) = (self.remote(endpoint), explain_handshake(event, value));
                self.failed = Some(reason.clone());
                self.emit(MonitorEvent::HandshakeFailed { remote, reason });
            }
            DISCONNECTED => {
                let reason = self.failed.take().unwrap_or_else(|| {
                    let (peer, remote) = (PeerId::NAMELESS, self.remote(endpoint));
                    let reason = String::from("the connection ended");
                    self.emit(MonitorEvent::Disconnected { peer, remote, reason: reason.clone() });
                    reason
                });
                self.ended = Some((endpoint.to_owned(), reason));
            }
            RETRIED => {
                let (endpoint, reason) = (endpoint.to_owned(), self.explain_retry(endpoint));
                let after = Duration::from_millis(value.into());
                self.emit(MonitorEvent::Retried { endpoint, reason, after });
            }
            CONNECTED => {}
            other => tracing::trace!(other, value, endpoint, "an event of no interest"),
        }
        false
    }

    fn note_refused(&mut self, endpoint: &str, errno: u32, now: Instant) -> bool {
        let Some(reason) = explain_full(errno) else { return false };
        if self.full.is_none_or(|told| now.duration_since(told) >= REPEATED) {
            self.full = Some(now);
            tracing::warn!("cannot accept connections at {endpoint}: {reason}");
            self.emit(MonitorEvent::AcceptFailed { endpoint: endpoint.to_owned(), reason });
        }
        true
    }

    /// Why an endpoint is to be connected to again: a connection there has just ended, or could not be made, of which
    /// libzmq does not say why.
    fn explain_retry(&mut self, to: &str) -> String {
        let ended = self.ended.take_if(|(endpoint, _)| endpoint == to);
        endpoint::rehearse(1).err().or(ended.map(|(_, reason)| reason)).unwrap_or_else(|| {
            "nobody answers there (connection refused, or no way leads there)".into()
        })
    }

    fn remote(&self, endpoint: &str) -> String {
        if self.accepting.contains(endpoint) {
            format!("{endpoint} (accepted)")
        } else {
            endpoint.to_owned()
        }
    }

    /// Keeps something to tell, and tells it to the log.
    fn emit(&mut self, event: MonitorEvent) {
        tracing::debug!("{event}");
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(super) fn next(&mut self) -> Option<MonitorEvent> {
        self.events.pop_front()
    }
}

/// What there is too little of for a connection to be accepted, and what to do; `None` where only that connection
/// failed.
fn explain_full(errno: u32) -> Option<String> {
    let errno = i32::try_from(errno).ok()?;
    if let Some(reason) = endpoint::explain_exhaustion(errno) {
        Some(reason)
    } else if [Error::ENOBUFS, Error::ENOMEM].map(Error::to_raw).contains(&errno) {
        Some("this system has too little memory".into())
    } else {
        None
    }
}

fn explain_handshake(event: u16, value: u32) -> String {
    match (event, value) {
        (HANDSHAKE_BROKEN, MECHANISM_MISMATCH) => "it wants another security mechanism".into(),
        (HANDSHAKE_BROKEN, code) => {
            format!("it does not keep to ZMTP (libzmq's code {code:#x})")
        }
        (HANDSHAKE_REFUSED, _) => "it was not let in".into(),
        _ => "it hung up, was silent for too long, or does not speak ZMTP".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of these events, and how often there was said to be no room.
    fn told(events: &[(u16, u32, &str)], now: impl Fn(usize) -> Instant) -> (Vec<String>, usize) {
        let mut emitter = Emitter::default();
        let note = |(number, &(event, value, endpoint)): (usize, &(u16, u32, &str))| {
            emitter.note(&Happened { event, value, endpoint }, now(number))
        };
        let full = events.iter().enumerate().map(note).filter(|full| *full).count();
        (std::iter::from_fn(|| emitter.next()).map(|event| event.to_string()).collect(), full)
    }

    #[test]
    fn each_ending_is_told_once() {
        let now = Instant::now();
        let (told, full) = told(
            &[
                (CONNECTED, 5, "a"),
                (HANDSHAKE_FAILED, 0, "a"),
                (DISCONNECTED, 5, "a"),
                (RETRIED, 120, "a"),
                (RETRIED, 240, "a"),
                (ACCEPTED, 6, "b"),
                (READY, 0, "b"),
                (DISCONNECTED, 6, "b"),
            ],
            |_| now,
        );
        assert_eq!(full, 0);
        let expected = [
            "no connection with a: it hung up",
            "cannot connect to a (it hung up",
            "cannot connect to a (nobody answers",
            "the peer at b (accepted) is connected",
            "the peer at b (accepted) is gone: the connection ended",
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn that_there_is_no_room_is_told_once_in_a_while() {
        let now = Instant::now();
        let errno = u32::try_from(Error::EMFILE.to_raw()).expect("a small number");
        let failures = [(ACCEPT_FAILED, errno, "b"); 5];
        let (told, full) = told(&failures, |number| now + REPEATED / 3 * number as u32);
        assert_eq!((told.len(), full), (2, 5), "{told:?}");
        assert!(told[0].contains("cannot accept connections at b"), "{told:?}");
        assert!(told[0].contains("raise the limit (ulimit -n)"), "{told:?}");
    }

    #[test]
    fn a_connection_that_failed_alone_is_no_lack_of_room() {
        const ECONNABORTED: u32 = 103;
        let now = Instant::now();
        assert_eq!(told(&[(ACCEPT_FAILED, ECONNABORTED, "b")], |_| now), (Vec::new(), 0));
    }
}
