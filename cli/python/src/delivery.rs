//! From the mailbox of a call to whoever has called: no thread waits on the way.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use zerorpc::{Args, Failure, Responder};

use super::{call::PythonCall, mailbox::Message};

/// Passes on what a call answers as soon as it comes and its caller takes it. Lives as long as the call.
pub(super) struct Delivery {
    /// Gone with the last answer.
    open: Mutex<Option<Open>>,
    /// There may be something that was not passed on.
    is_due: AtomicBool,
}

struct Open {
    call: PythonCall,
    /// Gone with the last answer.
    responder: Option<Responder>,
    /// Items that were not sent yet: the caller had no credit for them.
    items: VecDeque<Args>,
    /// What comes behind them.
    last: Option<Last>,
}

/// Gives the last answer.
type Last = Box<dyn FnOnce(Responder) + Send>;

/// What becomes of a delivery after a message.
enum Next {
    /// There is no message, or no credit.
    Later,
    Ended,
}

impl Delivery {
    /// Answers by `responder` from now on.
    pub(super) fn start(call: PythonCall, responder: Responder) {
        let delivery = Arc::new_cyclic(|me: &Weak<Self>| {
            let this = Weak::clone(me);
            responder.on_writable(move || {
                if let Some(delivery) = this.upgrade() {
                    delivery.run();
                }
            });
            let open =
                Some(Open { call, responder: Some(responder), items: VecDeque::new(), last: None });
            Self { open: Mutex::new(open), is_due: AtomicBool::new(false) }
        });
        let listener = Arc::clone(&delivery);
        if let Some(open) = delivery.open.lock().as_ref() {
            open.call.listen(Arc::new(move || listener.run()));
        }
        delivery.run();
    }

    /// Passes on what can be. Whoever comes meanwhile, from another thread or from within, leaves it to this one.
    fn run(&self) {
        self.is_due.store(true, Ordering::SeqCst);
        while self.is_due.load(Ordering::SeqCst) {
            let Some(mut open) = self.open.try_lock() else { return };
            self.is_due.store(false, Ordering::SeqCst);
            let ended = match open.as_mut().map_or(Next::Later, Open::pass_on) {
                Next::Later => None,
                Next::Ended => open.take(),
            };
            drop(open);
            // It tells the child, which takes a lock.
            drop(ended);
        }
    }
}

impl Open {
    fn pass_on(&mut self) -> Next {
        let last = self.take();
        if let Some(responder) = &self.responder
            && !self.items.is_empty()
        {
            let count = self.items.len();
            let size: usize = self.items.iter().map(|item| item.as_bytes().len()).sum();
            responder.send_all(&mut self.items);
            let left: usize = self.items.iter().map(|item| item.as_bytes().len()).sum();
            self.call.took(count - self.items.len(), size - left);
        }
        self.last = last.or(self.last.take());
        if !self.items.is_empty() {
            return Next::Later;
        }
        if let Some(responder) = &self.responder
            && self.last.is_none()
        {
            self.call.go_on(|| responder.has_room());
        }
        match (self.last.take(), self.responder.take()) {
            (Some(last), Some(responder)) => {
                last(responder);
                Next::Ended
            }
            (None, responder) => {
                self.responder = responder;
                Next::Later
            }
            (Some(_), None) => Next::Ended,
        }
    }

    /// Takes all messages: items are kept, the last answer is given back.
    fn take(&mut self) -> Option<Last> {
        loop {
            return Some(match self.call.try_next()? {
                Message::Stream => {
                    self.call.begin_stream();
                    continue;
                }
                Message::Item(item) => match checked(item) {
                    Ok(item) => {
                        self.items.push_back(item);
                        continue;
                    }
                    Err(failure) => Box::new(|responder| responder.fail(failure)),
                },
                Message::Value(value) => match checked(value) {
                    Ok(value) => Box::new(|responder| responder.reply(value)),
                    Err(failure) => Box::new(|responder| responder.fail(failure)),
                },
                Message::Done => Box::new(Responder::finish),
                Message::Failure(failure) => Box::new(|responder| responder.fail(failure)),
                Message::GivenBack => Box::new(Responder::refuse),
            });
        }
    }
}

fn checked(value: Bytes) -> Result<Args, Failure> {
    Ok(Args::from_bytes(value)?)
}
