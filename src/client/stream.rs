//! Streams as iterators.

use std::{
    collections::VecDeque,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use serde::de::DeserializeOwned;
use zerorpc_proto::{Answer, Args, CallId};

use super::{Shared, decode};
use crate::error::Error;

/// The items of a stream, still encoded. Ends after an error; dropping it early lets the server know by the
/// silence that follows.
///
/// Asking for items is what lets the server send more: at most
/// [`slots`](crate::ClientBuilder::slots) items come ahead of a slow reader.
pub struct RawStream {
    shared: Arc<Shared>,
    id: CallId,
    method: String,
    /// The answer that told that this is a stream, if it was waited for.
    first: Option<Answer>,
    /// Items that came along with the last one; asking for them grants no credit.
    ahead: VecDeque<Args>,
    ended: bool,
}

impl RawStream {
    pub(super) fn begin(
        shared: Arc<Shared>,
        id: CallId,
        method: &str,
        first: Option<Answer>,
    ) -> Self {
        Self { shared, id, method: method.to_owned(), first, ahead: VecDeque::new(), ended: false }
    }

    /// The same stream, with each item decoded.
    #[must_use]
    pub fn typed<T: DeserializeOwned>(self) -> Stream<T> {
        Stream { raw: self, item: PhantomData }
    }

    pub(super) fn decode<T: DeserializeOwned>(
        &self,
        item: Result<Args, Error>,
    ) -> Result<T, Error> {
        item.and_then(|item| decode(&self.method, &item))
    }

    /// What an answer means to whoever asked for an item.
    fn conclude(&mut self, answer: Result<Answer, Error>) -> Option<Result<Args, Error>> {
        let last = match answer {
            Ok(Answer::Item(item)) => return Some(Ok(item)),
            Ok(Answer::Value(_)) => Some(Err(Error::NotStream { method: self.method.clone() })),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        self.ended = true;
        last
    }

    /// The next item if it is there; otherwise the task of `context` is woken when it is. Asking lets the server send
    /// more, as [`next`](Self::next) does.
    pub fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Result<Args, Error>>> {
        if let Some(item) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(item)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(self.conclude(Ok(first)));
        }
        let state = match self.shared.enter(Instant::now()) {
            Ok(state) => state,
            Err(error) => {
                self.ended = true;
                return Poll::Ready(Some(Err(error)));
            }
        };
        let ahead = Some(&mut self.ahead);
        let received = self.shared.driver.poll_answer(state, self.id, context, ahead);
        received.map(|received| {
            let answer = self.shared.understand(&self.method, received);
            self.conclude(answer)
        })
    }
}

impl Iterator for RawStream {
    type Item = Result<Args, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.ahead.pop_front() {
            return Some(Ok(item));
        }
        if self.ended {
            return None;
        }
        let answer = match self.first.take() {
            Some(first) => Ok(first),
            None => self.shared.enter(Instant::now()).and_then(|state| {
                self.shared.answer(state, self.id, &self.method, Some(&mut self.ahead))
            }),
        };
        self.conclude(answer)
    }
}

impl Drop for RawStream {
    fn drop(&mut self) {
        self.shared.forget(self.id);
    }
}

/// The items of a stream.
pub struct Stream<T> {
    raw: RawStream,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Iterator for Stream<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.raw.next()?;
        Some(self.raw.decode(item))
    }
}
