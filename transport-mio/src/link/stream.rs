//! A connection that carries bytes.

use std::{
    fmt,
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{TcpStream, UnixStream},
};
use rustix::{
    buffer::spare_capacity,
    io::retry_on_intr,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg},
};

use zerorpc_proto::transport::ProcessCredentials;

/// What one write may gather; more slices are an error of the system's.
const MOST_SLICES: usize = 1024;

/// A peer that is gone is told by an error, not by a signal that would end the process.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
/// Here the sockets are told instead; see [`Stream::tcp`] and [`Stream::unix`].
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// A tcp or unix connection: non-blocking, closed on `exec`, without signals. Displays as where it leads to.
///
/// To be registered with mio, and so reports readiness at the edge: go on until
/// [`WouldBlock`](ErrorKind::WouldBlock).
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    peer: Peer,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The other side, for messages.
#[derive(Debug)]
enum Peer {
    Address(SocketAddr),
    /// One of the addresses of the name in an endpoint.
    Named(SocketAddr, Arc<str>),
    /// Unix connections come from nowhere in particular: this is the endpoint at which they meet.
    Endpoint(Arc<str>),
}

impl Stream {
    /// A tcp connection to or from `peer`.
    pub(crate) fn tcp(socket: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        // Messages are gathered before they are written; nothing is won by waiting for more.
        socket.set_nodelay(true)?;
        no_signal(&socket)?;
        // A socket for both families shows IPv4 addresses in their IPv6 form.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Ok(Self { socket: Socket::Tcp(socket), peer: Peer::Address(peer) })
    }

    /// A unix connection at `endpoint`.
    pub(crate) fn unix(socket: UnixStream, endpoint: Arc<str>) -> io::Result<Self> {
        no_signal(&socket)?;
        Ok(Self { socket: Socket::Unix(socket), peer: Peer::Endpoint(endpoint) })
    }

    /// Says that its address was found by the name in this endpoint.
    pub(crate) fn set_endpoint(&mut self, endpoint: &Arc<str>) {
        if let Peer::Address(address) = self.peer {
            self.peer = Peer::Named(address, Arc::clone(endpoint));
        }
    }

    /// The address of the other side, of a tcp connection.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.peer {
            Peer::Address(address) | Peer::Named(address, _) => Some(address),
            Peer::Endpoint(_) => None,
        }
    }

    /// Who runs the other side, where the system tells.
    pub(crate) fn process(&self) -> Option<ProcessCredentials> {
        match &self.socket {
            Socket::Tcp(_) => None,
            Socket::Unix(socket) => credentials(socket),
        }
    }

    /// Has the connection end at once when it is dropped, whatever waits in the system to be sent: to a peer that takes
    /// nothing, the system would go on trying for minutes, and the peer would not hear of the end before.
    pub(crate) fn abort(&self) {
        if let Socket::Tcp(_) = &self.socket
            && let Err(error) = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO))
        {
            tracing::debug!("the connection with {self} will end by and by: {error}");
        }
    }

    /// Whether the connection stands; false while it is still being made.
    ///
    /// # Errors
    /// Why it could not be made.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        let socket = match &self.socket {
            Socket::Tcp(socket) => socket,
            Socket::Unix(socket) => return socket.take_error()?.map_or(Ok(true), Err),
        };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            // Who connects to a port that nobody listens at, but that the system happens to give out for
            // this very connection, talks to himself.
            Ok(peer) if socket.local_addr()? == peer => Err(ErrorKind::ConnectionRefused.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Appends what has arrived to `buffer`, as far as its capacity goes; 0 is the end of the stream, or
    /// said of a buffer without room.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock) when nothing has arrived; else the connection is lost.
    pub(crate) fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let (count, _) = retry_on_intr(|| recv(self, spare_capacity(buffer), RecvFlags::empty()))?;
        Ok(count)
    }

    /// Says that nothing more will be written; what was is still delivered.
    pub(crate) fn shut_down_writing(&self) {
        if let Err(error) = rustix::net::shutdown(self, rustix::net::Shutdown::Write) {
            tracing::debug!(%error, "{self} was gone already");
        }
    }

    /// As [`read`](Self::read), into a slice.
    pub(crate) fn read_into(&self, slice: &mut [u8]) -> io::Result<usize> {
        let (count, _) = retry_on_intr(|| recv(self, &mut *slice, RecvFlags::empty()))?;
        Ok(count)
    }

    /// Writes the beginning of what `slices` hold, and returns the number of bytes.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock) when there is no room; else the connection is lost.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [slice] = slices {
            // The system takes less to look at one slice than at a list of one.
            return Ok(retry_on_intr(|| send(self, slice, SEND_FLAGS))?);
        }
        let slices = &slices[..slices.len().min(MOST_SLICES)];
        let mut no_control = SendAncillaryBuffer::default();
        Ok(retry_on_intr(|| sendmsg(self, slices, &mut no_control, SEND_FLAGS))?)
    }
}

