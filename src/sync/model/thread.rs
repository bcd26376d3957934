//! Threads of a model. They park as those of the system do: time may be up whenever they run.

use std::{io, time::Duration};

use shuttle::thread::ThreadId;
pub(crate) use shuttle::thread::yield_now;

use super::{Arc, Condvar, Mutex, time_passes};

shuttle::thread_local! {
    static CURRENT: Thread = Thread::unknown();
}

#[derive(Debug, Clone)]
pub(crate) struct Thread {
    id: ThreadId,
    token: Arc<Token>,
}

/// What unparks a thread, once.
#[derive(Debug, Default)]
struct Token {
    is_there: Mutex<bool>,
    came: Condvar,
}

impl Thread {
    fn unknown() -> Self {
        Self { id: shuttle::thread::current().id(), token: Arc::default() }
    }

    pub(crate) fn id(&self) -> ThreadId {
        self.id
    }

    pub(crate) fn unpark(&self) {
        *self.token.is_there.lock() = true;
        self.token.came.notify_one();
    }
}

pub(crate) fn current() -> Thread {
    CURRENT.with(Thread::clone)
}

pub(crate) fn park() {
    let Thread { token, .. } = current();
    let mut is_there = token.is_there.lock();
    while !std::mem::take(&mut *is_there) {
        token.came.wait(&mut is_there);
    }
}

pub(crate) fn park_timeout(_: Duration) {
    if !time_passes() {
        return park();
    }
    yield_now();
    *current().token.is_there.lock() = false;
}

#[derive(Debug)]
pub(crate) struct JoinHandle<T> {
    inner: shuttle::thread::JoinHandle<T>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
    pub(crate) fn thread(&self) -> &Thread {
        &self.thread
    }

    pub(crate) fn join(self) -> std::thread::Result<T> {
        self.inner.join()
    }
}

pub(crate) fn spawn<T: Send + 'static>(
    action: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let (tell, told) = shuttle::sync::mpsc::channel();
    let inner = shuttle::thread::spawn(move || {
        tell.send(current()).expect("it is waited for");
        action()
    });
    JoinHandle { inner, thread: told.recv().expect("it says who it is") }
}

/// Threads of a model have no need of names.
#[derive(Debug, Default)]
pub(crate) struct Builder;

impl Builder {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn name(self, _: String) -> Self {
        self
    }

    pub(crate) fn spawn<T: Send + 'static>(
        self,
        action: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        Ok(spawn(action))
    }
}
