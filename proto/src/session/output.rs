//! What a session wants next, and whether it wants anything.

use web_time::Instant;

use super::{Notice, Session};
use crate::{peer::PeerId, transmit::Transmit};

/// What a session wants next.
//
// Whoever drives a session has to do what it says: no variant may be passed over, so they are all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this message.
    Transmit(Transmit),
    /// Look at this.
    Notice(Notice),
    /// End this connection and tell of its end by [`PeerEvent::Down`](crate::PeerEvent::Down); if this side had made it, make
    /// it anew.
    Disconnect {
        /// Whose it is.
        peer: PeerId,
        /// Why it is of no use any more.
        reason: &'static str,
    },
    /// Nothing is left to do until something comes in, or until this time: then call
    /// [`handle_timeout`](Session::handle_timeout). `None`: no time has to be waited for.
    Wait(Option<Instant>),
}

impl Session {
    /// What to do next. Ask until it is [`Output::Wait`], after whatever was done to the session: then it
    /// [is idle](Self::is_idle), and whoever drives it may sleep.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use zerorpc_proto::{Notice, Output, Session, Transmit};
    /// /// Does everything that there is to do; until when one may sleep then.
    /// fn drive(
    ///     session: &mut Session,
    ///     mut send: impl FnMut(Transmit),
    ///     mut look_at: impl FnMut(&mut Session, Notice),
    /// ) -> Option<Instant> {
    ///     loop {
    ///         match session.poll_output() {
    ///             Output::Transmit(message) => send(message),
    ///             Output::Notice(notice) => look_at(session, notice),
    ///             // And session.handle_peer_event(now, PeerEvent::Down(peer, reason.into())).
    ///             Output::Disconnect { peer, .. } => println!("{peer} has to be disconnected"),
    ///             Output::Wait(until) => return until,
    ///         }
    ///     }
    /// }
    /// # let mut session = Session::new(zerorpc_proto::Config::server(1));
    /// # assert_eq!(drive(&mut session, |_| {}, |_, _| {}), None);
    /// ```
    ///
    /// Where messages can't be sent at the moment, ask [`poll_notice`](Self::poll_notice) and
    /// [`poll_disconnect`](Self::poll_disconnect) until there are none, and sleep until
    /// [`poll_timeout`](Self::poll_timeout), or until messages can be sent again: what was not transmitted waits here, and
    /// is withdrawn when its caller gives up.
    pub fn poll_output(&mut self) -> Output {
        if let Some((peer, reason)) = self.poll_disconnect() {
            return Output::Disconnect { peer, reason };
        }
        // Messages make notices: what has left makes room for more.
        if let Some(message) = self.poll_transmit() {
            return Output::Transmit(message);
        }
        if let Some(notice) = self.poll_notice() {
            return Output::Notice(notice);
        }
        debug_assert!(self.is_idle(), "something is left");
        Output::Wait(self.poll_timeout())
    }

    /// Whether there is nothing to do until something comes in, or until [`poll_timeout`](Self::poll_timeout): no message
    /// to send, no notice, no connection to end. True for certain after [`Output::Wait`]; false where there may be
    /// something.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.has_output() && !self.has_notices() && !self.peers.has_disconnects()
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have something; if not, it has nothing for certain.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.ready.is_empty() || !self.loose.is_empty()
    }

    /// Whether [`poll_notice`](Self::poll_notice) may have something; if not, it has nothing for certain.
    #[must_use]
    pub fn has_notices(&self) -> bool {
        !self.notices.is_empty() || !self.misbehaviours.is_empty() || !self.disconnected.is_empty()
    }
}
