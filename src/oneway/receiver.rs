//! Sockets that only receive.

use std::{
    mem::{Discriminant, discriminant},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use zerorpc_proto::{
    Limits, Malformed, Multipart, RateLimited, read_one_way,
    transport::{Principal, SocketKind, Waker},
};

use super::thread::{emit, spawn};
use crate::{
    error::Error,
    home::Home,
    request::{Caller, Request, anonymous},
    service::Service,
    socket::{Endpoints, Parts, SocketConfig},
    sync::JoinHandle,
    thread::join,
};

/// A socket that only receives, and the thread that runs what comes.
pub(super) struct OneWayReceiver {
    pub(super) endpoints: Endpoints,
    home: Home,
    closing: Arc<AtomicBool>,
    waker: Box<dyn Waker>,
    thread: Option<JoinHandle<()>>,
}

impl OneWayReceiver {
    pub(super) fn open(
        kind: SocketKind,
        config: &SocketConfig,
        service: impl Service,
    ) -> Result<Self, Error> {
        let (parts, endpoints) = config.open(kind)?;
        let Parts { mut transport, mut waiter, waker, monitor } = parts;
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let mut complaints = RateLimited::default();
        let run = move || {
            while !closed.load(Ordering::Acquire) {
                match transport.receive()? {
                    Some((from, message)) => {
                        let peer = transport.principal(from).unwrap_or_else(anonymous);
                        take(&service, &message, peer, &mut complaints);
                    }
                    None => {
                        while transport.poll_peer().is_some() {}
                        emit(monitor.as_ref(), transport.as_mut());
                        waiter.wait_until(None)?;
                    }
                }
            }
            Ok(())
        };
        let thread = spawn("zerorpc-receiver", run)?;
        Ok(Self { endpoints, home: Home::here(), closing, waker, thread: Some(thread) })
    }
}

impl Drop for OneWayReceiver {
    fn drop(&mut self) {
        if self.home.is_elsewhere() {
            return std::mem::forget(self.thread.take());
        }
        self.closing.store(true, Ordering::Release);
        self.waker.wake();
        join(self.thread.take());
    }
}

/// Runs the method that an event names.
fn take(
    service: &impl Service,
    message: &Multipart,
    peer: Arc<Principal>,
    complaints: &mut RateLimited<Discriminant<Malformed>>,
) {
    let event = match read_one_way(message, &Limits::default()) {
        Ok(event) => event,
        Err(malformed) => {
            return match complaints.admit(Instant::now(), discriminant(&malformed)) {
                Some(0) => tracing::warn!("an event was dropped: {malformed}"),
                Some(alike) => tracing::warn!(alike, "an event was dropped: {malformed}"),
                None => tracing::debug!("an event was dropped: {malformed}"),
            };
        }
    };
    let request =
        Request::new(event.name, event.args, event.header.context, peer, Arc::<Caller>::default());
    match catch_unwind(AssertUnwindSafe(|| service.call(&request))) {
        Ok(Ok(_)) => {}
        Ok(Err(failure)) => tracing::warn!("{}: {failure}", request.method()),
        Err(_) => tracing::error!("{} panicked", request.method()),
    }
}
