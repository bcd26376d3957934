//! What there is to do for the dispatcher.

use bytes::Bytes;
use zerorpc::Error;

/// Something for the dispatcher to do.
#[derive(Debug)]
pub(super) enum Event {
    /// The child has sent a frame.
    Frame { kind: u8, number: u64, body: Bytes },
    /// There may be an answer to a request.
    Ready(u64),
    /// An event that nobody answers has left, or could not.
    Emitted { number: u64, outcome: Result<(), Error> },
    /// It is over.
    Close,
}
