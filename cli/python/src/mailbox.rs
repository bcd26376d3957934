//! What the child has answered to one call, until somebody takes it.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use zerorpc::Failure;

/// What the child says of one call.
#[derive(Debug)]
pub(super) enum Message {
    Value(Bytes),
    Stream,
    Item(Bytes),
    Done,
    Failure(Failure),
    /// It was not begun, and will not be: the server is stopping.
    GivenBack,
}

/// Where the messages of one call wait. The child's window bounds how many can.
#[derive(Default)]
pub(super) struct Mailbox {
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    /// Nobody waits for the answer any more.
    cancelled: bool,
    /// Who takes messages without waiting for them.
    listener: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Mailbox {
    pub(super) fn put(&self, messages: impl IntoIterator<Item = Message>) {
        let mut inbox = self.inbox.lock();
        inbox.messages.extend(messages);
        let listener = inbox.listener.clone();
        drop(inbox);
        match listener {
            Some(listener) => listener(),
            None => {
                self.changed.notify_all();
            }
        }
    }

    /// Runs `listener` whenever there are new messages, on the thread that reads from the child.
    pub(super) fn listen(&self, listener: Arc<dyn Fn() + Send + Sync>) {
        self.inbox.lock().listener = Some(listener);
    }

    /// The next message, if it is there.
    pub(super) fn try_next(&self) -> Option<Message> {
        self.inbox.lock().messages.pop_front()
    }

    /// Waits for messages and takes all that there are; none when the call is cancelled first.
    pub(super) fn take(&self) -> VecDeque<Message> {
        let mut inbox = self.inbox.lock();
        self.changed.wait_while(&mut inbox, |inbox| inbox.messages.is_empty() && !inbox.cancelled);
        if inbox.cancelled { VecDeque::new() } else { std::mem::take(&mut inbox.messages) }
    }

    /// Waits for the next message, also of a call that is cancelled: it has an end as well.
    pub(super) fn next(&self) -> Option<Message> {
        let mut inbox = self.inbox.lock();
        self.changed.wait_while(&mut inbox, |inbox| inbox.messages.is_empty());
        inbox.messages.pop_front()
    }

    pub(super) fn cancel(&self) {
        self.inbox.lock().cancelled = true;
        self.changed.notify_all();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.inbox.lock().cancelled
    }
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

/// Gives calls back that were not begun: not under the lock.
pub(super) fn give_back(mailboxes: impl IntoIterator<Item = Arc<Mailbox>>) {
    for mailbox in mailboxes {
        mailbox.put([Message::GivenBack]);
    }
}

/// Of calls that nobody has begun, and that nobody will.
pub(super) fn unbegun(why: &str) -> Failure {
    Failure::new("WorkerDied", format!("{why}; this call was not begun"))
}

/// Ends calls with a failure: not under the lock.
pub(super) fn fail(mailboxes: impl IntoIterator<Item = Arc<Mailbox>>, failure: &Failure) {
    for mailbox in mailboxes {
        mailbox.put([Message::Failure(failure.clone())]);
    }
}
