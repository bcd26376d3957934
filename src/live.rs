//! Links of a socket that is at work.

use zerorpc_proto::{EndpointError, Transport, TransportError};

use crate::{
    driver::{Closed, Driver},
    error::Error,
};

/// The links of a client or server that is at work: made and undone without a break. What the others are busy with
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
pub struct LiveLinks<'a>(pub(crate) &'a Driver);

impl LiveLinks<'_> {
    /// Accepts peers at one more endpoint, which is returned with the port that the system chose, if it did.
    ///
    /// # Errors
    /// When the endpoint cannot be bound, or the socket is closed.
    pub fn bind(&self, endpoint: &str) -> Result<String, Error> {
        self.change(endpoint, |transport| transport.bind(endpoint))
    }

    /// Connects to one more endpoint, now and whenever the connection is lost.
    ///
    /// # Errors
    /// When the endpoint cannot be used, or the socket is closed.
    pub fn connect(&self, endpoint: &str) -> Result<(), Error> {
        self.change(endpoint, |transport| transport.connect(endpoint))
    }

    /// Accepts nobody any more at an endpoint, given as it was bound. Connections that were made there stay; libzmq
    /// ends them.
    ///
    /// # Errors
    /// When nothing is bound there, or the socket is closed.
    pub fn unbind(&self, endpoint: &str) -> Result<(), Error> {
        self.change(endpoint, |transport| transport.unbind(endpoint))
    }

    /// Ends the connection to an endpoint, given as it was connected. Calls that are open on it are lost.
    ///
    /// # Errors
    /// When nothing is connected there, or the socket is closed.
    pub fn disconnect(&self, endpoint: &str) -> Result<(), Error> {
        self.change(endpoint, |transport| transport.disconnect(endpoint))
    }

    fn change<T>(
        &self,
        endpoint: &str,
        change: impl FnOnce(&mut dyn Transport) -> Result<T, EndpointError>,
    ) -> Result<T, Error> {
        self.0
            .with_transport(change)
            .map_err(|closed| match closed {
                Closed::ByUser => Error::Closed { endpoint: endpoint.to_owned() },
                Closed::Failed(TransportError(reason)) => Error::Socket(TransportError(reason)),
            })?
            .map_err(Error::Endpoint)
    }
}
