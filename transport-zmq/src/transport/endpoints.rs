//! Binding and connecting.

use std::path::Path;

use zerorpc_proto::{Endpoint, EndpointError, Host, TcpAddress};

use super::ZmqTransport;
use crate::{
    endpoint,
    ipc::{self, Folder, SocketFile},
};

/// Where a socket accepts connections.
#[derive(Debug)]
pub(super) struct Bound {
    given: String,
    actual: String,
    pub(super) file: Option<SocketFile>,
}

impl ZmqTransport {
    pub(super) fn try_bind(&mut self, given: &str) -> Result<String, String> {
        // The same wildcard may be given twice; of anything else the system says that it is in use.
        if self.bound.iter().any(|bound| bound.actual == given) {
            return Err("this socket is already bound there".into());
        }
        let file = match endpoint::supported(Endpoint::parse_bind(given)?)? {
            Endpoint::Tcp { address, .. } => {
                self.bind_tcp(given, &address)?;
                None
            }
            Endpoint::IpcPath(path) => self.bind_file(&path, None)?,
            Endpoint::IpcWildcard => {
                let folder = Folder::create()?;
                self.bind_file(&folder.path().join("socket"), Some(folder))?
            }
            _ => {
                self.socket.bind(given).map_err(endpoint::explain)?;
                None
            }
        };
        let actual = match self.socket.get_last_endpoint() {
            Ok(Ok(endpoint)) => endpoint,
            _ => given.to_string(),
        };
        self.bound.push(Bound { given: given.to_string(), actual: actual.clone(), file });
        Ok(actual)
    }

    fn bind_file(&self, path: &Path, folder: Option<Folder>) -> Result<Option<SocketFile>, String> {
        ipc::make_way(path)?;
        let endpoint = format!("ipc://{}", path.display());
        self.socket.bind(&endpoint).map_err(endpoint::explain)?;
        Ok(SocketFile::adopt(path, folder))
    }

    fn bind_tcp(&self, given: &str, address: &TcpAddress) -> Result<(), String> {
        self.socket.set_ipv6(endpoint::is_ipv6(&address.host)).map_err(endpoint::explain)?;
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

    pub(super) fn try_connect(&mut self, given: &str) -> Result<(), String> {
        let endpoint = endpoint::supported(Endpoint::parse_connect(given)?)?;
        if let Endpoint::Tcp { address, .. } = endpoint {
            let ipv6 = endpoint::needs_ipv6(&address)?;
            self.socket.set_ipv6(ipv6).map_err(endpoint::explain)?;
        }
        self.socket.connect(given).map_err(endpoint::explain)?;
        self.connected.push(given.to_string());
        Ok(())
    }

    pub(super) fn try_unbind(&mut self, given: &str) -> Result<(), String> {
        let found =
            self.bound.iter().position(|bound| bound.actual == given || bound.given == given);
        let bound = self.bound.remove(found.ok_or("this socket is not bound there")?);
        self.socket.unbind(&bound.actual).map_err(endpoint::explain)?;
        self.forget(&bound.actual);
        match bound.file {
            Some(file) => file.remove(),
            None => endpoint::await_release(&bound.actual),
        }
        Ok(())
    }

    pub(super) fn try_disconnect(&mut self, given: &str) -> Result<(), String> {
        let before = self.connected.len();
        self.connected.retain(|connected| connected != given);
        if self.connected.len() == before {
            return Err("this socket is not connected there".into());
        }
        self.socket.disconnect(given).map_err(endpoint::explain)?;
        self.forget(given);
        Ok(())
    }

    fn forget(&mut self, endpoint: &str) {
        if let Some(links) = &mut self.links {
            links.forget(endpoint);
        }
    }

    /// Ends an action on an endpoint: puts its failure into words, and has the waiters look again, for
    /// libzmq may have used up announcements, and there may be room now.
    pub(super) fn conclude<T>(
        &self,
        action: &'static str,
        endpoint: &str,
        result: Result<T, String>,
    ) -> Result<T, EndpointError> {
        self.bell.ring();
        result.map_err(|reason| EndpointError { action, endpoint: endpoint.to_string(), reason })
    }
}
