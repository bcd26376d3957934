//! The socket with its endpoints.

mod endpoints;
mod traffic;

use std::{fmt, os::fd::AsRawFd, sync::Arc, time::Instant};

use bytes::Bytes;
use zerorpc_proto::{
    Multipart, PeerEvent, PeerId, Route, Transmit,
    transport::{
        Cause, EndpointAction, EndpointError, Flow, MonitorEvent, Principal, SocketKind,
        SocketOptions, Transport, TransportError,
    },
};

use crate::{
    Parts,
    backlog::Backlog,
    endpoint, frames,
    lingering::Lingering,
    links::Links,
    options,
    permissions::Permissions,
    principal::Senders,
    security,
    waiter::{Notifier, Signs},
    zap::ZapHandler,
};
use endpoints::Bound;

/// How many descriptors a socket takes before it is bound or connected, and some for whatever else goes on meanwhile: counted
/// in `/proc/self/fd` it takes 16, of whatever kind it is.
const DESCRIPTORS: usize = 24;

/// A libzmq socket that never blocks.
///
/// All peers are [`PeerId::NAMELESS`]. What libzmq has no room for waits in the transport and is tried again
/// at every later call: on a ROUTER separately for each peer, on DEALER and PUSH in one queue for all. A
/// queue that grows over [`MAX_BACKLOG_BYTES`](crate::MAX_BACKLOG_BYTES) or
/// [`MAX_BACKLOG_MESSAGES`](crate::MAX_BACKLOG_MESSAGES) is dropped with a warning. PUB drops what a
/// subscriber is too slow for.
///
/// # Who is there
///
/// DEALER and PUSH hand nothing to libzmq before some peer is connected, nor after the last one has gone:
/// until then messages wait in the transport, and [`can_send`](Transport::can_send) is false. But libzmq
/// deals messages out evenly to all endpoints that the socket *connects* to, of which it cannot be told
/// that one is not running. As long as another one is, the share of the missing one waits for it and is
/// lost with the socket. Peers that connect to a socket which is *bound* get messages only while they are there:
/// where some of several peers may be missing, let those peers connect.
///
/// # Endpoints
///
/// `tcp://host:port`, where the host may be a name, an address or `*`, and the port `*` or 0 for a free one
/// (binding only); `ipc://path`; on Linux also `ipc://@name`. Names are resolved as they are used, which
/// may take its time, IPv4 first; IPv6 serves literals (`tcp://[::1]:5555`) and names without IPv4. A
/// stale socket file is replaced, one that a server listens at is not, and socket files of this transport
/// are removed when it is unbound or dropped. Unbinding also ends the connections accepted there.
///
/// `tcp://*:port` accepts IPv6 as well where the machine has it, and is told as `tcp://0.0.0.0:port`.
///
/// # Connections
///
/// Up to 4096 connections may wait to be accepted. Connecting to one address may take
/// [`SocketOptions::dial_timeout`], and so may the handshake of a connection that this side has made; for accepted ones
/// [`SocketOptions::handshake_timeout`] holds. Waits between
/// attempts are as [`SocketOptions`] says. Of [`Keepalive`](zerorpc_proto::transport::Keepalive), the system's probes and its
/// limit for unacknowledged data are used on all connections over TCP (the limit not on PUSH, as over mio), and PINGs on
/// those that a DEALER or ROUTER has made. What libzmq, or its binding, does not offer:
///
/// * The libzmq that comes with the binding was built without probes, and has no limit for unacknowledged data. On Linux
///   from 5.6 on, both are asked of the system directly, as soon as this side hears of a connection; elsewhere, or where a
///   sandbox forbids `pidfd_getfd`, PINGs are all there is, and a peer that is sent none is noticed when the system gives up.
/// * libzmq sends PINGs to peers of ZMTP 3.0, too, which need not know them: libzmq before 4.2 does not answer, and is
///   connected to anew whenever it was idle for too long; others end the connection themselves. Where this side connects
///   to such a peer, set [`SocketOptions::keepalive`] to `None`. Whoever connects to this side is never sent one.
/// * A PING is sent every interval, also while traffic flows.
/// * PULL and SUB send none, since they would not see the answer while their reader is busy. They have nothing to send that
///   could go unacknowledged, so that the system's probes are enough. PUSH and PUB send none because of slow readers.
/// * Pauses of this process are not made up for: libzmq may give up a peer that has answered meanwhile.
///
/// libzmq limits neither how many connections are accepted nor whence: a socket with
/// [`accept_limits`](SocketOptions::accept_limits) other than the default, or with [`networks`](SocketOptions::networks),
/// cannot be opened.
///
/// # Monitor
///
/// [`poll_monitor`](Transport::poll_monitor) tells what libzmq does: connections made and lost, handshakes that failed,
/// attempts to connect, and that connections cannot be accepted for lack of descriptors, once a second while it lasts.
/// All of them are [`PeerId::NAMELESS`]; of accepted connections libzmq tells no other end, they go by the endpoint that
/// they came to, with `(accepted)` behind it. Why a connection ended, or could not be made, it does not tell either.
///
/// As long as descriptors are lacking, libzmq tries to accept without a rest, and keeps a core busy; the connections that
/// there are go on.
///
/// # Security
///
/// [`SocketOptions::security`] and [`SocketOptions::authenticator`] are obeyed, or opening the socket is an error; never is
/// less done than was asked for. PLAIN and NULL work with every libzmq, CURVE with one that was built with libsodium: see
/// the front page of this crate. A socket that has an authenticator, or is the server of a mechanism, answers libzmq's
/// questions (27/ZAP) by a thread of its own. What differs:
///
/// * libzmq tells the address of a peer without its port (`tcp://192.0.2.7`); over `ipc://` it tells no path, and who runs
///   the peer only where it was built so (those of Linux distributions are, the one of the binding is not).
/// * It does not ask about servers that this side knows by their keys or shows passwords to: a `CurveClient` or
///   `PlainClient` with an authenticator is an error.
/// * It has no PLAIN with an empty name or password: an error as well.
/// * A peer that is refused is told "400". libzmq does not connect again to a peer that refuses this side or wants another
///   mechanism; this transport has it do so, as [`SocketOptions::reconnect`] says.
/// * A server of CURVE with another key than the expected one hangs up without a word, which looks like any other
///   connection that ends: [`denial`](Transport::denial) does not know of it.
/// * Where the side that asks is also the one that connects, closing does not wait for messages to leave, since nobody could
///   be asked any more about those who are connected to meanwhile.
///
/// Who has sent a request is known by [`principal_of`](Transport::principal_of), on a ROUTER that asks. On such a ROUTER the
/// first identity in the envelope of a message is made of libzmq's routing id and that; peers cannot take over what others
/// have open by taking their names.
///
/// # Closing
///
/// Dropping the transport blocks until all messages have left, for [`SocketOptions::linger`] and a second
/// at most. Without a linger it blocks for up to [`LONGEST_CLOSE`](crate::LONGEST_CLOSE), so that a peer that
/// is gone holds nobody for ever; what libzmq holds then keeps leaving in the background.
pub struct ZmqTransport {
    kind: SocketKind,
    options: SocketOptions,
    bound: Vec<Bound>,
    connected: Vec<String>,
    permissions: Permissions,
    backlog: Backlog,
    /// On a ROUTER.
    senders: Option<Senders>,
    notifier: Notifier,
    socket: zmq::Socket,
    // Must be dropped after the socket.
    links: Links,
    // Says who may come in, as long as somebody may.
    zap: Option<ZapHandler>,
    // Waits for the sockets, and so must be dropped after them.
    lingering: Lingering,
}

