//! One step of a dialogue.

use crate::metadata::Metadata;

/// What a command leads to.
#[derive(Debug)]
pub(crate) enum Turn<State> {
    Next(State),
    Done(Metadata),
}

impl<State> Turn<State> {
    /// The same, of a dialogue in which this one is a part.
    pub(super) fn map<Whole>(self, whole: impl FnOnce(State) -> Whole) -> Turn<Whole> {
        match self {
            Self::Next(state) => Turn::Next(whole(state)),
            Self::Done(metadata) => Turn::Done(metadata),
        }
    }
}
