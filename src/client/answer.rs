//! What a call answers with.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use zerorpc_proto::{Answer as First, Args, CallId};

use super::{RawStream, Shared, decode};
use crate::error::Error;

/// The answer to a call of a method of which it is not known how it answers.
///
/// ```
/// # use zerorpc::{Client, Methods, Server};
/// # let service = Methods::new("counter").stream("count", |n: u64| Ok(0..n));
/// # let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
/// # let client = Client::connect(&server.endpoints()[0])?;
/// use zerorpc::Answer;
///
/// match client.call("count", (3,))? {
///     Answer::Value(value) => println!("{value:?}"),
///     Answer::Stream(items) => assert_eq!(items.count(), 3),
/// }
/// # Ok::<(), zerorpc::Error>(())
/// ```
// Exhaustive: the protocol has no third kind of answer, and who takes one has to take the other.
pub enum Answer {
    /// One value.
    Value(Args),
    /// A stream of values.
    Stream(RawStream),
}

impl Answer {
    /// Takes over a call that has its first answer; a value is its only one.
    pub(super) fn begin(shared: &Arc<Shared>, id: CallId, method: &str, first: First) -> Self {
        match first {
            First::Value(value) => Self::Value(value),
            first => Self::Stream(RawStream::begin(Arc::clone(shared), id, method, Some(first))),
        }
    }
}

/// What [`Client::call`](super::Client::call) and [`start`](super::Client::start) can answer with: a value of any type that
/// serde can read, or an [`Answer`], which takes values and streams as they come.
pub trait FromAnswer: sealed::Sealed + Sized {
    /// Takes the answer to a call of this method.
    #[doc(hidden)]
    fn from_answer(answer: Answer, method: &str) -> Result<Self, Error>;
}

mod sealed {
    /// Nobody else says what answers are.
    pub trait Sealed {}
}

impl<T: DeserializeOwned> sealed::Sealed for T {}

impl<T: DeserializeOwned> FromAnswer for T {
    fn from_answer(answer: Answer, method: &str) -> Result<Self, Error> {
        match answer {
            Answer::Value(value) => decode(method, &value),
            Answer::Stream(_) => Err(Error::IsStream { method: method.to_owned() }),
        }
    }
}

impl sealed::Sealed for Answer {}

impl FromAnswer for Answer {
    fn from_answer(answer: Answer, _: &str) -> Result<Self, Error> {
        Ok(answer)
    }
}
