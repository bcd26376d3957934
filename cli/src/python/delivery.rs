//! From the mailbox of a call to whoever has called: no thread waits on the way.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;
use zerorpc::{Args, Blocked, Failure, Responder};

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
    /// An item that the caller had no credit for.
    blocked: Option<Args>,
}

/// What becomes of a delivery after a message.
enum Next {
    Again,
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
            let open = Some(Open { call, responder: Some(responder), blocked: None });
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
            let ended = loop {
                match open.as_mut().map_or(Next::Later, Open::pass_on) {
                    Next::Again => {}
                    Next::Later => break None,
                    Next::Ended => break open.take(),
                }
            };
            drop(open);
            // It tells the child, which takes a lock.
            drop(ended);
        }
    }
}

impl Open {
    fn pass_on(&mut self) -> Next {
        let Some(item) = self.blocked.take().or_else(|| self.next_item()) else {
            return if self.responder.is_some() { Next::Later } else { Next::Ended };
        };
        let Some(responder) = &self.responder else { return Next::Ended };
        let size = item.as_bytes().len();
        match responder.send(item) {
            Ok(()) => {
                self.call.took(size);
                Next::Again
            }
            Err(Blocked(item)) => {
                self.blocked = Some(item);
                Next::Later
            }
        }
    }

    /// The next item of a stream; a last answer is given here.
    fn next_item(&mut self) -> Option<Args> {
        loop {
            let answer: Box<dyn FnOnce(Responder)> = match self.call.try_next()? {
                Message::Stream => continue,
                Message::Item(item) => match checked(item) {
                    Ok(item) => return Some(item),
                    Err(failure) => Box::new(|responder| responder.fail(failure)),
                },
                Message::Value(value) => match checked(value) {
                    Ok(value) => Box::new(|responder| responder.reply(value)),
                    Err(failure) => Box::new(|responder| responder.fail(failure)),
                },
                Message::Done => Box::new(Responder::finish),
                Message::Failure(failure) => Box::new(|responder| responder.fail(failure)),
            };
            if let Some(responder) = self.responder.take() {
                answer(responder);
            }
            return None;
        }
    }
}

fn checked(value: Bytes) -> Result<Args, Failure> {
    Ok(Args::from_bytes(value)?)
}
