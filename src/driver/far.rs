//! A transport without a socket, for tests of the driver.

use std::time::Instant;

use zerorpc_proto::{
    Multipart, Notice, PeerEvent, PeerId, Session, Transmit,
    transport::{EndpointError, Flow, Transport, TransportError},
};

/// What messages meet on the other side of a transport.
pub(super) trait Far: Send {
    /// Whether sending uses up the announcement of what has arrived.
    fn hides_arrivals(&self) -> bool {
        false
    }

    fn take(&mut self, _: Transmit) {}

    fn bring(&mut self) -> Option<Multipart>;
}

/// A transport that is always ready.
pub(super) struct Over<F>(pub(super) F);

impl<F: Far> Transport for Over<F> {
    fn bind(&mut self, endpoint: &str) -> Result<String, EndpointError> {
        Ok(endpoint.to_owned())
    }

    fn connect(&mut self, _: &str) -> Result<(), EndpointError> {
        Ok(())
    }

    fn unbind(&mut self, _: &str) -> Result<(), EndpointError> {
        Ok(())
    }

    fn disconnect(&mut self, _: &str) -> Result<(), EndpointError> {
        Ok(())
    }

    fn can_send(&mut self) -> bool {
        true
    }

    fn send(&mut self, message: Transmit) -> Result<Flow, TransportError> {
        self.0.take(message);
        Ok(Flow::Clear)
    }

    fn sending_hides_arrivals(&self) -> bool {
        self.0.hides_arrivals()
    }

    fn receive(&mut self) -> Result<Option<(PeerId, Multipart)>, TransportError> {
        Ok(self.0.bring().map(|message| (PeerId::NAMELESS, message)))
    }

    fn poll_peer(&mut self) -> Option<PeerEvent> {
        None
    }
}

/// Has a server answer a request with its arguments: what it sends.
pub(super) fn echo(server: &mut Session, request: &Transmit) -> Vec<Multipart> {
    let request = Multipart::direct(request.payload.to_bytes());
    server.handle_message(Instant::now(), PeerId::NAMELESS, request);
    assert_eq!(server.misbehaviours(), 0, "a message of ours");
    while let Some(notice) = server.poll_notice() {
        if let Notice::Requested(id) = notice {
            let mut request = server.request(id).expect("it was asked just now");
            let args = request.take_args();
            request.reply(args).expect("it has no items");
        }
    }
    let sent = std::iter::from_fn(|| server.poll_transmit());
    sent.map(|answer| Multipart::direct(answer.payload.to_bytes())).collect()
}
