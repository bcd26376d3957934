//! What the threads of these sockets have in common.

use std::sync::mpsc::Sender;

use zerorpc_proto::transport::{MonitorEvent, Transport, TransportError};

use crate::{
    error::Error,
    sync::{JoinHandle, thread},
};

/// Nothing is received here, but asking is what lets a socket work.
pub(super) fn after_send(transport: &mut dyn Transport) -> Result<(), TransportError> {
    while transport.receive()?.is_some() {}
    while transport.poll_peer().is_some() {}
    Ok(())
}

pub(super) fn emit(monitor: Option<&Sender<MonitorEvent>>, transport: &mut dyn Transport) {
    while let Some(monitor) = monitor
        && let Some(event) = transport.poll_monitor()
    {
        // Somebody who has stopped to listen hears nothing.
        let _nobody_listens = monitor.send(event);
    }
}

pub(super) fn spawn(
    name: &str,
    run: impl FnOnce() -> Result<(), TransportError> + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.into())
        .spawn(move || run().unwrap_or_else(|error| tracing::error!("{error}")))
        .map_err(|error| Error::Thread(error.to_string()))
}
