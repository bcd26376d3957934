//! How connections end, and in what words that is told.

use std::sync::Arc;

use web_time::{Duration, Instant};
use zerorpc_proto::{PeerEvent, PeerId, transport::SocketKind};

use super::{
    Socket,
    close_reason::CloseReason,
    connection::{Connection, ConnectionId, Origin},
    denial,
    events::{Closed, LastWords, SocketEvent},
};
use crate::Blame;

/// A connection that ends after so much silence may have been ended for it. Not measured: it decides about
/// words alone.
const QUIET: Duration = Duration::from_secs(2);

/// Whose last message is not older may be in the middle of a call: calls have heartbeats.
const BUSY: Duration = Duration::from_secs(60);

impl Socket {
    /// The stream of a connection came to its end.
    pub fn handle_eof(&mut self, now: Instant, connection: ConnectionId) {
        self.advance_clock(now);
        self.end_connection(connection, CloseReason::Eof);
    }

    /// The stream of a connection failed, and why.
    pub fn handle_io_error(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        error: &dyn std::fmt::Display,
    ) {
        self.advance_clock(now);
        self.end_connection(connection, CloseReason::Failed(error.to_string()));
    }

    /// Ends a connection because this side's program wants it so. What waits there is not sent: write it before.
    pub fn close(&mut self, connection: ConnectionId, reason: &'static str) {
        self.end_connection(connection, CloseReason::Left(reason));
    }

    /// Ends a connection in its handshake, to make room for another one. Its stream is best given up at once.
    pub fn displace(&mut self, connection: ConnectionId) {
        if let Some(index) = self.index_of(connection) {
            self.finish_off(index, CloseReason::Displaced, true);
        }
    }

    /// Ends the connection of a peer of which nothing was heard for too long. What it had sent before, and the end of the
    /// connection, are told as always.
    pub fn reset(&mut self, peer: PeerId, reason: &str) {
        let Some(index) = self.peers.get(&peer).copied() else { return };
        match self.connections.get(index).and_then(|connection| connection.retired) {
            Some(why) => self.end(index, CloseReason::Left(why)),
            None => self.drop_peer(index, reason, "nothing was heard for too long"),
        }
    }

    /// Ends the connection of a peer for which too much is kept. What waits to be sent is dropped. One that takes nothing
    /// is not given a last word, which would have to wait behind all the rest: write what can be written before.
    pub fn cut_off(&mut self, peer: PeerId, reason: &str) {
        let Some(index) = self.peers.get(&peer).copied() else { return };
        if self.connections.get(index).is_some_and(|connection| connection.engine.has_output()) {
            self.finish_off(index, CloseReason::Dropped(reason.to_owned()), true);
        } else {
            self.drop_peer(index, reason, reason);
        }
    }

    /// Drops what waits to be sent to a peer, but for a message that has begun.
    pub fn discard(&mut self, peer: PeerId) {
        if let Some(index) = self.peers.get(&peer).copied()
            && let Some(connection) = self.connections.get_mut(index)
        {
            drop(connection.engine.take_unsent());
            self.recount(index);
            self.relieve(index);
        }
    }

    fn end_connection(&mut self, connection: ConnectionId, reason: CloseReason) {
        if let Some(index) = self.index_of(connection) {
            self.end(index, reason);
        }
    }

    /// Ends a connection for a reason of this side, and tells the peer in `words`, if it understands them.
    pub(super) fn drop_peer(&mut self, index: usize, reason: &str, words: &str) {
        if let Some(connection) = self.connections.get_mut(index) {
            connection.engine.part(words);
        }
        self.end(index, CloseReason::Dropped(reason.to_owned()));
    }

    /// Ends a connection.
    pub(super) fn end(&mut self, index: usize, reason: CloseReason) {
        self.finish_off(index, reason, false);
    }

