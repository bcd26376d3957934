//! How connections end: what is told, and what is done about it.

use std::{
    mem::{Discriminant, discriminant},
    time::Instant,
};

use bytes::Bytes;
use zerorpc_proto::transport::{MonitorEvent, SocketKind};
use zerorpc_zmtp::{CloseReason, Closed, ForeignKind, Violation};

use super::{
    MioTransport,
    connection::{Connection, Source},
    slots::Slot,
    strangers::Refusal,
};

/// What is worth a line at the log's default level, once in a while for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Complaint {
    /// Nobody can be accepted.
    Accept,
    /// Somebody may not connect.
    Refused(Refusal),
    /// Strangers had to make room.
    Displaced,
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
    fn about(closed: &Closed) -> Option<Self> {
        if !closed.is_notable {
            return None;
        }
        Some(match &closed.reason {
            CloseReason::CutOff(_) => Self::CutOff,
            CloseReason::Displaced => Self::Displaced,
            CloseReason::IdentityTaken { identity, .. } => {
                Self::Name(Bytes::copy_from_slice(identity))
            }
            CloseReason::Foreign(foreign) => Self::Foreign(foreign.kind()),
            CloseReason::Violation(violation) => Self::Violation(discriminant(violation)),
            _ => Self::Dropped,
        })
    }
}

impl MioTransport {
    /// A connection is over. If this side had made it, it is made again.
    pub(super) fn on_closed(&mut self, mut closed: Closed) {
        let now = Instant::now();
        let Some(slot) = self.slot_of(closed.connection) else { return };
        let Some(mut connection) = self.take_connection(slot) else { return };
        let address = connection.stream.address();
        if closed.must_abort {
            connection.stream.abort();
        }
        if let Some(words) = &mut closed.last_words {
            connection.write_last(words);
        }
        if let Some(place) = connection.place.take() {
            self.line.remove(place);
        }
        if let Some(accepted) = connection.accepted.take() {
            self.on_accepted_closed(accepted, &closed.reason, now);
        }
        let source = connection.source;
        // Who calls hears of what becomes of calls; others have nothing but the log.
        let is_silent = source != Source::Accepted && self.kind == SocketKind::Dealer;
        let complaint = Complaint::about(&closed).filter(|_| !is_silent);
        let (remote, reason) = (closed.remote.to_string(), closed.words.clone());
        let event = match closed.peer {
            Some(peer) => MonitorEvent::Disconnected { peer, remote, reason },
            None => MonitorEvent::HandshakeFailed { remote, reason },
        };
        self.emit_as(event, complaint);
        if let Some(words) = closed.last_words.filter(|words| words.say_why()) {
            self.partings.add(connection, words, &self.registry, now);
        }
        if source != Source::Dialed {
            return;
        }
        let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) else { return };
        if self.is_draining {
            return self.remove_slot(slot);
        }
        let dialer = &mut dialed.dialer;
        let retry = if closed.is_refusal { dialer.refused(now) } else { dialer.lost(now) };
        let (endpoint, group) = (dialed.given.to_string(), dialed.group);
        let mut reason = closed.words;
        if let Some(address) = address.filter(|_| dialed.named) {
            reason = format!("tcp://{address}: {reason}");
        }
        let is_denial = closed.is_denial || closed.may_be_denial && dialed.is_suspect;
        dialed.is_suspect = closed.may_be_denial;
        dialed.denial = is_denial.then(|| format!("{endpoint}: {reason}").into());
        self.retry(slot, endpoint, reason, retry, now);
        self.look_up_again(group, now);
    }

    /// See [`Transport::denial`](zerorpc_proto::transport::Transport::denial).
    pub(super) fn latest_denial(&self) -> Option<std::sync::Arc<str>> {
        let mut latest = None;
        for (_, slot) in &self.slots {
            match slot {
                Slot::Dialer(dialed) => latest = Some(dialed.denial.as_ref()?),
                // Others may come.
                Slot::Listener(_) | Slot::Accepted(_) => return None,
                Slot::Group(_) => {}
            }
        }
        latest.cloned()
    }

    /// Closes a connection that this side's program wants no longer, if there is one. It is not made again.
    pub(super) fn close(&mut self, slot: usize, reason: &'static str) {
        self.flush(slot);
        if let Some(connection) = self.connection(slot) {
            if connection.source == Source::Dialed {
                connection.source = Source::Retired;
            }
            let id = connection.id;
            self.socket.close(id, reason);
            self.follow();
        }
    }

    /// Takes a connection out of its slot.
    fn take_connection(&mut self, slot: usize) -> Option<Connection> {
        match self.slots.get_mut(slot)? {
            Slot::Dialer(dialed) => dialed.connection.take(),
            Slot::Accepted(_) => match self.slots.remove(slot) {
                Slot::Accepted(connection) => Some(*connection),
                Slot::Listener(_) | Slot::Dialer(_) | Slot::Group(_) => None,
            },
            Slot::Listener(_) | Slot::Group(_) => None,
        }
    }
}
