//! Answers that come later than their method returns.

use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Instant,
};

use zerorpc_proto::{Args, Blocked, RequestId};

use super::worker::{self, End};
use crate::{
    driver::{Driver, Guard},
    failure::Failure,
    request::Caller,
};

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

    /// Turns the request down, as this server is stopping and has not begun with it: clients of this crate send it to
    /// another server, others get the error `ServerStopping`.
    pub fn refuse(self) {
        self.end(End::Refusal);
    }

    /// Sends an item of a stream.
    ///
    /// # Errors
    /// [`Blocked`] with the item when the caller has granted no credit for it:
    /// [`on_writable`](Self::on_writable) tells when to try again.
    pub fn send(&self, item: Args) -> Result<(), Blocked> {
        let mut items = VecDeque::from([item]);
        self.send_all(&mut items);
        items.pop_front().map_or(Ok(()), |item| Err(Blocked(item)))
    }

    /// Sends items of a stream together, as many of the first as the caller has granted credit for; the others stay.
    pub fn send_all(&self, items: &mut VecDeque<Args>) {
        let Some(driver) = self.driver() else { return items.clear() };
        let mut state = driver.lock();
        match state.session.request(self.id) {
            Some(mut request) => {
                while let Some(item) = items.pop_front() {
                    if let Err(Blocked(item)) = request.send(item) {
                        items.push_front(item);
                        break;
                    }
                }
            }
            None => items.clear(),
        }
        self.send_out(&driver, state);
    }

    /// Runs `callback` whenever the caller takes items again after [`send`](Self::send) was blocked. It runs on a
    /// thread that others wait for: let it send what there is, and not wait for more.
    pub fn on_writable(&self, callback: impl Fn() + Send + Sync + 'static) {
        self.caller.on_writable(Arc::new(callback));
    }

    /// Whom the answer goes through: nobody, once the socket is closed, or in a forked child.
    fn driver(&self) -> Option<Arc<Driver>> {
        self.driver.upgrade().filter(|driver| !driver.home.is_elsewhere_at(Instant::now()))
    }

    fn end(mut self, end: End) {
        self.answered = true;
        self.answer(end);
    }

    fn answer(&self, end: End) {
        let Some(driver) = self.driver() else { return };
        let mut state = driver.lock();
        worker::answer(&mut state, self.id, end);
        self.send_out(&driver, state);
    }

    fn send_out(&self, driver: &Driver, mut state: Guard<'_>) {
        let is_put_off = TOGETHER.with_borrow_mut(|together| match together {
            Some(drivers) => {
                if !drivers.iter().any(|other| Weak::ptr_eq(other, &self.driver)) {
                    drivers.push(Weak::clone(&self.driver));
                }
                true
            }
            None => false,
        });
        if !is_put_off {
            driver.send_out(&mut state);
        }
    }
}

thread_local! {
    /// The sockets that have something to send when [`send_together`] ends.
    static TOGETHER: RefCell<Option<Vec<Weak<Driver>>>> = const { RefCell::new(None) };
}

/// Runs `action`, and sends what [`Responder`]s are given in it, on this thread, at its end: with few system calls where
/// many answers have come together. It should not wait for anything.
pub fn send_together<T>(action: impl FnOnce() -> T) -> T {
    /// Sends also when `action` panics.
    struct Sending;

    impl Drop for Sending {
        fn drop(&mut self) {
            for driver in TOGETHER.take().into_iter().flatten().filter_map(|it| it.upgrade()) {
                driver.send_out(&mut driver.lock());
            }
        }
    }

    if TOGETHER.with_borrow(Option::is_some) {
        return action();
    }
    TOGETHER.set(Some(Vec::new()));
    let _sending = Sending;
    action()
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
