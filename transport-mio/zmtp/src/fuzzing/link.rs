//! Connections between the two ends that a script is played for.

use std::collections::VecDeque;

use crate::ConnectionId;

/// A connection between the two, or one that leads from one of them to a stranger.
#[derive(Default)]
pub(super) struct Link {
    pub(super) ends: [Option<ConnectionId>; 2],
    /// What is on its way to each of them.
    pub(super) wire: [VecDeque<u8>; 2],
    /// It leads to a stranger.
    pub(super) is_wild: bool,
    /// The id of a request that the stranger was sent.
    pub(super) id: Vec<u8>,
}

impl Link {
    /// The first side that has an end of it: the only one, if it leads to a stranger.
    pub(super) fn near(&self) -> usize {
        usize::from(self.ends[0].is_none())
    }

    /// A connection of one side is over.
    pub(super) fn forget(&mut self, side: usize, closed: ConnectionId) {
        self.ends[side].take_if(|connection| *connection == closed);
    }

    /// The end at one side, if whoever reads there finds the end of the stream, since the other side has closed it.
    pub(super) fn at_eof(&self, side: usize) -> Option<ConnectionId> {
        let is_over = self.ends[1 - side].is_none() && self.wire[side].is_empty();
        self.ends[side].filter(|_| is_over && !self.is_wild)
    }

    pub(super) fn is_open(&self) -> bool {
        self.ends.iter().any(Option::is_some)
    }
}
