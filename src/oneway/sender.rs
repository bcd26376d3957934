//! Sockets that only send.

use std::{
    sync::{Arc, mpsc::Sender},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};
use zerorpc_proto::{
    Args, Context, DEFAULT_TIMEOUT, OneWayWriter,
    transport::{
        EndpointError, MonitorEvent, SocketKind, Transport, TransportError, Waiter, Waker,
    },
};

use super::thread::{after_send, emit, spawn};
use crate::{
    driver::Closed,
    error::Error,
    home::Home,
    link_control::Linked,
    socket::{Endpoints, Parts, SocketConfig, seed},
    sync::JoinHandle,
    thread::join,
};

/// A socket that only sends, and the thread that looks after its connections.
pub(super) struct OneWaySender {
    home: Home,
    shared: Arc<Shared>,
    pub(super) endpoints: Endpoints,
    waker: Box<dyn Waker>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    /// Notified when there may be room again.
    room_cv: Condvar,
}

struct Inner {
    sender: OneWayWriter,
    /// Gone once the socket is closed, or has failed.
    transport: Option<Box<dyn Transport>>,
    closed: bool,
    /// Why nobody looks after the socket any more.
    failed: Option<TransportError>,
}

impl OneWaySender {
    pub(super) fn open(kind: SocketKind, config: &SocketConfig) -> Result<Self, Error> {
        let (parts, endpoints) = config.open(kind)?;
        let Parts { transport, waiter, waker, monitor } = parts;
        let inner = Inner {
            sender: OneWayWriter::new(seed()?),
            transport: Some(transport),
            closed: false,
            failed: None,
        };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), room_cv: Condvar::new() });
        let watched = Arc::clone(&shared);
        let thread = spawn("zerorpc-sender", move || {
            let ended = watched.watch(waiter, monitor.as_ref());
            if let Err(error) = &ended {
                watched.fail(error);
            }
            ended
        })?;
        Ok(Self { home: Home::here(), shared, endpoints, waker, thread: Some(thread) })
    }

    pub(super) fn send(&self, method: &str, args: &Args, context: &Context) -> Result<(), Error> {
        let now = Instant::now();
        if self.home.is_elsewhere_at(now) {
            return Err(Error::Forked { endpoint: self.endpoints.to_string() });
        }
        let deadline = now + DEFAULT_TIMEOUT;
        let mut guard = self.shared.inner.lock();
        loop {
            let Inner { sender, transport, closed, failed } = &mut *guard;
            if let Some(error) = failed {
                return Err(Error::Socket(error.clone()));
            }
            let Some(transport) = transport.as_mut().filter(|_| !*closed) else {
                return Err(Error::Closed { endpoint: self.endpoints.to_string() });
            };
            let mut has_room = transport.can_send();
            if !has_room {
                after_send(transport.as_mut())?;
                has_room = transport.can_send();
            }
            if has_room {
                transport.send(sender.event(method, args, context)?)?;
                after_send(transport.as_mut())?;
                // There may be more room, which was announced to nobody else.
                self.shared.room_cv.notify_one();
                return Ok(());
            }
            if let Some(reason) = transport.denial() {
                return Err(Error::Denied {
                    method: method.to_owned(),
                    reason: reason.to_string(),
                });
            }
            if self.shared.room_cv.wait_until(&mut guard, deadline).timed_out() {
                let reason = format!("no puller with room is connected at {}", self.endpoints);
                let (method, after) = (method.to_owned(), DEFAULT_TIMEOUT);
                return Err(Error::Unreachable { method, after, reason });
            }
        }
    }

    /// Closes the socket. Its thread lingers for what was not sent yet.
    pub(super) fn close(&self) {
        if self.home.is_elsewhere() {
            return;
        }
        self.shared.inner.lock().closed = true;
        self.shared.room_cv.notify_all();
        self.waker.wake();
    }
}

impl Linked for OneWaySender {
    fn change(
        &self,
        how: &mut dyn FnMut(&mut dyn Transport) -> Result<String, EndpointError>,
    ) -> Result<Result<String, EndpointError>, Closed> {
        if self.home.is_elsewhere() {
            return Err(Closed::Forked);
        }
        let mut inner = self.shared.inner.lock();
        let Inner { transport, closed, .. } = &mut *inner;
        let transport = transport.as_mut().filter(|_| !*closed).ok_or(Closed::ByUser)?;
        let changed = how(transport.as_mut());
        after_send(transport.as_mut()).map_err(Closed::Failed)?;
        drop(inner);
        // There may be room now; and whoever watches has something else to wait for.
        self.shared.room_cv.notify_all();
        self.waker.wake();
        Ok(changed)
    }
}

impl Shared {
    /// Waits for the socket, and lets it do what it can, until it is closed.
    fn watch(
        &self,
        mut waiter: Box<dyn Waiter>,
        monitor: Option<&Sender<MonitorEvent>>,
    ) -> Result<(), TransportError> {
        loop {
            {
                let mut inner = self.inner.lock();
                if inner.closed {
                    let transport = inner.transport.take();
                    drop(inner);
                    // Lingers for what was not sent yet.
                    drop(transport);
                    return Ok(());
                }
                let Some(transport) = &mut inner.transport else { return Ok(()) };
                after_send(transport.as_mut())?;
                emit(monitor, transport.as_mut());
                self.room_cv.notify_all();
            }
            waiter.wait_until(None)?;
        }
    }

    /// Nobody looks after the socket any more: senders hear why.
    fn fail(&self, error: &TransportError) {
        self.inner.lock().failed = Some(error.clone());
        self.room_cv.notify_all();
    }
}

impl Drop for OneWaySender {
    fn drop(&mut self) {
        if self.home.is_elsewhere() {
            return std::mem::forget((Arc::clone(&self.shared), self.thread.take()));
        }
        self.close();
        join(self.thread.take());
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn who_waits_for_room_hears_that_nobody_looks_after_the_socket() {
        let config = SocketConfig::new().bind("tcp://127.0.0.1:*");
        let sender = OneWaySender::open(SocketKind::Push, &config).expect("a socket");
        let begun = Instant::now();
        let answer = thread::scope(|scope| {
            let waiting = scope.spawn(|| sender.send("f", &Args::NONE, &Context::new()));
            thread::sleep(Duration::from_millis(10));
            sender.shared.fail(&TransportError::new("the disk is on fire"));
            waiting.join().expect("no panic")
        });
        assert!(matches!(&answer, Err(Error::Socket(error)) if error.to_string().contains("fire")));
        assert!(begun.elapsed() < DEFAULT_TIMEOUT);
    }
}
