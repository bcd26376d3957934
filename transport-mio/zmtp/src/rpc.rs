//! A socket with its session: what a program embeds.

mod exchange;

use std::{
    io::{self, IoSlice, Read, Write},
    sync::Arc,
};

use bytes::Bytes;
use web_time::Instant;
use zerorpc_proto::{
    Args, Call, CallId, CallOptions, Config, Notice, OpenError, PeerId, Request, RequestId,
    Session, Target,
    transport::{MemoryBounds, SocketKind, SocketOptions, earliest},
};

use crate::{ConnectionId, Origin, Socket, SocketEvent, Want};

/// So many notices are given out before what they led to is written. As many as the
/// driver of `zerorpc` sends together.
const NOTICES: u32 = 32;

/// One socket that speaks zerorpc, as client or as server, without any IO: a [`Session`] on a [`Socket`].
///
/// Its embedder has streams and a clock. It tells of connections that were made or accepted, of bytes and of time, and then
/// asks [`poll_output`](Self::poll_output) what there is to do, again and again, until that says for how long it may wait.
/// Everything else may come in any order.
///
/// ```
/// use std::{io::IoSlice, time::Instant};
///
/// use bytes::Bytes;
/// use zerorpc_proto::{Answer, Args, CallOptions, Config, Notice, Target};
/// use zerorpc_zmtp::{ConnectionId, Origin, RpcOutput, RpcSocket};
///
/// /// What comes out of a socket until it has to wait: the bytes for its only connection, and what is to be looked at.
/// fn turn(rpc: &mut RpcSocket, now: Instant) -> (Vec<u8>, Vec<Notice>) {
///     let (mut bytes, mut notices) = (Vec::new(), Vec::new());
///     loop {
///         match rpc.poll_output(now) {
///             RpcOutput::Flush(connection) => {
///                 rpc.write_to(now, connection, &mut bytes);
///             }
///             RpcOutput::Notice(notice) => notices.push(notice),
///             RpcOutput::Event(event) => println!("{event:?}"),
///             RpcOutput::Wait(_deadline) => return (bytes, notices),
///             other => panic!("{other:?}"),
///         }
///     }
/// }
///
/// let now = Instant::now();
/// let mut client = RpcSocket::client(Config::client(1));
/// let mut server = RpcSocket::server(Config::server(2));
/// let dialed = client.open_connection(now, Origin::Dialed, "tcp://192.0.2.1:4242");
/// let accepted = server.open_connection(now, Origin::Accepted, "tcp://192.0.2.7:50123");
///
/// // May be called at once: the request leaves when there is a peer.
/// let args = Args::encode_params(&(20, 22))?;
/// let call = client.open(now, Target::Any, "add", args, &CallOptions::new())?;
/// let answer = loop {
///     let (bytes, notices) = turn(&mut client, now);
///     server.handle_chunk(now, accepted, Bytes::from(bytes));
///     if notices.contains(&Notice::Readable(call)) {
///         break client.call(call).and_then(|mut call| call.recv());
///     }
///     let (bytes, notices) = turn(&mut server, now);
///     client.handle_chunk(now, dialed, Bytes::from(bytes));
///     for notice in notices {
///         let Notice::Requested(id) = notice else { continue };
///         let Some(request) = server.request(id) else { continue };
///         let (a, b): (i64, i64) = request.args().decode()?;
///         request.reply(Args::encode(&(a + b))?)?;
///     }
/// };
/// assert_eq!(answer, Some(Answer::Value(Args::encode(&42)?)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RpcSocket {
    session: Session,
    socket: Socket,
    bounds: MemoryBounds,
    /// Peers to be cut off once what is left to say to them was flushed, and why.
    parting: Vec<(PeerId, String)>,
    /// How many notices were given out since connections were flushed.
    notices: u32,
}

/// What there is to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum RpcOutput {
    /// Something happened to a connection: it is ready, or its stream is to be closed.
    Event(SocketEvent),
    /// Something happened to a call or a request.
    Notice(Notice),
    /// This connection has something to [write](RpcSocket::write_to). It is told once: if not everything can be written now,
    /// go on when its stream has room.
    Flush(ConnectionId),
    /// Nothing for the moment. Wait for bytes, for room to write, for commands of the application, and until this instant at
    /// most, which may be now: then look at what has come without waiting. In any case,
    /// call [`handle_timeout`](RpcSocket::handle_timeout).
    Wait(Option<Instant>),
}

impl RpcSocket {
    /// A session on a socket of one's own making. They are to be a DEALER for calls, or a ROUTER for requests.
    #[must_use]
    pub fn new(session: Session, socket: Socket) -> Self {
        let bounds = match socket.kind() {
            SocketKind::Router => MemoryBounds::of_server(session.limits()),
            _ => MemoryBounds::of_client(session.limits()),
        };
        Self { session, socket, bounds, parting: Vec::new(), notices: 0 }
    }

    /// A socket that calls: a DEALER with the default options.
    #[must_use]
    pub fn client(config: Config) -> Self {
        let socket = Socket::new(SocketKind::Dealer, &SocketOptions::default());
        Self::new(Session::new(config), socket)
    }

    /// A socket that serves: a ROUTER with the default options.
    #[must_use]
    pub fn server(config: Config) -> Self {
        let socket = Socket::new(SocketKind::Router, &SocketOptions::default());
        Self::new(Session::new(config), socket)
    }

