//! What readiness comes from: endpoints, those that have several connections, and connections that others have made.

use std::{sync::Arc, time::Instant};

use zerorpc_proto::transport::Endpoint;

use super::connection::Connection;
use crate::link::{Dialer, Listener, Resolver};

/// A source of readiness; its key is its token.
#[derive(Debug)]
pub(super) enum Slot {
    Listener(Box<Bound>),
    Dialer(Box<Dialed>),
    Group(Box<Group>),
    Accepted(Box<Connection>),
}

/// An endpoint that is bound.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: Listener,
    /// As the caller wrote it.
    pub(super) given: String,
    pub(super) wake: Option<Instant>,
    /// Stands among those that have something to do.
    pub(super) runnable: bool,
}

/// An endpoint to connect to, with the connection if there is one.
#[derive(Debug)]
pub(super) struct Dialed {
    pub(super) dialer: Dialer,
    /// As the caller wrote it.
    pub(super) given: Arc<str>,
    /// The endpoint has a name, of which connections are told by their addresses.
    pub(super) named: bool,
    /// The slot of the group that it belongs to.
    pub(super) group: Option<usize>,
    pub(super) connection: Option<Connection>,
    pub(super) wake: Option<Instant>,
    /// Why the latest attempt came to nothing, if that is for settings to change.
    pub(super) denial: Option<Arc<str>>,
    /// The latest attempt came to something that is a denial if it happens again.
    pub(super) is_suspect: bool,
}

/// An endpoint with dialers of its own, which stand in slots of their own.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) resolver: Resolver,
    pub(super) endpoint: Endpoint,
    /// As the caller wrote it.
    pub(super) given: Arc<str>,
    /// To each lane.
    pub(super) connections: u8,
    /// The last look-up failed.
    pub(super) failing: bool,
    pub(super) wake: Option<Instant>,
}

impl Slot {
    pub(super) fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Listener(_) | Self::Group(_) => None,
            Self::Dialer(dialed) => dialed.connection.as_ref(),
            Self::Accepted(connection) => Some(connection),
        }
    }

    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Listener(_) | Self::Group(_) => None,
            Self::Dialer(dialed) => dialed.connection.as_mut(),
            Self::Accepted(connection) => Some(connection),
        }
    }

    pub(super) fn runnable(&mut self) -> Option<&mut bool> {
        match self {
            Self::Listener(bound) => Some(&mut bound.runnable),
            Self::Dialer(dialed) => Some(&mut dialed.connection.as_mut()?.runnable),
            Self::Group(_) => None,
            Self::Accepted(connection) => Some(&mut connection.runnable),
        }
    }

    pub(super) fn wake(&mut self) -> Option<&mut Option<Instant>> {
        match self {
            Self::Listener(bound) => Some(&mut bound.wake),
            Self::Dialer(dialed) => Some(&mut dialed.wake),
            Self::Group(group) => Some(&mut group.wake),
            Self::Accepted(_) => None,
        }
    }
}