impl ZmqTransport {
    pub(crate) fn open(kind: SocketKind, options: &SocketOptions) -> Result<Parts, TransportError> {
        let failed = |reason: &str| format!("cannot open a {kind:?} socket: {reason}");
        options::lacking(options).map_err(|reason| TransportError::new(failed(reason)))?;
        // Where there are too few, libzmq ends the process.
        endpoint::rehearse(DESCRIPTORS).map_err(|reason| TransportError::new(failed(&reason)))?;
        let unusable = |error: zmq::Error| {
            TransportError::new(endpoint::told(error, failed(&endpoint::words(error))))
        };
        let lingering = Lingering::new(options.linger_of(kind));
        let socket = lingering.socket(socket_type(kind)).map_err(unusable)?;
        options::configure(&socket, kind, options, &lingering).map_err(unusable)?;
        let insecure = |cause: Cause| {
            let error = TransportError::new(cause);
            TransportError::new(Cause::new(error.kind(), failed(error.reason())))
        };
        // Before anybody can come in.
        let asks = security::asks(options);
        let answer = || ZapHandler::start(&lingering, options.authenticator.clone());
        let zap = asks.then(answer).transpose().map_err(insecure)?;
        security::configure(&socket, options).map_err(insecure)?;
        let signs = Arc::<Signs>::default();
        let links =
            Links::of(&socket, &lingering, Arc::clone(&signs), kind, options).map_err(unusable)?;
        let (notifier, waiter) = Notifier::new(socket.as_raw_fd(), links.readiness(), signs)
            .map_err(|error| Cause::explained(error, |error| failed(&error.to_string())))
            .map_err(TransportError::new)?;
        let waker = notifier.waker();
        let transport = Self {
            kind,
            options: options.clone(),
            bound: Vec::new(),
            connected: Vec::new(),
            permissions: Permissions::new(options),
            backlog: Backlog::default(),
            senders: (kind == SocketKind::Router).then(|| Senders::new(asks)),
            notifier,
            socket,
            links,
            zap,
            lingering,
        };
        Ok(Parts { transport, waiter, waker })
    }

