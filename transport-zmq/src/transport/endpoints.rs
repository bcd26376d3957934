//! Binding and connecting.

use std::{io::ErrorKind, path::Path};

use zerorpc_proto::transport::{Cause, Endpoint, EndpointAction, EndpointError, Host, TcpAddress};

use super::ZmqTransport;
use crate::{
    endpoint,
    ipc::{self, Folder, SocketFile},
    options,
};

/// How many descriptors it takes to read an address and to listen there. Listening takes one, counted in
/// `/proc/self/fd`; to read an address takes one that is closed again, and the rest is for whatever else goes on meanwhile.
const DESCRIPTORS: usize = 4;

/// Where a socket accepts connections.
#[derive(Debug)]
pub(super) struct Bound {
    given: String,
    /// As it was told to the caller,
    actual: String,
    /// and as libzmq has it.
    own: String,
    pub(super) file: Option<SocketFile>,
}

impl ZmqTransport {
    pub(super) fn try_bind(&mut self, given: &str) -> Result<String, Cause> {
        // The same wildcard may be given twice; of anything else the system says that it is in use.
        if self.bound.iter().any(|bound| bound.actual == given) {
            return Err(Cause::new(ErrorKind::AddrInUse, "this socket is already bound there"));
        }
        // Where there are too few, libzmq 4.3.5 ends the process.
        endpoint::rehearse(DESCRIPTORS)?;
        // Binding is told to the monitor, and waits for room there.
        self.links.catch_up(&self.connected).map_err(endpoint::explain)?;
        options::for_accepting(&self.socket, &self.options).map_err(endpoint::explain)?;
        let mut everywhere = false;
        let file = match endpoint::supported(Endpoint::parse_bind(given).map_err(no_endpoint)?)? {
            Endpoint::Tcp { address, .. } => {
                everywhere = address.host == Host::Any;
                self.bind_tcp(given, &address)?;
                None
            }
            Endpoint::IpcPath(path) => self.bind_file(&path, None)?,
            Endpoint::IpcWildcard => {
                let folder = Folder::create()?;
                self.bind_file(&folder.path().join("socket"), Some(folder))?
            }
            other => {
                if matches!(other, Endpoint::IpcAbstract(_)) {
                    self.permissions.ensure_none()?;
                }
                self.socket.bind(given).map_err(endpoint::explain)?;
                None
            }
        };
        let own = match self.socket.get_last_endpoint() {
            Ok(Ok(endpoint)) => endpoint,
            _ => given.to_string(),
        };
        // The address that reaches it through peers that know nothing but IPv4 as well.
        let actual = match own.strip_prefix("tcp://[::]") {
            Some(port) if everywhere => format!("tcp://0.0.0.0{port}"),
            _ => own.clone(),
        };
        self.bound.push(Bound { given: given.to_string(), actual: actual.clone(), own, file });
        Ok(actual)
    }

    fn bind_file(&self, path: &Path, folder: Option<Folder>) -> Result<Option<SocketFile>, Cause> {
        ipc::make_way(path)?;
        let endpoint = format!("ipc://{}", path.display());
        self.socket.bind(&endpoint).map_err(endpoint::explain)?;
        let file = SocketFile::adopt(path, folder);
        if let Err(reason) = self.permissions.apply(path) {
            // Nobody is to connect to a file that is open to others than it should be.
            let _unbound = self.socket.unbind(&endpoint);
            file.iter().for_each(SocketFile::remove);
            return Err(reason);
        }
        Ok(file)
    }

    fn bind_tcp(&self, given: &str, address: &TcpAddress) -> Result<(), Cause> {
        let ipv6 = match address.host {
            // All addresses of both families, where the system has both.
            Host::Any => endpoint::has_ipv6(),
            Host::V6 { .. } if !endpoint::has_ipv6() => {
                return Err("this machine has no IPv6".into());
            }
            _ => endpoint::is_ipv6(&address.host),
        };
        self.socket.set_ipv6(ipv6).map_err(endpoint::explain)?;
        let name = match (self.socket.bind(given), &address.host) {
            // libzmq binds addresses, but no names of hosts.
            (Err(zmq::Error::ENODEV), Host::Name(name)) => name,
            (result, _) => return result.map_err(endpoint::explain),
        };
        let found = endpoint::resolve(name, address.port)?;
        self.socket.set_ipv6(found.is_ipv6()).map_err(endpoint::explain)?;
        let resolved = format!("tcp://{}", std::net::SocketAddr::new(found, address.port));
        self.socket.bind(&resolved).map_err(endpoint::explain)
    }

    pub(super) fn try_connect(&mut self, given: &str) -> Result<(), Cause> {
        self.dial(given)?;
        self.connected.push(given.to_string());
        Ok(())
    }

    /// Connects to an endpoint where a peer has refused this side, which libzmq does not.
    pub(super) fn dial_again(&mut self, given: &str) {
        // What is left of it there is of no use.
        let _left = self.socket.disconnect(given);
        if let Err(reason) = self.dial(given) {
            tracing::warn!("cannot connect to {given} again: {reason}");
        }
    }

    fn dial(&self, given: &str) -> Result<(), Cause> {
        let endpoint = endpoint::supported(Endpoint::parse_connect(given).map_err(no_endpoint)?)?;
        let is_remote = matches!(endpoint, Endpoint::Tcp { .. });
        if let Endpoint::Tcp { address, .. } = endpoint {
            let ipv6 = endpoint::needs_ipv6(&address)?;
            self.socket.set_ipv6(ipv6).map_err(endpoint::explain)?;
        }
        options::for_connecting(&self.socket, self.kind, &self.options, is_remote)
            .map_err(endpoint::explain)?;
        self.socket.connect(given).map_err(endpoint::explain)
    }

    pub(super) fn try_unbind(&mut self, given: &str) -> Result<(), Cause> {
        let found =
            self.bound.iter().position(|bound| bound.actual == given || bound.given == given);
        let bound = self.bound.remove(found.ok_or("this socket is not bound there")?);
        self.socket.unbind(&bound.own).map_err(endpoint::explain)?;
        self.links.forget(&bound.own);
        match bound.file {
            Some(file) => file.remove(),
            None => endpoint::await_release(&bound.own),
        }
        Ok(())
    }

    pub(super) fn try_disconnect(&mut self, given: &str) -> Result<(), Cause> {
        let before = self.connected.len();
        self.connected.retain(|connected| connected != given);
        if self.connected.len() == before {
            return Err("this socket is not connected there".into());
        }
        self.socket.disconnect(given).map_err(endpoint::explain)?;
        self.links.forget(given);
        Ok(())
    }

    /// Ends an action on an endpoint: puts its failure into words, and has the waiters look again, for
    /// libzmq may have used up announcements, and there may be room now.
    pub(super) fn conclude<T>(
        &self,
        action: EndpointAction,
        endpoint: &str,
        result: Result<T, Cause>,
    ) -> Result<T, EndpointError> {
        self.notifier.notify();
        result.map_err(|cause| EndpointError::new(action, endpoint, cause))
    }
}

fn no_endpoint(words: String) -> Cause {
    Cause::new(ErrorKind::InvalidInput, words)
}
