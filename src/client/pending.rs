//! Calls that have begun.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde::de::DeserializeOwned;
use zerorpc_proto::{Answer, CallId};

use super::{Shared, decode};
use crate::error::Error;

/// A call that has begun, and whose answer is still to come: [wait](Self::wait) for it, or await it in any
/// async runtime. One thread can have many calls in flight. Dropping it forgets the call.
///
/// ```
/// # use zerorpc::{Client, Methods, Server};
/// # let service = Methods::new("calculator").method("add", |a: i64, b: i64| Ok(a + b));
/// # let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
/// # let client = Client::connect(&server.endpoints()[0])?;
/// let calls: Result<Vec<_>, _> = (0..10).map(|n| client.start::<i64>("add", (n, n))).collect();
/// for (n, call) in (0..).zip(calls?) {
///     assert_eq!(call.wait()?, 2 * n);
/// }
/// # Ok::<(), zerorpc::Error>(())
/// ```
#[must_use = "a call that nobody waits for is forgotten"]
pub struct Pending<R> {
    shared: Arc<Shared>,
    id: CallId,
    method: Box<str>,
    value: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Pending<R> {
    pub(super) fn new(shared: Arc<Shared>, id: CallId, method: &str) -> Self {
        Self { shared, id, method: method.into(), value: PhantomData }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub fn wait(self) -> Result<R, Error> {
        let answer = self.shared.answer(self.shared.driver.lock(), self.id, &self.method, None);
        self.decode(answer)
    }

    fn decode(&self, answer: Result<Answer, Error>) -> Result<R, Error> {
        match answer? {
            Answer::Value(value) => decode(&self.method, &value),
            _ => Err(Error::IsStream { method: self.method.to_string() }),
        }
    }
}

impl<R: DeserializeOwned> Future for Pending<R> {
    type Output = Result<R, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let driver = &self.shared.driver;
        driver.poll_answer(driver.lock(), self.id, context).map(|received| {
            let answer = self.shared.understand(&self.method, received);
            self.decode(answer)
        })
    }
}

impl<R> Drop for Pending<R> {
    fn drop(&mut self) {
        self.shared.driver.forget(self.shared.driver.lock(), self.id);
    }
}
