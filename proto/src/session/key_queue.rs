//! Channels that wait for something.

use std::collections::{VecDeque, vec_deque};

use super::{channel_key::ChannelKey, store::Store};
use crate::channel::Channel;

/// So many keys of channels that do not wait any more do no harm. Not measured: 1 KiB.
const FEW: usize = 64;

/// The keys of channels that wait for something, in the order in which they came.
///
/// Nothing is taken out from the middle: channels that are gone, or wait no longer, leave their keys behind. They are dropped
/// when they are more than the channels that are open.
#[derive(Debug, Default)]
pub(super) struct KeyQueue(VecDeque<ChannelKey>);

impl KeyQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a key at the end. Others are dropped, if there are many, whose channels are gone or do not wait.
    #[inline]
    pub(super) fn push(
        &mut self,
        at: ChannelKey,
        store: &Store,
        is_waiting: impl Fn(&Channel) -> bool,
    ) {
        self.0.push_back(at);
        if self.0.len() > 2 * store.len() + FEW {
            self.0.retain(|at| store.get(*at).is_some_and(&is_waiting));
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<ChannelKey> {
        self.0.pop_front()
    }

    #[cfg(feature = "invariants")]
    pub(super) fn iter(&self) -> vec_deque::Iter<'_, ChannelKey> {
        self.0.iter()
    }
}

impl IntoIterator for KeyQueue {
    type Item = ChannelKey;
    type IntoIter = vec_deque::IntoIter<ChannelKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
