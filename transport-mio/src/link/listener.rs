//! Accepting connections at one endpoint.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{TcpListener, UnixListener},
};
use rustix::io::Errno;
use socket2::SockRef;
use zerorpc_proto::transport::{Cause, Endpoint};

use super::{
    LinkOptions, Stream,
    backoff::{Backoff, Pace},
    explain, inproc, ipc, tcp,
};

/// The waits of a listener when there is no room for connections: connections that end make room, and no
/// event tells of them.
const REST: Pace = Pace { first: Duration::from_millis(10), longest: Duration::from_secs(1) };

/// Accepts connections at one endpoint; dropping it ends that, and removes the file of an ipc path.
///
/// To be registered with mio for reading. An event means: [`accept`](Self::accept) until it says
/// [`Burst::Drained`].
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    endpoint: Arc<str>,
    options: LinkOptions,
    rest: Backoff,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: Option<ipc::SocketFile> },
    Inproc(inproc::Binding),
}

/// What a burst of accepting came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Burst {
    /// Nobody waits; an event tells of the next.
    Drained,
    /// More may wait, and no event tells of it: go on when others have had their turn.
    More,
    /// The system has no room for connections. They wait; go on at `retry`, for no event tells.
    Exhausted {
        /// What there is too little of, and what to do.
        reason: String,
        /// When to call [`Listener::accept`] again.
        retry: Instant,
    },
}

impl Listener {
    /// Listens at `endpoint`. Asks the resolver for names, which may take its time.
    ///
    /// `*` is all addresses of the machine, of both families where the system has both. Socket files can
    /// be used by their owner alone; an abandoned one is replaced.
    ///
    /// # Errors
    /// Why not and what to do about it, for people.
    pub(crate) fn bind(endpoint: &Endpoint, options: &LinkOptions) -> Result<Self, Cause> {
        let (socket, bound) = match endpoint {
            Endpoint::Tcp { address, .. } => {
                let (listener, bound) = tcp::listen(address)?;
                (Socket::Tcp(listener), bound)
            }
            Endpoint::IpcPath(path) => {
                let (listener, file) = ipc::listen(path, &options.permissions)?;
                (Socket::Unix { listener, _file: Some(file) }, endpoint.to_string())
            }
            Endpoint::IpcWildcard => {
                let (listener, file) = ipc::listen_anywhere(&options.permissions)?;
                let bound = Endpoint::IpcPath(file.path().into()).to_string();
                (Socket::Unix { listener, _file: Some(file) }, bound)
            }
            Endpoint::IpcAbstract(name) => {
                options.permissions.ensure_none()?;
                let listener = ipc::listen_abstract(name)?;
                (Socket::Unix { listener, _file: None }, endpoint.to_string())
            }
            Endpoint::Inproc(name) => {
                (Socket::Inproc(inproc::Binding::new(name)?), endpoint.to_string())
            }
        };
        let rest = Backoff::new(REST, 0);
        Ok(Self { socket, endpoint: bound.into(), options: options.clone(), rest })
    }

    /// The endpoint as bound, with the port or path that the system chose: what to connect to on this
    /// machine. `tcp://*` becomes `tcp://0.0.0.0`, which peers without IPv6 understand as well.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Hands up to `most` connections that wait to `take`, but for those that `screen` turns away by their addresses: they
    /// are reset, and cost no more than that. Over ipc there are no addresses.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        most: usize,
        mut screen: impl FnMut(Option<SocketAddr>) -> bool,
        mut take: impl FnMut(Stream),
    ) -> Burst {
        for _ in 0..most {
            match self.accept_one(&mut screen) {
                Ok(stream) => {
                    self.rest.reset();
                    stream.map(&mut take);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Burst::Drained,
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let retry = now + self.rest.next_wait();
                    return Burst::Exhausted { reason: explain(&error), retry };
                }
            }
        }
        Burst::More
    }

    fn accept_one(
        &mut self,
        screen: &mut impl FnMut(Option<SocketAddr>) -> bool,
    ) -> io::Result<Option<Stream>> {
        let socket = match &mut self.socket {
            Socket::Tcp(listener) => {
                let (socket, peer) = listener.accept()?;
                // A socket for both families shows IPv4 addresses in their IPv6 form.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                if !screen(Some(peer)) {
                    // Whose end it is does not matter then: nothing of it is to stay in the system.
                    let _ended = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                    return Ok(None);
                }
                // Only a connection that has already ended refuses its options; reading will show it.
                let _ended = tcp::set_keepalive(&SockRef::from(&socket), self.options.keepalive);
                return Stream::tcp(socket, peer).map(Some);
            }
            Socket::Unix { listener, .. } => listener.accept()?.0,
            Socket::Inproc(binding) => binding.accept()?,
        };
        if screen(None) { Stream::unix(socket, self.endpoint.clone()).map(Some) } else { Ok(None) }
    }
}

/// Whether the failure is that of the connection that would have been accepted. Linux hands on what happened
/// to it while it waited.
fn is_of_one_connection(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return false };
    matches!(
        errno,
        Errno::INTR
            | Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::PERM
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::TIMEDOUT
    )
}

impl Source for Listener {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(listener) => listener.register(registry, token, interests),
            Socket::Unix { listener, .. } => listener.register(registry, token, interests),
            Socket::Inproc(binding) => binding.register(registry, token, interests),
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(listener) => listener.reregister(registry, token, interests),
            Socket::Unix { listener, .. } => listener.reregister(registry, token, interests),
            Socket::Inproc(binding) => binding.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(listener) => listener.deregister(registry),
            Socket::Unix { listener, .. } => listener.deregister(registry),
            Socket::Inproc(binding) => binding.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests;