    /// Ends a connection, and has its stream given up at once if so it must be.
    pub(super) fn finish_off(&mut self, index: usize, reason: CloseReason, must_abort: bool) {
        let Some(mut connection) = self.connections.try_remove(index) else { return };
        if let Some(at) = connection.deadline.take() {
            self.timers.remove(&(at, index));
        }
        self.retained -= connection.retained;
        let told = connection.engine.told().map(str::to_owned);
        let is_refusal = told.is_some();
        let reason = match told {
            Some(told) if reason.is_end_of_stream() => CloseReason::CutOff(told),
            _ => reason,
        };
        let now = self.now.unwrap_or(connection.heard_at);
        let is_notable = is_notable(&reason, &connection, now);
        let is_denial = denial::is_one(&reason, &connection);
        let suspicion = denial::suspicion(&reason, &connection);
        let may_be_denial = suspicion.is_some();
        let words = match connection.peer {
            Some(peer) => {
                let words = reason.to_string();
                let hint = hint_at_idleness(&reason, &connection, now);
                let told = format!("{}: {words}{hint}", connection.remote);
                self.on_closed(peer, &mut connection, told.into());
                words
            }
            None if is_denial => format!("{reason}{}", denial::hint(&reason, &connection)),
            None if may_be_denial => format!("{reason}{}", suspicion.unwrap_or_default()),
            None => format!("{reason}{}", hint_at_closing(&reason, &connection)),
        };
        let Connection { id, peer, remote, engine, .. } = *connection;
        self.events.push_back(SocketEvent::Closed(Box::new(Closed {
            connection: id,
            peer,
            remote,
            reason,
            words,
            is_notable,
            is_refusal,
            is_denial,
            may_be_denial,
            must_abort,
            last_words: (engine.has_output() && (!must_abort || engine.has_parted()))
                .then_some(LastWords(engine)),
        })));
    }

    /// A peer has gone: its name is free, and what it did not get goes back.
    fn on_closed(&mut self, peer: PeerId, connection: &mut Connection, told: Arc<str>) {
        self.peers.remove(&peer);
        self.rotation.remove(peer);
        if !connection.identity.is_empty() {
            self.identities.remove(&connection.identity);
        }
        let unsent = connection.engine.take_unsent();
        match self.kind {
            SocketKind::Dealer => {
                for token in unsent.into_iter().filter_map(|message| message.token) {
                    self.inbox.add_event(PeerEvent::Returned(token));
                }
            }
            SocketKind::Push => self.give_back(unsent),
            _ => {}
        }
        self.inbox.add_event(PeerEvent::Down(peer, told));
    }
}

/// What may be behind the end of a connection on which nothing was said: for callers whose calls it took along.
fn hint_at_idleness(reason: &CloseReason, connection: &Connection, now: Instant) -> String {
    let quiet = now.saturating_duration_since(connection.heard_at);
    if !reason.is_end_of_stream()
        || quiet < QUIET
        || connection.retired.is_some()
        || connection.is_local()
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
fn hint_at_closing(reason: &CloseReason, connection: &Connection) -> &'static str {
    if !reason.is_end_of_stream() || connection.origin != Origin::Dialed {
        return "";
    }
    match (connection.was_heard(), connection.is_local()) {
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

/// Whether there is something to be mended, at one of the ends or in between: not where somebody merely came and went.
fn is_notable(reason: &CloseReason, connection: &Connection, now: Instant) -> bool {
    match reason {
        CloseReason::Eof | CloseReason::Failed(_) | CloseReason::Mute(_) | CloseReason::Left(_) => {
            false
        }
        CloseReason::CutOff(_)
        | CloseReason::Displaced
        | CloseReason::Dropped(_)
        | CloseReason::IdentityTaken { .. }
        | CloseReason::Foreign(_) => true,
        CloseReason::Violation(violation) => match (violation.blame(), connection.peer) {
            (Blame::Silence, None) => connection.was_heard(),
            (Blame::Silence, Some(_)) => {
                connection.message_at.is_some_and(|at| now.saturating_duration_since(at) < BUSY)
            }
            (Blame::Peer | Blame::Settings, _) => true,
        },
    }
}

#[cfg(test)]
mod tests;
