//! Calls and streams that have begun.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use serde::de::DeserializeOwned;
use zerorpc_proto::{Answer as First, CallId};

use super::{Answer, FromAnswer, RawStream, Shared};
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
    /// Gone once the answer was taken.
    call: Option<Call>,
    value: PhantomData<fn() -> R>,
}

/// A call that has begun.
struct Call {
    shared: Arc<Shared>,
    id: CallId,
    method: Box<str>,
}

impl<R: FromAnswer> Pending<R> {
    pub(super) fn new(shared: Arc<Shared>, id: CallId, method: &str) -> Self {
        Self { call: Some(Call { shared, id, method: method.into() }), value: PhantomData }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    pub fn wait(mut self) -> Result<R, Error> {
        let call = self.call.take().expect("it is taken once");
        let state = call.shared.enter(Instant::now())?;
        call.conclude(call.shared.answer(state, call.id, &call.method, None))
    }
}

impl Call {
    /// Makes of the first answer what the caller wants. If there is more to come, the stream forgets it.
    fn conclude<R: FromAnswer>(&self, first: Result<First, Error>) -> Result<R, Error> {
        let Self { shared, id, method } = self;
        R::from_answer(Answer::begin(shared, *id, method, first?), method)
    }
}

impl<R: FromAnswer> Future for Pending<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &self.call else { return Poll::Pending };
        let state = call.shared.enter(Instant::now())?;
        let Poll::Ready(received) = call.shared.driver.poll_answer(state, call.id, context, None)
        else {
            return Poll::Pending;
        };
        let answer = call.conclude(call.shared.understand(&call.method, received));
        self.call = None;
        Poll::Ready(answer)
    }
}

impl<R> Drop for Pending<R> {
    fn drop(&mut self) {
        if let Some(Call { shared, id, .. }) = &self.call {
            shared.forget(*id);
        }
    }
}

/// The items of a stream that has begun, to be awaited in any async runtime: a [`futures_core::Stream`], whose
/// `next()` comes with the runtime's or the crate `futures`' extension trait. Ends after an error; dropping it forgets
/// the call. One task can read many of them.
///
/// Asking for items is what lets the server send more, as with a blocking [`Stream`](super::Stream).
///
/// ```
/// # use zerorpc::{Client, Methods, Server};
/// # let service = Methods::new("counter").stream("count", |n: u64| Ok(0..n));
/// # let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
/// # let client = Client::connect(&server.endpoints()[0])?;
/// # futures_lite::future::block_on(async {
/// use futures_lite::StreamExt;
///
/// let mut numbers = client.start_stream::<u64>("count", (3,))?;
/// let mut sum = 0;
/// while let Some(number) = numbers.next().await {
///     sum += number?;
/// }
/// assert_eq!(sum, 3);
/// # Ok::<(), zerorpc::Error>(())
/// # })?;
/// # Ok::<(), zerorpc::Error>(())
/// ```
#[must_use = "a stream that nobody reads is forgotten"]
pub struct PendingStream<T> {
    raw: RawStream,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> PendingStream<T> {
    pub(super) fn new(raw: RawStream) -> Self {
        Self { raw, item: PhantomData }
    }
}

impl<T: DeserializeOwned> futures_core::Stream for PendingStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.raw.poll_next(context).map(|item| Some(self.raw.decode(item?)))
    }
}
