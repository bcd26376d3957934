//! Which event may follow which, and what it means: the whole transition table (protocol section 7).

use crate::event::Kind;

/// How far the conversation has come, seen from either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The request is out, nothing has answered it.
    Asked,
    /// Items have come, more may follow.
    Streaming,
    /// Nothing follows.
    Ended,
}

/// What an answer means to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The result.
    Value,
    /// One item.
    Item,
    /// The items are complete.
    End,
    /// The call or the rest of the stream failed.
    Failure,
    /// No answer starts like this.
    NoPattern,
    /// Nothing: it comes too late, or is not for the reader.
    Nothing,
}

/// The table. In a stream, every name but `STREAM` and `ERR` ends it, as the reference does.
pub(crate) fn step(phase: Phase, kind: Kind) -> (Phase, Meaning) {
    match (phase, kind) {
        (Phase::Asked, Kind::Ok) => (Phase::Ended, Meaning::Value),
        (Phase::Asked | Phase::Streaming, Kind::Stream) => (Phase::Streaming, Meaning::Item),
        (Phase::Asked | Phase::Streaming, Kind::Err) => (Phase::Ended, Meaning::Failure),
        (Phase::Asked, Kind::StreamDone) => (Phase::Ended, Meaning::End),
        (Phase::Asked, Kind::Other) => (Phase::Ended, Meaning::NoPattern),
        (Phase::Streaming, Kind::StreamDone | Kind::Ok | Kind::Other) => {
            (Phase::Ended, Meaning::End)
        }
        (phase, Kind::Heartbeat | Kind::More) => (phase, Meaning::Nothing),
        (Phase::Ended, _) => (Phase::Ended, Meaning::Nothing),
    }
}
