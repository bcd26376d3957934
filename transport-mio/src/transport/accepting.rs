//! Accepting connections, and seeing to strangers.

use std::{net::SocketAddr, time::Instant};

use mio::{Interest, Token};
use zerorpc_proto::transport::{FailedHandshakes, MonitorEvent, PeerAddress};
use zerorpc_zmtp::{Blame, CloseReason, Violation};

use super::{
    MioTransport,
    connection::{Connection, Source},
    endings::Complaint,
    line::{Side, Turn, worked},
    slots::Slot,
    strangers::{Accepted, Refusal},
};
use crate::link::{Burst, Stream};

/// When half of the places of strangers are taken, what accepting gets of their time is divided by this: those
/// that are in get through before others make them room. Not measured by itself: floods and crowds of 10,000 clients
/// (docs/limits.md) are, with it.
const MANY: u32 = 4;

impl MioTransport {
    /// Gives strangers what they get of the time.
    pub(super) fn see_to_strangers(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let mut now = Instant::now();
        if !self.share.is_free(now) {
            return;
        }
        let mut turn = Turn::begin(now, worked());
        self.strangers.begin_turn();
        loop {
            // Where one of those that are there would have to go for another one, they have their turn before; and whether
            // they have said something is to be seen first.
            let is_open = self.strangers.may_one_more_come(self.line.has_strangers());
            let Some((side, slot)) = self.line.next(is_open) else { return };
            match self.slots.get_mut(slot) {
                Some(Slot::Listener(bound)) => {
                    bound.runnable = false;
                    self.accept(slot, now);
                }
                Some(Slot::Accepted(connection)) => {
                    connection.place = None;
                    self.strangers.note_step();
                    self.run(slot, now);
                }
                Some(Slot::Dialer(_) | Slot::Group(_)) | None => {}
            }
            now = Instant::now();
            let took = turn.step(now, worked(), &mut self.share);
            // Those that are there are to come through before there is no room for more.
            let weight =
                if side == Side::Accepting && self.strangers.are_many() { MANY } else { 1 };
            self.line.spend(side, took * weight);
            if !turn.goes_on(now, &self.share) {
                return;
            }
        }
    }

    /// When strangers in line are to be seen to.
    pub(super) fn strangers_due(&self) -> Option<Instant> {
        (!self.line.is_empty()).then(|| self.share.free().unwrap_or(self.worked))
    }

    /// Accepts a connection.
    fn accept(&mut self, slot: usize, now: Instant) {
        if let Some(at) = self.strangers.wait_of_rate(now) {
            // The others are kept in the system, which has room for them.
            return self.schedule(slot, Some(at));
        }
        let Self { slots, strangers, .. } = self;
        let Some(Slot::Listener(bound)) = slots.get_mut(slot) else { return };
        let (mut refused, mut accepted) = (None, None);
        let screen = |address: Option<SocketAddr>| {
            let screened = strangers.screen(address.map(|address| address.ip()));
            refused = screened.err().map(|refusal| (refusal, address));
            refused.is_none()
        };
        let burst = bound.listener.accept(now, 1, screen, |stream| accepted = Some(stream));
        if let Some((refusal, address)) = refused {
            self.refuse(slot, refusal, address, now);
        } else if let Some(stream) = accepted {
            self.begin(stream, now);
        }
        match burst {
            Burst::Drained => {}
            Burst::More => self.enqueue(slot),
            Burst::Exhausted { reason, retry } => self.make_room(slot, reason, retry),
        }
    }

    /// Where a listener listens.
    fn endpoint_of(&self, slot: usize) -> String {
        match self.slots.get(slot) {
            Some(Slot::Listener(bound)) => bound.listener.endpoint().to_owned(),
            _ => String::new(),
        }
    }

    /// Tells of a connection that was closed as soon as it had come.
    fn refuse(&mut self, slot: usize, refusal: Refusal, address: Option<SocketAddr>, now: Instant) {
        self.report.note(now, address.map(|address| PeerAddress::of(address.ip())));
        let endpoint = self.endpoint_of(slot);
        let reason = refusal.words(self.strangers.limits());
        let remote = address.map_or_else(|| endpoint.clone(), |address| format!("tcp://{address}"));
        let event = MonitorEvent::Refused { endpoint, remote, reason };
        self.emit_as(event, Some(Complaint::Refused(refusal)));
    }

    /// The system has no room for another connection: a stranger makes some, or else all wait.
    fn make_room(&mut self, slot: usize, reason: String, retry: Instant) {
        let endpoint = self.endpoint_of(slot);
        let event = MonitorEvent::AcceptFailed { endpoint, reason };
        self.emit_as(event, Some(Complaint::Accept));
        match self.strangers.most_dispensable() {
            Some(stranger) => {
                self.displace(stranger);
                self.enqueue(slot);
            }
            None => self.schedule(slot, Some(retry)),
        }
    }

    /// Ends the handshake of a stranger for another one.
    fn displace(&mut self, slot: usize) {
        if let Some(id) = self.connection(slot).map(|connection| connection.id) {
            self.socket.displace(id);
            self.follow();
        }
    }

    /// Takes up a connection that was accepted.
    fn begin(&mut self, mut stream: Stream, now: Instant) {
        if let Some(stranger) = self.strangers.in_the_way() {
            self.strangers.note_displaced();
            self.displace(stranger);
        }
        let entry = self.slots.vacant_entry();
        let slot = entry.key();
        let interests = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.registry.register(&mut stream, Token(slot), interests) {
            tracing::warn!("cannot watch the connection from {stream}: {error}");
            return;
        }
        let address = stream.address().map(|address| address.ip());
        let mut connection = Connection::open(&mut self.socket, now, stream, Source::Accepted);
        let id = connection.id;
        connection.accepted = Some(self.strangers.add(slot, address, now));
        entry.insert(Slot::Accepted(Box::new(connection)));
        self.on_connected(slot, id);
    }

    /// A connection is over that others had made.
    pub(super) fn on_accepted_closed(
        &mut self,
        accepted: Accepted,
        reason: &CloseReason,
        now: Instant,
    ) {
        if accepted.age.is_some() {
            self.share.note_handshake(true);
            let failed = &mut self.strangers.stats.failed;
            let count = count_of(failed, reason);
            *count += 1;
            if !matches!(reason, CloseReason::Eof | CloseReason::Failed(_)) {
                self.report.note(now, accepted.address);
            }
        }
        self.strangers.remove(accepted);
    }

    /// Tells once in a while of connections that came to nothing.
    pub(super) fn tell_of_strangers(&mut self, now: Instant) {
        if let Some(line) = self.report.poll(now, &self.strangers.stats) {
            tracing::warn!("{line}");
        }
    }
}

/// What counts handshakes that end for this reason.
fn count_of<'a>(failed: &'a mut FailedHandshakes, reason: &CloseReason) -> &'a mut u64 {
    match reason {
        CloseReason::Eof | CloseReason::Failed(_) => &mut failed.left,
        CloseReason::Mute(_) => &mut failed.timed_out,
        CloseReason::Displaced => &mut failed.displaced,
        CloseReason::Foreign(_) => &mut failed.foreign,
        CloseReason::Violation(
            Violation::BadCredentials { .. }
            | Violation::KeyDenied { .. }
            | Violation::Denied { .. },
        ) => &mut failed.denied,
        CloseReason::Violation(violation) => match violation.blame() {
            Blame::Peer => &mut failed.broken,
            Blame::Settings => &mut failed.unfit,
            Blame::Silence => &mut failed.timed_out,
            _ => &mut failed.other,
        },
        _ => &mut failed.other,
    }
}
