//! Messages as frames: envelope, empty delimiter, payload (protocol section 2).

use bytes::{Bytes, BytesMut};

/// The return address of a message: the identity frames that proxies and ROUTER sockets put in front.
///
/// Most messages have none or one; both cost no allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Envelope(Route);

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Route {
    #[default]
    Direct,
    One(Bytes),
    Many(Vec<Bytes>),
}

impl Envelope {
    /// The identity frames, outermost first.
    #[must_use]
    pub fn frames(&self) -> &[Bytes] {
        match &self.0 {
            Route::Direct => &[],
            Route::One(frame) => std::slice::from_ref(frame),
            Route::Many(frames) => frames,
        }
    }

    /// Copies of the frames, which keep no message in memory.
    pub(crate) fn detached(&self) -> Self {
        self.frames().iter().map(|frame| Bytes::copy_from_slice(frame)).collect()
    }

    /// How many bytes the frames take, with what it costs to keep each of them.
    pub(crate) fn size(&self) -> usize {
        self.frames().iter().map(|frame| frame.len() + size_of::<Bytes>()).sum()
    }
}

impl FromIterator<Bytes> for Envelope {
    fn from_iter<I: IntoIterator<Item = Bytes>>(frames: I) -> Self {
        let mut frames = frames.into_iter();
        let Some(first) = frames.next() else { return Self(Route::Direct) };
        let Some(second) = frames.next() else { return Self(Route::One(first)) };
        Self(Route::Many([first, second].into_iter().chain(frames).collect()))
    }
}

/// A received message, split into return address and payload.
// Exhaustive: there is nothing else in a message. Transports make them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// Where answers go.
    pub envelope: Envelope,
    /// The event, still encoded.
    pub payload: Bytes,
}

impl Multipart {
    /// A message that came without identities.
    #[must_use]
    pub fn direct(payload: Bytes) -> Self {
        Self { envelope: Envelope::default(), payload }
    }

    /// Splits the frames behind the routing id: the last one is the payload, the one before it is the
    /// delimiter, which is dropped unseen, and the rest is the envelope. This is the reference's rule; it
    /// serves peers that send no delimiter or a wrong one. `routing_id` is the frame that a ROUTER put in
    /// front. `None` when there is no frame at all.
    #[must_use]
    pub fn from_frames<I>(routing_id: Option<Bytes>, frames: I) -> Option<Self>
    where
        I: IntoIterator<Item = Bytes, IntoIter: DoubleEndedIterator>,
    {
        let mut frames = frames.into_iter();
        let payload = frames.next_back()?;
        frames.next_back();
        let envelope = routing_id.into_iter().chain(frames).collect();
        Some(Self { envelope, payload })
    }
}

/// An encoded event to be sent: the part that the session wrote, then the arguments as they were given.
///
/// Both together are one frame. They are kept apart so that large arguments need not be copied.
// Exhaustive: both are the whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Array marker, header and name.
    pub head: Bytes,
    /// The arguments.
    pub body: Bytes,
}

impl Payload {
    /// The length of the frame in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether the frame is empty (no event is).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame in one piece; copies both parts.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.len());
        whole.extend_from_slice(&self.head);
        whole.extend_from_slice(&self.body);
        whole.freeze()
    }
}
