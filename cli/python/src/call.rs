//! One call of a Python method, and the stream it may turn out to be.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use zerorpc::Failure;

use super::{
    mailbox::{Mailbox, Message, unbegun},
    shared::Shared,
    window::Window,
};

/// What a method gives back, still encoded.
// Exhaustive: a call ends with a value or is a stream, and who takes one has to take the other.
#[derive(Debug)]
pub enum PythonAnswer {
    /// One value.
    Value(Bytes),
    /// Any number of values.
    Stream(PythonItems),
}

/// A call in progress. Dropping it tells the child that nobody wants the answer.
#[derive(Debug)]
pub struct PythonCall {
    number: u64,
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    /// What the child may make of the stream, once it has become one.
    window: Option<Window>,
}

/// Tells a call that its caller has gone; never blocks.
#[derive(Debug, Clone)]
pub struct CancelHandle {
    number: u64,
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
}

impl CancelHandle {
    /// A call that was not begun never will be; an `async` method and a stream are ended. A plain function runs to
    /// its end.
    pub fn cancel(&self) {
        self.mailbox.cancel();
        self.shared.cancel(self.number);
    }
}

impl PythonCall {
    pub(super) fn new(number: u64, shared: Arc<Shared>, mailbox: Arc<Mailbox>) -> Self {
        Self { number, shared, mailbox, window: None }
    }

    /// How others tell that the caller has gone.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        let Self { number, shared, mailbox, .. } = self;
        CancelHandle { number: *number, shared: Arc::clone(shared), mailbox: Arc::clone(mailbox) }
    }

    /// Waits for the answer. A plain function that is running when the call is cancelled is waited for.
    ///
    /// # Errors
    /// What the method raised, `CancelledError`, or `WorkerDied`.
    pub fn wait(self) -> Result<PythonAnswer, Failure> {
        match self.mailbox.next() {
            Some(Message::Value(value)) => Ok(PythonAnswer::Value(value)),
            Some(Message::Stream) => Ok(PythonAnswer::Stream(PythonItems::new(self))),
            Some(Message::Failure(failure)) => Err(failure),
            Some(Message::GivenBack) => Err(unbegun("the server is shutting down")),
            Some(Message::Item(_) | Message::Done) | None => {
                Err(Failure::new("WorkerDied", "the Python process answered out of order"))
            }
        }
    }

    /// Runs `listener` whenever there are new messages; what is there already it is not told.
    pub(super) fn listen(&self, listener: Arc<dyn Fn() + Send + Sync>) {
        self.mailbox.listen(listener);
    }

    /// The next message, if it is there.
    pub(super) fn try_next(&self) -> Option<Message> {
        self.mailbox.try_next()
    }

    /// It is a stream.
    pub(super) fn begin_stream(&mut self) {
        self.window = Some(Window::new());
        self.shared.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// So many items and bytes have left for the caller.
    pub(super) fn took(&mut self, items: usize, bytes: usize) {
        if let Some(window) = &mut self.window {
            window.take(items, bytes);
        }
    }

    /// Lets the child make more, if it is time to, and the caller takes more.
    pub(super) fn go_on(&mut self, has_room: impl FnOnce() -> bool) {
        if let Some(window) = &mut self.window
            && window.is_low()
            && has_room()
        {
            let credit = window.refill(self.shared.streams.load(Ordering::Relaxed));
            self.shared.grant(self.number, credit);
        }
    }
}

impl Drop for PythonCall {
    fn drop(&mut self) {
        if self.window.is_some() {
            self.shared.streams.fetch_sub(1, Ordering::Relaxed);
        }
        self.shared.cancel(self.number);
    }
}

/// The items of a stream. Dropping them closes the generator they come from.
#[derive(Debug)]
pub struct PythonItems {
    call: PythonCall,
    /// Taken out of the mailbox, and not asked for yet.
    taken: VecDeque<Message>,
    ended: bool,
}

impl PythonItems {
    fn new(mut call: PythonCall) -> Self {
        call.begin_stream();
        Self { call, taken: VecDeque::new(), ended: false }
    }

    fn message(&mut self) -> Option<Message> {
        if self.taken.is_empty() {
            self.taken = self.call.mailbox.take();
        } else if self.call.mailbox.is_cancelled() {
            self.taken.clear();
        }
        self.taken.pop_front()
    }
}

impl Iterator for PythonItems {
    type Item = Result<Bytes, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.message() {
            Some(Message::Item(item)) => {
                self.call.took(1, item.len());
                self.call.go_on(|| true);
                Some(Ok(item))
            }
            Some(Message::Failure(failure)) => {
                self.ended = true;
                Some(Err(failure))
            }
            Some(Message::Done | Message::Stream | Message::Value(_) | Message::GivenBack)
            | None => {
                self.ended = true;
                None
            }
        }
    }
}