/// Who runs the process that has connected, or that listens. (Not by rustix, whose numbers of processes cannot be zero:
/// that of a process in a namespace which this one cannot see is.)
#[cfg(any(target_os = "linux", target_os = "android"))]
fn credentials(socket: &UnixStream) -> Option<ProcessCredentials> {
    let told = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials);
    let told =
        told.inspect_err(|error| tracing::debug!(%error, "the system tells no peer")).ok()?;
    let pid = u32::try_from(told.pid()).ok().filter(|pid| *pid != 0);
    Some(ProcessCredentials::new(told.uid(), told.gid(), pid))
}

/// Who ran the process when it connected, or began to listen. Its number is not told by all of these systems.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn credentials(socket: &UnixStream) -> Option<ProcessCredentials> {
    let told = nix::unistd::getpeereid(socket);
    let (uid, gid) =
        told.inspect_err(|error| tracing::debug!(%error, "the system tells no peer")).ok()?;
    Some(ProcessCredentials::new(uid.as_raw(), gid.as_raw(), None))
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
fn credentials(_socket: &UnixStream) -> Option<ProcessCredentials> {
    None
}

#[cfg(not(target_vendor = "apple"))]
fn no_signal(_socket: &impl AsFd) -> io::Result<()> {
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn no_signal(socket: &impl AsFd) -> io::Result<()> {
    socket2::SockRef::from(socket).set_nosigpipe(true)
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Peer::Address(address) => write!(f, "tcp://{address}"),
            Peer::Named(address, endpoint) => write!(f, "tcp://{address} (of {endpoint})"),
            Peer::Endpoint(endpoint) => f.write_str(endpoint),
        }
    }
}

impl Source for Stream {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.register(registry, token, interests),
            Socket::Unix(socket) => socket.register(registry, token, interests),
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.reregister(registry, token, interests),
            Socket::Unix(socket) => socket.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.deregister(registry),
            Socket::Unix(socket) => socket.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Stream, Stream) {
        let (left, right) = UnixStream::pair().expect("a pair of sockets");
        let stream = |socket| Stream::unix(socket, "inproc://test".into()).expect("a stream");
        (stream(left), stream(right))
    }

    #[test]
    fn bytes_are_gathered_and_appended() {
        let (left, right) = pair();
        assert_eq!(left.to_string(), "inproc://test");
        assert!(left.is_connected().expect("a good socket"));
        if let Some(process) = left.process() {
            assert_eq!(process.pid, Some(std::process::id()));
            assert_eq!(process.uid, nix::unistd::getuid().as_raw());
        }
        let mut buffer = Vec::with_capacity(8);
        let nothing = right.read(&mut buffer).expect_err("nothing was written");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);

        let slices = ["ab", "", "cdefgh"].map(|text| IoSlice::new(text.as_bytes()));
        assert_eq!(left.write(&slices).expect("there is room"), 8);
        buffer.extend(b"1234");
        let room = buffer.capacity() - buffer.len();
        assert_eq!(right.read(&mut buffer).expect("bytes have arrived"), room.min(8));
        assert_eq!(buffer, b"1234abcdefgh"[..buffer.len()]);

        let many = vec![IoSlice::new(b"x"); MOST_SLICES + 1];
        assert_eq!(left.write(&many).expect("there is room"), MOST_SLICES);
    }

    #[test]
    fn a_peer_that_is_gone_ends_the_stream() {
        let (left, right) = pair();
        drop(right);
        assert_eq!(left.read(&mut Vec::with_capacity(8)).expect("the end"), 0);
        let error = left.write(&[IoSlice::new(b"x")]).expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
