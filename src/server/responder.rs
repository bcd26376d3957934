//! Answers that come later than their method returns.

use std::sync::{Arc, Weak};

use zerorpc_proto::{Args, Blocked, RequestId};

use super::worker::{self, End};
use crate::{driver::Driver, failure::Failure, request::Caller};

/// Answers one request later, from any thread: with [`reply`](Self::reply) or [`fail`](Self::fail), or with a stream,
/// [`send`](Self::send) by [`send`](Self::send) until [`finish`](Self::finish) or [`fail`](Self::fail). A service gets it
/// by [`Reply::Later`](crate::Reply::Later). What is sent to a caller that has gone is dropped
/// ([`Request::on_lost`](crate::Request::on_lost) tells of it). One that is dropped without an answer fails the request.
///
/// ```
/// use std::thread;
/// use zerorpc::{Args, Client, Methods, Reply, Server};
///
/// let service = Methods::new("patient").raw("double", |request| {
///     let (number,): (i64,) = request.args().decode()?;
///     Ok(Reply::Later(Box::new(move |responder| {
///         thread::spawn(move || responder.reply(Args::encode(&(2 * number)).expect("is a number")));
///     })))
/// });
/// let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
///
/// let client = Client::connect(&server.endpoints()[0])?;
/// assert_eq!(client.call::<i64>("double", (21,))?, 42);
/// # Ok::<(), zerorpc::Error>(())
/// ```
#[must_use = "a request that nobody answers fails"]
pub struct Responder {
    driver: Weak<Driver>,
    id: RequestId,
    caller: Arc<Caller>,
    answered: bool,
}

impl Responder {
    pub(super) fn new(driver: &Driver, id: RequestId, caller: Arc<Caller>) -> Self {
        Self { driver: Weak::clone(&driver.me), id, caller, answered: false }
    }

    /// Answers with one value.
    pub fn reply(self, value: Args) {
        self.end(End::Value(value));
    }

    /// Ends a stream.
    pub fn finish(self) {
        self.end(End::Done);
    }

    /// Answers with an error, also in the middle of a stream.
    pub fn fail(self, failure: Failure) {
        self.end(End::Failure(failure));
    }

    /// Sends an item of a stream.
    ///
    /// # Errors
    /// [`Blocked`] with the item when the caller has granted no credit for it:
    /// [`on_writable`](Self::on_writable) tells when to try again.
    pub fn send(&self, item: Args) -> Result<(), Blocked> {
        let Some(driver) = self.driver.upgrade() else { return Ok(()) };
        let mut state = driver.lock();
        let sent = match state.session.request(self.id) {
            Some(mut request) => request.send(item),
            None => Ok(()),
        };
        if sent.is_ok() {
            driver.send_out(&mut state);
        }
        driver.leave(state);
        sent
    }

    /// Runs `callback` whenever the caller takes items again after [`send`](Self::send) was blocked. It runs on a
    /// thread that others wait for: let it send what there is, and not wait for more.
    pub fn on_writable(&self, callback: impl Fn() + Send + Sync + 'static) {
        self.caller.on_writable(Arc::new(callback));
    }

    fn end(mut self, end: End) {
        self.answered = true;
        self.answer(end);
    }

    fn answer(&self, end: End) {
        let Some(driver) = self.driver.upgrade() else { return };
        let mut state = driver.lock();
        worker::answer(&mut state, self.id, end);
        driver.send_out(&mut state);
        driver.leave(state);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.answered {
            let message = "the method has come to an end without an answer";
            self.answer(End::Failure(Failure::new("NoAnswer", message)));
        }
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").field("id", &self.id).finish_non_exhaustive()
    }
}
