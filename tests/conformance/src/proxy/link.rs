//! Streams of TCP and of socket files, listened for and connected.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
};
use zerorpc_proto::transport::{Endpoint, Host, TcpAddress};

/// Where connections are made to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Tcp(String),
    Ipc(PathBuf),
}

impl Target {
    pub(super) fn read(endpoint: &str) -> Result<Self, String> {
        let told = |why: String| format!("the target {endpoint}: {why}");
        match Endpoint::parse_connect(endpoint).map_err(told)? {
            Endpoint::Tcp { address, .. } => Ok(Self::Tcp(authority(&address))),
            Endpoint::IpcPath(path) => Ok(Self::Ipc(path)),
            _ => Err(told(OTHERS.to_owned())),
        }
    }

    pub(super) fn connect(&self) -> Result<Stream, String> {
        match self {
            Self::Tcp(address) => {
                let connected = TcpStream::connect(address.as_str()).and_then(Stream::of_tcp);
                connected.map_err(|error| format!("no connection to tcp://{address}: {error}"))
            }
            Self::Ipc(path) => UnixStream::connect(path)
                .map(Stream::Unix)
                .map_err(|error| format!("no connection to ipc://{}: {error}", path.display())),
        }
    }
}

const OTHERS: &str = "a proxy stands between tcp:// and ipc:// (with a path) only";

/// `host:port`, as the system takes it.
fn authority(address: &TcpAddress) -> String {
    match &address.host {
        Host::Any => format!("0.0.0.0:{}", address.port),
        _ => address.to_string(),
    }
}

/// Where connections come from.
#[derive(Debug)]
pub(super) struct Listener {
    kind: Kind,
    endpoint: String,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    /// And the file, which goes with it.
    Ipc(UnixListener, PathBuf),
}

impl Listener {
    pub(super) fn bind(endpoint: &str) -> Result<Self, String> {
        let told = |why: String| format!("{endpoint}: {why}");
        match Endpoint::parse_bind(endpoint).map_err(told)? {
            Endpoint::Tcp { address, .. } => {
                let text = authority(&address);
                let addresses: Vec<SocketAddr> =
                    text.to_socket_addrs().map_err(|error| told(error.to_string()))?.collect();
                let bound = TcpListener::bind(addresses.as_slice()).and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    Ok((listener.local_addr()?, listener))
                });
                let (address, listener) =
                    bound.map_err(|error| told(format!("nobody can listen there: {error}")))?;
                Ok(Self { kind: Kind::Tcp(listener), endpoint: format!("tcp://{address}") })
            }
            Endpoint::IpcPath(path) => {
                let bound = bind_file(&path).and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    Ok(listener)
                });
                let listener =
                    bound.map_err(|error| told(format!("nobody can listen there: {error}")))?;
                Ok(Self { kind: Kind::Ipc(listener, path), endpoint: endpoint.to_owned() })
            }
            _ => Err(told(OTHERS.to_owned())),
        }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next connection; none when there is none for that time.
    pub(super) fn accept(&self, within: Duration) -> io::Result<Option<Stream>> {
        let mut fds = [match &self.kind {
            Kind::Tcp(listener) => PollFd::new(listener, PollFlags::IN),
            Kind::Ipc(listener, _) => PollFd::new(listener, PollFlags::IN),
        }];
        let timeout = Timespec::try_from(within).map_err(io::Error::other)?;
        retry_on_intr(|| poll(&mut fds, Some(&timeout)))?;
        let accepted = match &self.kind {
            Kind::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                Stream::of_tcp(stream)
            }),
            Kind::Ipc(listener, _) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                Ok(Stream::Unix(stream))
            }),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Ipc(_, path) = &self.kind {
            let _ = fs::remove_file(path);
        }
    }
}

/// Binds a socket file, in place of one that nobody listens at any more.
fn bind_file(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
            let refused = UnixStream::connect(path)
                .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
            if !is_socket || !refused {
                return Err(error);
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn of_tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(super) fn copy(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
