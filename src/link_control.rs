//! Links of a socket that is at work.

use zerorpc_proto::transport::{AcceptStats, EndpointError, Transport};

use crate::{
    driver::{Closed, Driver},
    error::Error,
    socket::{Endpoints, Link},
};

/// A socket whose links can be changed while it is at work.
pub(crate) trait Linked {
    /// Does something with the transport, and whatever follows from it.
    fn change(
        &self,
        how: &mut dyn FnMut(&mut dyn Transport) -> Result<String, EndpointError>,
    ) -> Result<Result<String, EndpointError>, Closed>;
}

impl Linked for Driver {
    fn change(
        &self,
        how: &mut dyn FnMut(&mut dyn Transport) -> Result<String, EndpointError>,
    ) -> Result<Result<String, EndpointError>, Closed> {
        self.with_transport(how)
    }
}

/// The links of a socket that is at work: made and undone without a break. What the others are busy with
/// goes on.
///
/// ```
/// # use zerorpc::{Client, Methods, Server};
/// let service = || Methods::new("greeter").method("greet", || Ok("hello"));
/// let [old, new] = [(); 2].map(|()| {
///     Server::builder().service(service()).bind("tcp://127.0.0.1:*").build().expect("a server")
/// });
/// let client = Client::connect(&old.endpoints()[0])?;
/// client.links().connect(&new.endpoints()[0])?;
/// client.links().disconnect(&old.endpoints()[0])?;
/// drop(old);
/// assert_eq!(client.call::<String>("greet", ())?, "hello");
/// # Ok::<(), zerorpc::Error>(())
/// ```
pub struct LinkControl<'a> {
    pub(crate) socket: &'a dyn Linked,
    /// Those that the socket was opened with.
    pub(crate) endpoints: &'a Endpoints,
}

impl LinkControl<'_> {
    /// Accepts peers at one more endpoint, which is returned with the port that the system chose, if it did.
    ///
    /// # Errors
    /// When the endpoint cannot be bound, or the socket is closed.
    pub fn bind(&self, endpoint: &str) -> Result<String, Error> {
        let bound = self.change(endpoint, |transport| transport.bind(endpoint))?;
        self.endpoints.warn_of_passwords(&Link::Bind(endpoint.to_owned()));
        Ok(bound)
    }

    /// Connects to one more endpoint, now and whenever the connection is lost.
    ///
    /// # Errors
    /// When the endpoint cannot be used, or the socket is closed.
    pub fn connect(&self, endpoint: &str) -> Result<(), Error> {
        self.change(endpoint, |transport| transport.connect(endpoint).map(|()| String::new()))?;
        self.endpoints.warn_of_passwords(&Link::Connect(endpoint.to_owned()));
        Ok(())
    }

    /// Accepts nobody any more at an endpoint, given as it was bound. Connections that were made there stay; libzmq
    /// ends them.
    ///
    /// # Errors
    /// When nothing is bound there, or the socket is closed.
    pub fn unbind(&self, endpoint: &str) -> Result<(), Error> {
        self.change(endpoint, |transport| transport.unbind(endpoint).map(|()| String::new()))
            .map(drop)
    }

    /// Ends all connections to an endpoint, given as it was connected. Calls that are open on them are lost.
    ///
    /// # Errors
    /// When nothing is connected there, or the socket is closed.
    pub fn disconnect(&self, endpoint: &str) -> Result<(), Error> {
        self.change(endpoint, |transport| transport.disconnect(endpoint).map(|()| String::new()))
            .map(drop)
    }

    /// What became of the connections that peers have made to this socket: how many stand, were refused, and failed in
    /// their handshake, and why. `None` over libzmq, which does not tell.
    ///
    /// ```
    /// # use zerorpc::{Client, Methods, Server};
    /// # let service = Methods::new("greeter").method("greet", || Ok("hello"));
    /// let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
    /// let client = Client::connect(&server.endpoints()[0])?;
    /// client.call::<String>("greet", ())?;
    /// if let Some(stats) = server.links().accept_stats()? {
    ///     assert_eq!((stats.connections, stats.established, stats.failed.total()), (1, 1, 0));
    /// }
    /// # Ok::<(), zerorpc::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the socket is closed.
    pub fn accept_stats(&self) -> Result<Option<AcceptStats>, Error> {
        let mut stats = None;
        self.change("", |transport| {
            stats = transport.accept_stats();
            Ok(String::new())
        })?;
        Ok(stats)
    }

    fn change(
        &self,
        endpoint: &str,
        mut how: impl FnMut(&mut dyn Transport) -> Result<String, EndpointError>,
    ) -> Result<String, Error> {
        self.socket
            .change(&mut how)
            .map_err(|closed| match closed {
                Closed::ByUser => Error::Closed { endpoint: endpoint.to_owned() },
                Closed::Forked => Error::Forked { endpoint: endpoint.to_owned() },
                Closed::Failed(error) => Error::Socket(error),
            })?
            .map_err(Error::Endpoint)
    }
}
