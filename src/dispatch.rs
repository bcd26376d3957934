//! Running the methods of a service: what a server's workers and a [`Dispatcher`] have in common.

mod builtin;
mod dispatcher;

use std::panic::{AssertUnwindSafe, catch_unwind};

use zerorpc_proto::Args;

use crate::{
    authorize::Guarded,
    failure::Failure,
    request::Request,
    responder::End,
    service::{Items, Reply},
};
#[cfg(any(feature = "mio", feature = "zmq"))]
pub(crate) use builtin::is_builtin;
pub use dispatcher::Dispatcher;

/// Runs the method that a request asks for, one of the service or one that every service has. A panic fails the request
/// and nothing else.
pub(crate) fn run(service: &Guarded<'_>, request: &Request) -> Result<Reply, Failure> {
    guarded(|| builtin::answer(service, request))
}

/// A stream that is under way.
pub(crate) struct Stream {
    items: Items,
    /// The item that was turned away.
    pending: Option<Args>,
}

impl Stream {
    pub(crate) fn new(items: Items) -> Self {
        Self { items, pending: None }
    }

    /// The next item, or how the stream ends.
    pub(crate) fn next(&mut self) -> Result<Args, End> {
        if let Some(item) = self.pending.take() {
            return Ok(item);
        }
        match guarded(|| self.items.next().transpose()) {
            Ok(Some(item)) => Ok(item),
            Ok(None) => Err(End::Done),
            Err(failure) => Err(End::Failure(failure)),
        }
    }

    /// Takes an item back for which there was no room.
    pub(crate) fn put_back(&mut self, item: Args) {
        self.pending = Some(item);
    }
}

impl Drop for Stream {
    /// Destructors of iterators may panic as methods may: that takes nobody's thread away.
    fn drop(&mut self) {
        let items = std::mem::replace(&mut self.items, Box::new(std::iter::empty()));
        let _panicked = guarded(|| {
            drop(items);
            Ok(())
        });
    }
}

/// Runs a service's code; a panic fails the request and nothing else.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Failure::new("Panic", text.unwrap_or("the method panicked")))
    })
}