    /// What there is to do next.
    pub fn poll_output(&mut self, now: Instant) -> RpcOutput {
        self.exchange(now);
        if let Some(event) = self.socket.poll_event() {
            return RpcOutput::Event(event);
        }
        if self.notices < NOTICES
            && let Some(notice) = self.session.poll_notice()
        {
            self.notices += 1;
            return RpcOutput::Notice(notice);
        }
        if let Some(connection) = self.socket.poll_flush() {
            return RpcOutput::Flush(connection);
        }
        while let Some((peer, reason)) = self.parting.pop() {
            self.socket.cut_off(peer, &reason);
            if let Some(event) = self.socket.poll_event() {
                return RpcOutput::Event(event);
            }
        }
        // Whoever answers at once may be given further notices for ever: other connections are to be heard as well.
        let may_have_more = std::mem::take(&mut self.notices) == NOTICES;
        RpcOutput::Wait(if may_have_more { Some(now) } else { self.poll_timeout() })
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); [`RpcOutput::Wait`] tells it as well.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (session, socket) = (self.session.poll_timeout(), self.socket.poll_timeout());
        earliest([session, socket, self.bounds.poll_timeout()])
    }

    /// Does what is due. Read first from the connections that are [due](Self::due).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.socket.handle_timeout(now);
        // A beat that has come is no silence.
        self.exchange(now);
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.handle_timeout(now);
        }
    }

    /// Calls a method of a peer, or of any; see [`Session::open`].
    ///
    /// # Errors
    /// When the arguments are no array, or too many channels are open.
    pub fn open(
        &mut self,
        now: Instant,
        to: impl Into<Target>,
        method: &str,
        args: Args,
        options: &CallOptions,
    ) -> Result<CallId, OpenError> {
        self.session.open(now, to, method, args, options)
    }

    /// The handle of a call; `None` once its last answer was taken or it was cancelled.
    pub fn call(&mut self, id: CallId) -> Option<Call<'_>> {
        self.session.call(id)
    }

    /// The handle of a request; `None` once it was answered to its end or its caller was lost.
    pub fn request(&mut self, id: RequestId) -> Option<Request<'_>> {
        self.session.request(id)
    }

    /// Stops in good order: peers are told, requests that come are turned down, and what is open goes on. Accept no further
    /// connections.
    pub fn drain(&mut self) {
        self.session.stop_accepting();
        self.socket.drain();
    }

    /// Whether nothing is open any more, and everything was written.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let mut ready = self.socket.ready_connections();
        self.session.open_channels() == 0
            && !self.session.has_output()
            && !ready.any(|connection| self.socket.has_output(connection))
    }

    /// As the last word of a socket that is [drained](Self::is_drained), tells peers that everything was answered.
    pub fn say_last_word(&mut self) {
        let ready: Vec<ConnectionId> = self.socket.ready_connections().collect();
        for connection in ready {
            self.socket.say_last_word(connection);
        }
    }

    /// See [`Socket::open_connection`].
    pub fn open_connection(
        &mut self,
        now: Instant,
        origin: Origin,
        remote: impl Into<Arc<str>>,
    ) -> ConnectionId {
        self.socket.open_connection(now, origin, remote)
    }

    /// See [`Socket::read_from`].
    pub fn read_from(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        stream: &mut dyn Read,
    ) -> bool {
        self.socket.read_from(now, connection, stream)
    }

    /// See [`Socket::write_to`].
    pub fn write_to(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        stream: &mut dyn Write,
    ) -> bool {
        self.socket.write_to(now, connection, stream)
    }

    /// See [`Socket::read_with`].
    pub fn read_with(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        read: &mut dyn FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> bool {
        self.socket.read_with(now, connection, read)
    }

    /// See [`Socket::write_with`].
    pub fn write_with(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        write: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> bool {
        self.socket.write_with(now, connection, write)
    }

    /// See [`Socket::want`].
    pub fn want(&mut self, connection: ConnectionId) -> Want<'_> {
        self.socket.want(connection)
    }

    /// See [`Socket::handle_chunk`].
    pub fn handle_chunk(&mut self, now: Instant, connection: ConnectionId, chunk: Bytes) {
        self.socket.handle_chunk(now, connection, chunk);
    }

    /// See [`Socket::handle_body`].
    pub fn handle_body(&mut self, now: Instant, connection: ConnectionId, count: usize) {
        self.socket.handle_body(now, connection, count);
    }

    /// See [`Socket::handle_eof`].
    pub fn handle_eof(&mut self, now: Instant, connection: ConnectionId) {
        self.socket.handle_eof(now, connection);
    }

    /// See [`Socket::handle_io_error`].
    pub fn handle_io_error(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        error: &dyn std::fmt::Display,
    ) {
        self.socket.handle_io_error(now, connection, error);
    }

    /// See [`Socket::output`].
    pub fn output<'a>(&'a mut self, connection: ConnectionId, slices: &mut [IoSlice<'a>]) -> usize {
        self.socket.output(connection, slices)
    }

    /// See [`Socket::advance`].
    pub fn advance(&mut self, connection: ConnectionId, written: usize) {
        self.socket.advance(connection, written);
    }

    /// See [`Socket::has_output`].
    #[must_use]
    pub fn has_output(&self, connection: ConnectionId) -> bool {
        self.socket.has_output(connection)
    }

    /// See [`Socket::due`].
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<ConnectionId> {
        self.socket.due(now)
    }

    /// The session, for what there is to ask.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, for whatever else it can do.
    #[must_use]
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The socket, for what there is to ask.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The socket, for whatever else it can do.
    #[must_use]
    pub fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }
}
