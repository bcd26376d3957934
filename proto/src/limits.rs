//! What bounds a session's memory.

use std::time::Duration;

/// Upper bounds that hold whatever a peer sends or grants.
///
/// ```
/// use zerorpc_proto::Limits;
///
/// let tight = Limits::default().message_bytes(1 << 20).peer_bytes(8 << 20).total_bytes(64 << 20);
/// assert_eq!(tight.channels, Limits::default().channels);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest payload taken, in bytes; 1 GiB by default.
    pub message_bytes: usize,
    /// The deepest nesting taken: arrays and maps around a value, the event itself included; 512 by default.
    pub depth: u32,
    /// The most msgpack values in one payload; 67,108,864 by default.
    pub elements: u32,
    /// The most channels open at a time, 1,048,576 by default. Each takes about 1 KiB beside what it keeps, which counts among the
    /// [`total_bytes`](Self::total_bytes).
    pub channels: usize,
    /// The most requests of one peer open at a time, 65,536 by default. Each counts among its [`peer_bytes`](field@Self::peer_bytes).
    pub channels_per_peer: usize,
    /// The most events that wait on one channel for their consumer, 1024 by default. A window that is larger than this wins.
    pub buffered_events: usize,
    /// The most bytes that one peer may make this side keep, 40 MiB by default: requests that wait, arguments of those that are
    /// being answered (twice: as they came, and as the application has them), answers that it does not read, here and
    /// [in the transport](crate::PeerEvent::Congested), 768 bytes for each open request, and 16 KiB for each that is being
    /// answered and does not wait for credit. A single request or answer may be larger. With what is not counted (messages that have just been
    /// handed to the transport, chunks that short messages share, an allocator's gaps), a server grows by 64 MiB at most.
    ///
    /// A request that would be too much is refused with `ServerBusy`. When half as many bytes of answers wait, or of
    /// arguments are in use, further requests of that peer are [not run](crate::Request::start) for a while, and refused
    /// after 4 s if streams that nobody has granted credit for as long leave no room for them; a peer that takes none of them for
    /// a while is to be [cut off](crate::Session::crowded_routes). Answers to calls of this side are bounded by their
    /// total alone: they were asked for.
    pub peer_bytes: usize,
    /// The most bytes that are kept for all peers together, 1 GiB by default: requests that wait and arguments of
    /// those that are being answered, answers that wait to be sent or to be read, and what the transport keeps of both. From seven eighths of it on, whoever
    /// drives the session cuts off the peer for which most is kept, so that there is room for all others.
    pub total_bytes: usize,
    /// The most items that a caller lets the server of a stream send ahead where the number is not
    /// [fixed](crate::CallOptions::slots), 10,000 by default. It starts at
    /// [`DEFAULT_SLOTS`](crate::DEFAULT_SLOTS), if that is not more; it grows when the reader has to wait for want of credit,
    /// and shrinks when items wait for the reader.
    ///
    /// It is not more than 500 for servers that do not say that they hold items back. ROUTER sockets of libzmq, as
    /// zerorpc-python's and zerorpc-node's are, drop what they have no room for without a word: more than 1000 messages for
    /// one peer. With 500, links with 50 ms there and back carry ten thousand items a second.
    pub stream_items: u32,
    /// The most bytes of items that a stream's server may so send ahead, 4 MiB by default, by the mean size of the items
    /// that were read last. All streams together may have a quarter of [`total_bytes`](field@Self::total_bytes) ahead. The
    /// first [`DEFAULT_SLOTS`](crate::DEFAULT_SLOTS) items may have any size.
    pub stream_bytes: usize,
    /// The most items of one stream that were accepted for sending and have not been transmitted, 64 by default.
    pub unsent_items: usize,
    /// How long a stream may wait for credit before it is given up, ten minutes by default, where no silence is counted: heartbeats are switched
    /// off, or the caller speaks version 1. One whose caller just has not beaten yet has 20 intervals, if they are shorter.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 30,
            depth: 512,
            elements: 1 << 26,
            channels: 1 << 20,
            channels_per_peer: 64 << 10,
            buffered_events: 1024,
            peer_bytes: 40 << 20,
            total_bytes: 1 << 30,
            stream_items: 10_000,
            stream_bytes: 4 << 20,
            unsent_items: 64,
            stalled: Duration::from_secs(600),
        }
    }
}

impl Limits {
    setters! {
        message_bytes: usize,
        depth: u32,
        elements: u32,
        channels: usize,
        channels_per_peer: usize,
        buffered_events: usize,
        peer_bytes: usize,
        total_bytes: usize,
        stream_items: u32,
        stream_bytes: usize,
        unsent_items: usize,
        stalled: Duration,
    }
}
