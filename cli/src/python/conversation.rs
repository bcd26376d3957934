//! One call of a Python method, and the stream it may turn out to be.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use zerorpc::Failure;

use super::{frames, process::Process};

/// Credit goes back to the child in batches of this many items or bytes, whichever comes first. Each is at
/// most half of the child's window (`calls.py`), so that a reader who keeps up never stops the stream.
const BATCH_ITEMS: u64 = 32;
const BATCH_BYTES: u64 = 1 << 19;

/// What the child says of one call.
#[derive(Debug)]
pub(super) enum Message {
    Value(Bytes),
    Stream,
    Item(Bytes),
    Done,
    Failure(Failure),
}

/// Where the messages of one call wait. The child's window bounds how many can.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<Message>,
    abandoned: bool,
}

impl Mailbox {
    pub(super) fn put(&self, messages: impl IntoIterator<Item = Message>) {
        self.inbox.lock().messages.extend(messages);
        self.changed.notify_all();
    }

    /// Waits for messages and takes all that there are; none when the call is abandoned first.
    fn take(&self) -> VecDeque<Message> {
        let mut inbox = self.inbox.lock();
        self.changed.wait_while(&mut inbox, |inbox| inbox.messages.is_empty() && !inbox.abandoned);
        if inbox.abandoned { VecDeque::new() } else { std::mem::take(&mut inbox.messages) }
    }

    /// Waits for the next message; `None` when the call is abandoned first, unless that is to be disregarded.
    fn next(&self, regardless: bool) -> Option<Message> {
        let mut inbox = self.inbox.lock();
        let hears = |inbox: &Inbox| inbox.abandoned && !regardless;
        self.changed.wait_while(&mut inbox, |inbox| inbox.messages.is_empty() && !hears(inbox));
        if hears(&inbox) { None } else { inbox.messages.pop_front() }
    }

    fn is_abandoned(&self) -> bool {
        self.inbox.lock().abandoned
    }
}

/// What a method gives back, still encoded.
pub enum Answer {
    /// One value.
    Value(Bytes),
    /// Any number of values.
    Stream(Items),
}

/// Tells a call that its caller has gone; writes nothing and never blocks.
#[derive(Debug, Clone)]
pub struct Abandon(Arc<Mailbox>);

impl Abandon {
    /// Wakes whoever waits for the call.
    pub fn abandon(&self) {
        self.0.inbox.lock().abandoned = true;
        self.0.changed.notify_all();
    }
}

/// A call in progress. Dropping it tells the child that nobody wants the answer.
#[derive(Debug)]
pub struct Conversation {
    number: u64,
    process: Arc<Process>,
    mailbox: Arc<Mailbox>,
}

impl Conversation {
    /// Sends a call; blocks while the child does not read. `None` when the child has died before.
    pub(super) fn begin(process: Arc<Process>, method: &str, arguments: &[u8]) -> Option<Self> {
        let (number, mailbox) = process.enter()?;
        process.tell(|pipe| frames::write_call(&mut { pipe }, number, method, arguments));
        Some(Self { number, process, mailbox })
    }

    /// How others tell that the caller has gone.
    #[must_use]
    pub fn abandoner(&self) -> Abandon {
        Abandon(Arc::clone(&self.mailbox))
    }

    /// Waits for the answer.
    ///
    /// When the call is abandoned meanwhile, an `async` method is cancelled; a plain function cannot be, and
    /// is waited for, so that the number of running methods stays what the server believes it to be.
    ///
    /// # Errors
    /// What the method raised, or `WorkerDied`.
    pub fn wait(self) -> Result<Answer, Failure> {
        let message = match self.mailbox.next(false) {
            Some(message) => Some(message),
            None => {
                self.cancel();
                self.mailbox.next(true)
            }
        };
        match message {
            Some(Message::Value(value)) => Ok(Answer::Value(value)),
            Some(Message::Stream) => Ok(Answer::Stream(Items::new(self))),
            Some(Message::Failure(failure)) => Err(failure),
            Some(Message::Item(_) | Message::Done) | None => {
                Err(Failure::new("WorkerDied", "the Python process answered out of order"))
            }
        }
    }

    fn cancel(&self) {
        self.process.tell(|pipe| frames::write_cancel(&mut { pipe }, self.number));
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if self.process.leave(self.number) {
            self.cancel();
        }
    }
}

/// The items of a stream. Dropping them closes the generator they come from.
#[derive(Debug)]
pub struct Items {
    call: Conversation,
    /// Taken out of the mailbox, and not asked for yet.
    taken: VecDeque<Message>,
    /// Taken since credit was last given back.
    items: u64,
    bytes: u64,
    ended: bool,
}

impl Items {
    fn new(call: Conversation) -> Self {
        Self { call, taken: VecDeque::new(), items: 0, bytes: 0, ended: false }
    }

    fn message(&mut self) -> Option<Message> {
        if self.taken.is_empty() {
            self.taken = self.call.mailbox.take();
        } else if self.call.mailbox.is_abandoned() {
            self.taken.clear();
        }
        self.taken.pop_front()
    }

    fn took(&mut self, size: u64) {
        self.items += 1;
        self.bytes += size;
        if self.items >= BATCH_ITEMS || self.bytes >= BATCH_BYTES {
            let (number, items, bytes) = (self.call.number, self.items, self.bytes);
            self.call
                .process
                .tell(|pipe| frames::write_credit(&mut { pipe }, number, items, bytes));
            (self.items, self.bytes) = (0, 0);
        }
    }
}

impl Iterator for Items {
    type Item = Result<Bytes, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.message() {
            Some(Message::Item(item)) => {
                self.took(item.len() as u64);
                Some(Ok(item))
            }
            Some(Message::Failure(failure)) => {
                self.ended = true;
                Some(Err(failure))
            }
            Some(Message::Done | Message::Stream | Message::Value(_)) | None => {
                self.ended = true;
                None
            }
        }
    }
}
