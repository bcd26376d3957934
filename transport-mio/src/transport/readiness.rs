//! What is done when readiness has come.

use std::time::{Duration, Instant};

use mio::Token;
use zerorpc_proto::transport::MonitorEvent;
use zerorpc_zmtp::ConnectionId;

use super::{
    BUDGET, MioTransport,
    connection::{Connection, Source},
    slots::Slot,
};
use crate::{link::Dial, waiter::Readiness};

/// How long memory for large bodies is kept for the next, at least. Not measured: longer than pauses between large calls
/// of one caller.
const POOLED: Duration = Duration::from_secs(5);

/// What each turn costs of the budget at least: about as much time as it takes to read so many bytes beside the system call.
const TURN: usize = 4 << 10;

impl MioTransport {
    pub(super) fn connection(&mut self, slot: usize) -> Option<&mut Connection> {
        self.slots.get_mut(slot)?.connection_mut()
    }

    /// Does what can be done now, until there is a message or the budget is used up.
    pub(super) fn work(&mut self) {
        let now = Instant::now();
        self.worked = now;
        let mut ready = std::mem::take(&mut self.ready);
        let round = self.mailbox.collect(&mut ready);
        if round != self.round {
            self.round = round;
            self.budget = BUDGET;
        }
        for readiness in ready.drain(..) {
            self.note(readiness, now);
        }
        self.ready = ready;
        // The waiter was told when.
        if self.due.is_some_and(|due| due <= now) {
            self.do_due(now);
        }
        while !self.socket.has_messages()
            && self.budget > 0
            && let Some(slot) = self.runnable.pop_front()
        {
            let read = match self.slots.get_mut(slot) {
                Some(Slot::Dialer(_) | Slot::Accepted(_)) => self.run(slot, now),
                Some(Slot::Listener(_) | Slot::Group(_)) | None => 0,
            };
            self.budget = self.budget.saturating_sub(TURN.max(read));
        }
        self.see_to_strangers();
        // A peer has come with the name of another one.
        self.expire_connections(now);
        self.tell_of_strangers(now);
        self.look_after_pool(now);
        self.is_exhausted = self.runnable.is_empty() && self.socket.has_messages();
    }

    /// Does what is due by now, which is rarely anything.
    #[cold]
    fn do_due(&mut self, now: Instant) {
        while let Some((at, slot)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, slot));
            self.expire(slot, now);
        }
        self.expire_connections(now);
        self.partings.work(now);
    }

    /// Gives memory back that was not needed for a while.
    fn look_after_pool(&mut self, now: Instant) {
        match self.pool_due {
            Some(due) if due <= now => {
                self.pool_due = self.pool.trim().then(|| now + POOLED);
            }
            None if self.pool.is_in_use() => self.pool_due = Some(now + POOLED),
            Some(_) | None => {}
        }
    }

    fn note(&mut self, readiness: Readiness, now: Instant) {
        let Readiness { token: Token(slot), readable, writable, closing } = readiness;
        if let Some(connection) = self.connection(slot) {
            connection.is_closing |= closing;
            if let Some(place) = connection.place.take_if(|_| closing) {
                // It is seen to sooner: it makes room, and nothing that it is told is of use to it.
                connection.runnable = false;
                self.line.remove(place);
            }
            if readable {
                self.enqueue(slot);
            }
            if writable && self.connection(slot).is_some_and(Connection::set_writable) {
                self.flush(slot);
            }
            return;
        }
        match self.slots.get(slot) {
            Some(Slot::Listener(_)) => self.enqueue(slot),
            Some(Slot::Dialer(_)) => self.dial(slot, now),
            Some(Slot::Group(_)) => self.resolve(slot, now),
            // Readiness of something that is gone already.
            Some(Slot::Accepted(_)) | None => {}
        }
    }

    /// Puts a source among those that have something to do; strangers, and endpoints with somebody to accept, in a line of
    /// their own.
    pub(super) fn enqueue(&mut self, slot: usize) {
        let Some(source) = self.slots.get_mut(slot) else { return };
        if source.runnable().is_none_or(|runnable| std::mem::replace(runnable, true)) {
            return;
        }
        match source {
            Slot::Listener(_) => self.line.add_listener(slot),
            Slot::Accepted(connection) if connection.is_stranger() => {
                let address = connection.accepted.and_then(|accepted| accepted.address);
                connection.place = Some(self.line.add(slot, address));
            }
            _ => self.runnable.push_back(slot),
        }
    }

    /// A timer has come up.
    fn expire(&mut self, slot: usize, now: Instant) {
        let Some(source) = self.slots.get_mut(slot) else { return };
        if let Some(wake) = source.wake() {
            *wake = None;
        }
        match source {
            Slot::Listener(_) => self.enqueue(slot),
            Slot::Group(_) => self.resolve(slot, now),
            Slot::Dialer(_) => self.dial(slot, now),
            Slot::Accepted(_) => {}
        }
    }

    /// Has a source looked at at that time, if there is one, and at no other.
    pub(super) fn schedule(&mut self, slot: usize, at: Option<Instant>) {
        let Some(source) = self.slots.get_mut(slot) else { return };
        let Some(wake) = source.wake() else { return };
        if *wake == at {
            return;
        }
        if let Some(other) = std::mem::replace(wake, at) {
            self.timers.remove(&(other, slot));
        }
        if let Some(at) = at {
            self.timers.insert((at, slot));
        }
    }

    /// Goes on connecting.
    pub(super) fn dial(&mut self, slot: usize, now: Instant) {
        let Some(Slot::Dialer(dialed)) = self.slots.get_mut(slot) else { return };
        match dialed.dialer.poll(now, &self.registry, Token(slot)) {
            Dial::Connected(mut stream) => {
                if dialed.named {
                    stream.set_endpoint(&dialed.given);
                }
                if let Some(wake) = dialed.wake.take() {
                    self.timers.remove(&(wake, slot));
                }
                let connection = Connection::open(&mut self.socket, now, stream, Source::Dialed);
                let id = connection.id;
                dialed.connection = Some(connection);
                self.on_connected(slot, id);
            }
            Dial::Failed { reason, retry } => {
                dialed.denial = None;
                dialed.is_suspect = false;
                let (endpoint, group) = (dialed.given.to_string(), dialed.group);
                self.retry(slot, endpoint, reason, retry, now);
                self.look_up_again(group, now);
            }
            Dial::Waiting(until) => self.schedule(slot, until),
        }
    }

    pub(super) fn retry(
        &mut self,
        slot: usize,
        endpoint: String,
        reason: String,
        retry: Instant,
        now: Instant,
    ) {
        let after: Duration = retry.saturating_duration_since(now);
        self.emit(MonitorEvent::Retried { endpoint, reason, after });
        self.schedule(slot, Some(retry));
    }

    /// Sends the first bytes of a new connection, and looks for the peer's.
    pub(super) fn on_connected(&mut self, slot: usize, id: ConnectionId) {
        self.set_place(id, slot);
        self.flush(slot);
        self.enqueue(slot);
    }

    /// Forgets a source.
    pub(super) fn remove_slot(&mut self, slot: usize) {
        if let Some(mut source) = self.slots.try_remove(slot)
            && let Some(wake) = source.wake().and_then(Option::take)
        {
            self.timers.remove(&(wake, slot));
        }
    }
}
