//! Errors, split by who is to blame: the peer, the caller, or a value that has no place in the protocol.

use std::{error::Error, fmt, sync::Arc};

/// Why bytes are no event, or no single msgpack value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end inside a value, or a length is announced that they cannot hold.
    #[error("the message ends in the middle of a value")]
    Truncated,
    /// The byte C1, which msgpack never uses.
    #[error("the message holds a byte that msgpack never uses (C1)")]
    NeverUsed,
    /// A str that is not UTF-8.
    #[error("the message holds text that is not UTF-8")]
    NotUtf8,
    /// More nesting than [`Limits::depth`](crate::Limits::depth).
    #[error("the message is nested deeper than {0} levels (Limits::depth)")]
    TooDeep(u32),
    /// More values than [`Limits::elements`](crate::Limits::elements).
    #[error("the message holds more than {0} values (Limits::elements)")]
    TooManyElements(u32),
    /// More bytes than [`Limits::message_bytes`](crate::Limits::message_bytes).
    #[error("the message is larger than {0} bytes (Limits::message_bytes)")]
    TooLarge(usize),
    /// Bytes behind the only value that was expected.
    #[error("there are bytes behind the value")]
    Trailing,
    /// Something else than an array of three.
    #[error("an event is an array of three: header, name, arguments")]
    NotAnEvent,
    /// The first element of the event is no map.
    #[error("the header of the event is not a map")]
    HeaderNotMap,
    /// The name of the event is neither str nor UTF-8 in a bin.
    #[error("the name of the event is not text")]
    NameNotText,
    /// More header keys than any peer has use for.
    #[error("the header of the event has more than {0} keys")]
    TooManyKeys(u32),
    /// No `message_id`, or one that cannot be a key (nil, array, map, or longer than 1 KiB).
    #[error("the event has no usable message_id")]
    NoMessageId,
    /// A `response_to` that cannot be a key.
    #[error("the event has an unusable response_to")]
    BadResponseTo,
    /// `OK` without a value.
    #[error("the answer carries no value")]
    NoValue,
}

/// How a peer broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The message is no event.
    #[error("a message was dropped: {0}")]
    Malformed(#[from] Malformed),
    /// A request came while as many channels were open as the limits allow; it was answered with `ERR`.
    #[error("a request was refused: {0} channels are open already")]
    TooManyChannels(usize),
    /// A request came while as many bytes were waiting as the limits allow; it was answered with `ERR`.
    #[error("a request was refused: {0} bytes are waiting already")]
    TooManyBytes(usize),
    /// A channel received more than its credit and the limits allow; it was ended.
    #[error("a channel was ended: its peer sent more than it had credit for")]
    Overflow,
    /// A request came to a session that accepts none.
    #[error("a request was dropped: this side only calls")]
    NotAccepting,
}

/// Why a call could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// As many channels are open as [`Limits::channels`](crate::Limits::channels) allows.
    #[error("{0} calls are open already; wait for some to end, or raise Limits::channels")]
    TooManyChannels(usize),
    /// Request arguments are an array, always.
    #[error("the arguments of a call must be an array: use a tuple, a list or ()")]
    ArgsNotArray,
}

/// A value that msgpack cannot carry, or that is no list of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError(pub(crate) Reason);

/// A value that is not of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub(crate) Reason);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot encode the value: {}", self.0.words)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value has another type than expected: {}", self.0.words)
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// What is wrong with a value, and the error of the format, if it is that which says so.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    words: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Reason {
    /// What the format says.
    pub(crate) fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self { words: error.to_string(), source: Some(Arc::new(error)) }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<String> for Reason {
    fn from(words: String) -> Self {
        Self { words, source: None }
    }
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Eq for Reason {}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use crate::Args;

    #[test]
    fn what_the_format_says_is_the_source() {
        let value = Args::encode("text").expect("text");
        let error = value.decode::<u64>().expect_err("no number");
        let source = error.source().expect("serde says so").to_string();
        assert!(error.to_string().ends_with(&source), "{error}: {source}");
        let unlike = Args::encode_params("text").expect_err("no list");
        assert!(unlike.source().is_none(), "{unlike}");
    }
}
