//! The knobs of a session and what bounds it.

use std::time::Duration;

use crate::event::Context;

/// The default interval between heartbeats (reference behaviour).
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(5);
/// The default time to wait for the first answer to a call (reference behaviour).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The number of stream items that a caller lets its server send ahead at first (reference behaviour).
pub const DEFAULT_SLOTS: u32 = 100;

/// How a session behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Randomness for message ids and hash tables. Give every session another seed: ids must not repeat
    /// among the clients of a server.
    pub seed: u128,
    /// Whether events that answer nothing are requests (a server), or are dropped (a client).
    pub accept: bool,
    /// The time between two beats on a channel; two such times of silence lose the remote. `None`, or no time at all,
    /// switches heartbeats off: silence loses nobody, and this side beats only to answer the beats that it hears, so
    /// that a peer that counts silence does not lose it.
    ///
    /// Callers are given more time. Where the transport tells when a connection ends, one that has never beaten is kept
    /// as long as its connection, and a stream of it that waits for credit for twenty such times; elsewhere it has three
    /// such times for its first sign of life. One that beats is judged by its own rhythm where that is slower: it has
    /// twice the longest time between two of its beats.
    pub heartbeat: Option<Duration>,
    /// Whether calls beat from their start or only once they heard a beat (protocol section 5).
    pub liveness: Liveness,
    /// What bounds the session's memory.
    pub limits: Limits,
}

impl Config {
    /// A session that only calls.
    #[must_use]
    pub fn client(seed: u128) -> Self {
        Self {
            seed,
            accept: false,
            heartbeat: Some(DEFAULT_HEARTBEAT),
            liveness: Liveness::Active,
            limits: Limits::default(),
        }
    }

    /// A session that answers requests. It may call as well, on sockets that can.
    #[must_use]
    pub fn server(seed: u128) -> Self {
        Self { accept: true, ..Self::client(seed) }
    }

    /// The interval between beats, where there are any.
    pub(crate) fn interval(&self) -> Duration {
        self.heartbeat.unwrap_or(Duration::MAX)
    }
}

/// When a caller's side of a channel begins to beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// From the start: a server that is gone is noticed.
    Active,
    /// With the first beat heard: suits servers that never beat. Silence before it is not counted.
    Passive,
}

/// Upper bounds that hold whatever a peer sends or grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload taken, in bytes.
    pub message_bytes: usize,
    /// The deepest nesting taken: arrays and maps around a value, the event itself included.
    pub depth: u32,
    /// The most msgpack values in one payload.
    pub elements: u32,
    /// The most channels open at a time. Each takes about 1 KiB beside what it keeps, which counts among the
    /// [`total_bytes`](Self::total_bytes).
    pub channels: usize,
    /// The most requests of one peer open at a time.
    pub channels_per_peer: usize,
    /// The most events that wait on one channel for their consumer. A window that is larger than this wins.
    pub buffered_events: usize,
    /// The most bytes that one peer may make the session keep, 64 MiB by default: requests that wait to be taken up, and
    /// apart from those, answers that it does not read. A single request or answer may be larger.
    ///
    /// A request that would be too much is refused with `ServerBusy`. When half as many bytes of answers wait, further
    /// requests of that peer are [not run](crate::Request::start) until some have left; a peer that takes none of them for
    /// a while is to be [cut off](crate::Session::crowded_routes). Answers to calls of this side are bounded by their
    /// total alone: they were asked for.
    pub peer_bytes: usize,
    /// The most bytes that are kept for all peers together, 1 GiB by default: requests that wait to be taken up, answers
    /// that wait to be sent or to be read, and what the transport keeps of both. From seven eighths of it on, whoever
    /// drives the session cuts off the peer for which most is kept, so that there is room for all others.
    pub total_bytes: usize,
    /// The most items that a caller lets the server of a stream send ahead where the number is not
    /// [fixed](CallOptions::slots), 10,000 by default. It starts at [`DEFAULT_SLOTS`], if that is not more; it grows
    /// when the reader has to wait for want of credit, and shrinks when items wait for the reader.
    pub stream_items: u32,
    /// The most bytes of items that a stream's server may so send ahead, 4 MiB by default, by the mean size of the items
    /// that were read last. All streams together may have a quarter of [`total_bytes`](Self::total_bytes) ahead. The
    /// first [`DEFAULT_SLOTS`] items may have any size.
    pub stream_bytes: usize,
    /// The most items of one stream that were accepted for sending and have not been transmitted.
    pub unsent_items: usize,
    /// Credit saturates here.
    pub credit: u32,
    /// How long a stream may wait for credit before it is given up, where no silence is counted: heartbeats are switched
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
            channels_per_peer: 1 << 17,
            buffered_events: 1024,
            peer_bytes: 64 << 20,
            total_bytes: 1 << 30,
            stream_items: 10_000,
            stream_bytes: 4 << 20,
            unsent_items: 64,
            credit: 1 << 30,
            stalled: Duration::from_secs(600),
        }
    }
}

/// What can be chosen for each call; what is not set is as by default, or [as for others](Self::over).
///
/// ```
/// use std::time::Duration;
/// use zerorpc_proto::CallOptions;
///
/// let patient = CallOptions::new().timeout(Duration::from_secs(300)).slots(10);
/// let endless = CallOptions::new().timeout(None);
/// assert_eq!(endless.over(&patient), CallOptions::new().timeout(None).slots(10));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallOptions {
    timeout: Option<Option<Duration>>,
    slots: Option<u32>,
    context: Context,
}

impl CallOptions {
    /// Nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the first answer, [30 s](DEFAULT_TIMEOUT) by default; later items of a stream have no limit.
    /// `None` waits as long as the remote lives.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    /// How many items of a stream the server may send ahead, whatever its reader does: a small number where each item is
    /// dear, so that none is made that nobody reads.
    ///
    /// By default it is [100](DEFAULT_SLOTS) at first. It grows as long as the reader has to wait because its server has
    /// no credit, and shrinks when items wait for the reader, within [`Limits::stream_items`] and
    /// [`Limits::stream_bytes`].
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Header keys for the request, such as a trace id; none by default. A method that calls on hands its own over here.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// These options, and what is not set among them from others.
    #[must_use]
    pub fn over(self, others: &Self) -> Self {
        Self {
            timeout: self.timeout.or(others.timeout),
            slots: self.slots.or(others.slots),
            context: if self.context.is_empty() { others.context.clone() } else { self.context },
        }
    }

    pub(crate) fn chosen_timeout(&self) -> Option<Duration> {
        self.timeout.unwrap_or(Some(DEFAULT_TIMEOUT))
    }

    /// A fixed number, if there is one.
    pub(crate) fn chosen_slots(&self) -> Option<u32> {
        self.slots
    }

    pub(crate) fn chosen_context(&self) -> &Context {
        &self.context
    }
}
