//! Answers that come later than their method returns.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use zerorpc_proto::{Args, Blocked, RequestId};

use crate::{failure::Failure, request::Caller};

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
    answers: Weak<dyn Answers>,
    id: RequestId,
    caller: Arc<Caller>,
    answered: bool,
}

impl Responder {
    pub(crate) fn new(answers: Weak<dyn Answers>, id: RequestId, caller: Arc<Caller>) -> Self {
        Self { answers, id, caller, answered: false }
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
        match self.answers() {
            Some(answers) => answers.send_all(self.id, items),
            None => items.clear(),
        }
    }

    /// Whether [`send`](Self::send) would take an item now, so that none has to be made in vain. If not,
    /// [`on_writable`](Self::on_writable) tells when it will, as if one had been blocked.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.answers().is_some_and(|answers| answers.has_room(self.id))
    }

    /// Runs `callback` whenever the caller takes items again after [`send`](Self::send) was blocked. It runs on a
    /// thread that others wait for: let it send what there is, and not wait for more.
    pub fn on_writable(&self, callback: impl Fn() + Send + Sync + 'static) {
        self.caller.on_writable(Arc::new(callback));
    }

    /// Whom the answer goes through: nobody, once the socket is closed.
    fn answers(&self) -> Option<Arc<dyn Answers>> {
        self.answers.upgrade()
    }

    fn end(mut self, end: End) {
        self.answered = true;
        self.give(end);
    }

    fn give(&self, end: End) {
        if let Some(answers) = self.answers() {
            answers.end(self.id, end);
        }
    }
}

/// How the answer to a request ends.
pub(crate) enum End {
    Value(Args),
    Done,
    Failure(Failure),
    /// Nothing was done about it.
    Refusal,
}

impl End {
    /// Gives it to the session.
    pub(crate) fn give(self, request: zerorpc_proto::Request<'_>) {
        match self {
            Self::Value(value) => {
                if let Err(stream_has_begun) = request.reply(value) {
                    tracing::warn!("an answer is dropped: {stream_has_begun}");
                }
            }
            Self::Done => request.finish(),
            Self::Refusal => request.refuse(),
            Self::Failure(failure) => request.fail(failure.into()),
        }
    }
}

/// Where answers go that come later.
pub(crate) trait Answers: Send + Sync {
    /// Takes items of a stream, as many of the first as there is room for.
    fn send_all(&self, id: RequestId, items: &mut VecDeque<Args>);

    /// Whether there is room for an item; if not, the request's caller is told when there is.
    fn has_room(&self, id: RequestId) -> bool;

    /// Takes a request's last answer.
    fn end(&self, id: RequestId, end: End);
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.answered {
            let message = "the method has come to an end without an answer";
            self.give(End::Failure(Failure::new("NoAnswer", message)));
        }
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").field("id", &self.id).finish_non_exhaustive()
    }
}
