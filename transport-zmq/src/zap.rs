//! Says which peers come in, when libzmq asks (27/ZAP).
//!
//! libzmq lets everybody in where nobody is there to be asked, and its option against that is not among those of the
//! binding. So the handler is there before its socket is bound or connected, nothing but the end of that socket ends it,
//! and where an authenticator panics the peer stays outside.

use std::{
    net::{IpAddr, Ipv6Addr, Shutdown},
    os::{fd::AsRawFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use zerorpc_proto::transport::{
    AuthRequest, Authenticator, Cause, Credential, Denied, Principal, ProcessCredentials,
    PublicKey, admit,
};
use zmq::{DONTWAIT, Error, POLLIN, PollItem, Socket};

use crate::{endpoint, lingering::Lingering, principal, security::DOMAIN};

/// Where libzmq asks; every socket has a context of its own.
const ENDPOINT: &str = "inproc://zeromq.zap.01";
const VERSION: &[u8] = b"1.0";

/// How long the thread rests when the system has failed it. Not measured: long enough not to take a processor, and short
/// beside a handshake.
const REST: Duration = Duration::from_millis(10);

/// A thread that answers libzmq; it ends when this is dropped.
pub(crate) struct ZapHandler {
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl ZapHandler {
    /// Answers for all sockets of a context, from now on.
    pub(crate) fn start(
        context: &Lingering,
        authenticator: Option<Arc<dyn Authenticator>>,
    ) -> Result<Self, Cause> {
        let socket = context.socket(zmq::REP).map_err(endpoint::explain)?;
        socket.set_linger(0).map_err(endpoint::explain)?;
        socket.bind(ENDPOINT).map_err(endpoint::explain)?;
        let (near, far) = UnixStream::pair()?;
        let answering = Answering { socket, stopped: far, authenticator, admitted: 0 };
        let run = move || answering.run();
        let thread = thread::Builder::new().name("zmq-zap".into()).spawn(run)?;
        Ok(Self { stop: near, thread: Some(thread) })
    }
}

impl Drop for ZapHandler {
    fn drop(&mut self) {
        // Fails only when the other end is closed already.
        let _ = self.stop.shutdown(Shutdown::Both);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that says who may come in has panicked");
        }
    }
}

struct Answering {
    socket: Socket,
    stopped: UnixStream,
    authenticator: Option<Arc<dyn Authenticator>>,
    /// How many peers were let in.
    admitted: u64,
}

impl Answering {
    fn run(mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) | Err(Error::ETERM) => return,
                Err(Error::EINTR) => {}
                Err(error) => {
                    tracing::error!("cannot be asked who may come in: {error}");
                    thread::sleep(REST);
                }
            }
        }
    }

    /// Waits for questions and answers them; false when there will be none.
    fn turn(&mut self) -> Result<bool, Error> {
        let stopped = self.stopped.as_raw_fd();
        let mut items = [self.socket.as_poll_item(POLLIN), PollItem::from_fd(stopped, POLLIN)];
        zmq::poll(&mut items, -1)?;
        if !items[1].get_revents().is_empty() {
            return Ok(false);
        }
        loop {
            let request = match self.socket.recv_multipart(DONTWAIT) {
                Ok(request) => request,
                Err(Error::EAGAIN) => return Ok(true),
                Err(error) => return Err(error),
            };
            self.answer(&request)?;
        }
    }

    fn answer(&mut self, request: &[Vec<u8>]) -> Result<(), Error> {
        let id = request.get(1).map_or(&[][..], |id| id);
        let (status, user) = match self.decide(request) {
            Ok(principal) => {
                self.admitted += 1;
                ("200", principal::encode(self.admitted, &principal))
            }
            Err(denied) => {
                tracing::debug!("a peer was not let in: {denied}");
                ("400", String::new())
            }
        };
        // Version, id, status, text, user and metadata: the text is for logs, and the reason stays here.
        let reply = [VERSION, id, status.as_bytes(), b"", user.as_bytes(), b""];
        self.socket.send_multipart(reply, 0)
    }

    fn decide(&self, request: &[Vec<u8>]) -> Result<Principal, Denied> {
        let [version, _id, domain, address, _routing_id, mechanism, shown @ ..] = request else {
            return Err(Denied::new("libzmq's question has too few frames"));
        };
        if version != VERSION || domain != DOMAIN.as_bytes() {
            return Err(Denied::new("libzmq asks in another version, or for another socket"));
        }
        let credential = match (&mechanism[..], shown) {
            (b"NULL", []) => Credential::Anonymous,
            (b"PLAIN", [username, password]) => Credential::password(username, password),
            (b"CURVE", [key]) => {
                let key = <[u8; PublicKey::LEN]>::try_from(&key[..]);
                Credential::Key(PublicKey::new(
                    key.map_err(|_| Denied::new("its key is no key of CURVE"))?,
                ))
            }
            _ => return Err(Denied::new("it shows what is unknown here")),
        };
        let (remote, process) = whereabouts(&String::from_utf8_lossy(address));
        let request = AuthRequest::new(credential, &remote).process(process);
        let decided =
            catch_unwind(AssertUnwindSafe(|| admit(self.authenticator.as_ref(), &request)));
        decided.unwrap_or_else(|_| Err(Denied::new("the authenticator has panicked")))
    }
}

/// Where a peer is, by what libzmq tells: an address of IP, without a port; or for `ipc://` something with the numbers of
/// user, group and process behind it, or nothing, as it was built.
fn whereabouts(address: &str) -> (String, Option<ProcessCredentials>) {
    let (unscoped, _interface) = address.split_once('%').unwrap_or((address, ""));
    match unscoped.parse().map(|ip: IpAddr| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => (format!("tcp://{ip}"), None),
        Ok(IpAddr::V6(ip)) => (format!("tcp://[{}]", Ipv6Addr::from(ip.octets())), None),
        Err(_) => (String::new(), credentials(address)),
    }
}

fn credentials(address: &str) -> Option<ProcessCredentials> {
    let mut numbers = address.rsplitn(4, ':').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let (pid, gid, uid) = (next()?, next()?, next()?);
    Some(ProcessCredentials::new(uid, gid, Some(pid).filter(|pid| *pid != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libzmq_tells_where_a_peer_is() {
        let process = |uid, gid, pid| Some(ProcessCredentials::new(uid, gid, pid));
        for (address, remote, expected) in [
            ("127.0.0.1", "tcp://127.0.0.1", None),
            ("::ffff:10.0.0.7", "tcp://10.0.0.7", None),
            ("2001:db8::1:2:3", "tcp://[2001:db8::1:2:3]", None),
            ("fe80::1%eth0", "tcp://[fe80::1]", None),
            ("localhost:1000:100:4711", "", process(1000, 100, Some(4711))),
            (":0:0:0", "", process(0, 0, None)),
            ("localhost", "", None),
            ("localhost:100:4711", "", None),
            ("localhost:-1:100:4711", "", None),
            ("", "", None),
        ] {
            assert_eq!(whereabouts(address), (remote.to_owned(), expected), "{address}");
        }
    }
}
