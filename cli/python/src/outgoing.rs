//! Sockets that served code opens: they live here, and are worked through frames.
//!
//! One thread, the dispatcher, does all of it: it takes what the child sends, polls the calls that are under way, and is the
//! only one to write to the child. So whoever reads from the child never waits, neither for a peer nor for a child that
//! does not read, and what concerns one call stays in order.

mod answers;
mod dispatcher;
mod emitter;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod orders;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;

use dispatcher::Dispatcher;
use event::Event;

/// How long the end may take: a pusher lingers for a second, for what was not sent yet. Not measured: twice that.
const GRACE: Duration = Duration::from_secs(2);

/// The sockets of one child, and the calls that it makes through them.
#[derive(Debug)]
pub(super) struct Outgoing {
    events: Sender<Event>,
    /// Hangs up when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl Outgoing {
    /// Starts the thread that everything is done in. `send` writes a frame to the child (kind, number, body); it may
    /// wait for a child that is slow to read.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn new(send: impl Fn(u8, u64, Bytes) + Send + 'static) -> io::Result<Self> {
        let (events, inbox) = channel();
        let (guard, ended) = channel();
        let dispatcher = Dispatcher::new(Box::new(send), events.clone());
        thread::Builder::new().name("zerorpc-outgoing".into()).spawn(move || {
            dispatcher.run(&inbox);
            drop::<Sender<()>>(guard);
        })?;
        Ok(Self { events, ended: Mutex::new(ended) })
    }

    /// Takes a frame from the child; never waits.
    pub(super) fn handle(&self, kind: u8, number: u64, body: Bytes) {
        // Fails after the end only, when nobody waits for anything.
        let _ = self.events.send(Event::Frame { kind, number, body });
    }

    /// Closes all sockets; takes a moment at most. Calls that are under way are dropped.
    pub(super) fn close_all(&self) {
        let _ = self.events.send(Event::Close);
        // Ends by hanging up; a peer or child that makes it last longer is not waited for.
        let _ = self.ended.lock().recv_timeout(GRACE);
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.close_all();
    }
}