    fn is_router(&self) -> bool {
        self.kind == SocketKind::Router
    }
}

impl Transport for ZmqTransport {
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError> {
        let result = self.try_bind(endpoint);
        self.conclude(EndpointAction::Bind, endpoint, result)
    }

    fn connect(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        let result = self.try_connect(endpoint);
        self.conclude(EndpointAction::Connect, endpoint, result)
    }

    fn unbind(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        let result = self.try_unbind(endpoint);
        self.conclude(EndpointAction::Unbind, endpoint, result)
    }

    fn disconnect(&mut self, endpoint: &str) -> Result<(), EndpointError> {
        let result = self.try_disconnect(endpoint);
        self.conclude(EndpointAction::Disconnect, endpoint, result)
    }

    fn can_send(&mut self) -> bool {
        match self.kind {
            SocketKind::Router | SocketKind::Pub => true,
            SocketKind::Pull | SocketKind::Sub => false,
            SocketKind::Dealer | SocketKind::Push => self.try_can_send().unwrap_or(false),
        }
    }

    fn send(&mut self, message: Transmit) -> Result<Flow, TransportError> {
        if matches!(self.kind, SocketKind::Pull | SocketKind::Sub) {
            return Err(TransportError::new(format!("a {:?} socket only receives", self.kind)));
        }
        let Some(lane) = frames::destination(self.is_router(), &message.envelope) else {
            tracing::trace!("dropped a message without a routing id");
            return Ok(Flow::Clear);
        };
        self.try_send(lane, message).map_err(failure)
    }

    fn sending_hides_arrivals(&self) -> bool {
        true
    }

    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError> {
        let message = self.try_receive().map_err(failure)?;
        Ok(message.map(|message| (PeerId::NAMELESS, message)))
    }

    fn discard(&mut self, route: &Route) {
        self.backlog.discard(route.identity.as_ref().unwrap_or(&Bytes::new()));
        self.note_stalled();
    }

    /// What waits beside libzmq's own queues, of which only the number of messages is known.
    fn retained_bytes(&self) -> usize {
        self.backlog.bytes()
    }

    fn retained_by_route(&self) -> Vec<(Route, usize)> {
        let route = |name: &Bytes| Route {
            peer: PeerId::NAMELESS,
            identity: self.is_router().then(|| name.clone()),
        };
        self.backlog.lanes().map(|(name, bytes)| (route(name), bytes)).collect()
    }

    fn principal_of(&self, route: &Route) -> Option<Arc<Principal>> {
        let principal = self.senders.as_ref()?.principal(route.identity.as_ref()?)?;
        Some(Arc::new(principal))
    }

    fn denial(&self) -> Option<Arc<str>> {
        // Others may come where it is bound.
        if self.bound.is_empty() { self.links.denial(&self.connected) } else { None }
    }

    fn poll_peer(&mut self) -> Option<PeerEvent> {
        let identity = self.backlog.pop_emptied()?;
        // The queue of sockets that pick the peer themselves has no name.
        let identity = self.is_router().then_some(identity);
        Some(PeerEvent::Drained(Route { peer: PeerId::NAMELESS, identity }))
    }

    fn poll_monitor(&mut self) -> Option<MonitorEvent> {
        self.links.poll_monitor()
    }
}

impl Drop for ZmqTransport {
    fn drop(&mut self) {
        self.notifier.close();
        for file in self.bound.drain(..).filter_map(|bound| bound.file) {
            file.remove();
        }
        let start = Instant::now();
        let patience = self.lingering.patience();
        let flushed = self.flush_until(start + patience);
        self.lingering.shorten(patience.saturating_sub(start.elapsed()));
        // Whoever is connected to from now on cannot be asked about any more.
        let asks_servers = self.zap.is_some() && !self.connected.is_empty();
        let linger = if asks_servers { 0 } else { self.lingering.milliseconds() };
        let closing = flushed.and_then(|()| self.socket.set_linger(linger));
        if let Err(error) = closing {
            tracing::debug!(%error, "a socket was closed in a hurry");
        }
    }
}

impl fmt::Debug for ZmqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZmqTransport")
            .field("kind", &self.kind)
            .field("bound", &self.bound)
            .field("connected", &self.connected)
            .finish_non_exhaustive()
    }
}

fn failure(error: zmq::Error) -> TransportError {
    TransportError::new(endpoint::told(error, error.to_string()))
}

fn socket_type(kind: SocketKind) -> zmq::SocketType {
    match kind {
        SocketKind::Dealer => zmq::DEALER,
        SocketKind::Router => zmq::ROUTER,
        SocketKind::Push => zmq::PUSH,
        SocketKind::Pull => zmq::PULL,
        SocketKind::Pub => zmq::PUB,
        SocketKind::Sub => zmq::SUB,
    }
}
