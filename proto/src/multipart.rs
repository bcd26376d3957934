//! Messages as frames: envelope, empty delimiter, payload (protocol section 2).

use std::num::NonZeroU32;

use bytes::{Bytes, BytesMut};

use crate::peer::PeerId;

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

/// A message that wants to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The connection to send it on.
    pub to: PeerId,
    /// The return address of the channel. On a transport with nameless peers, the first frame is the
    /// routing id for the ROUTER.
    pub envelope: Envelope,
    /// The event.
    pub payload: Payload,
    /// Comes back in [`PeerEvent::Returned`](crate::PeerEvent::Returned) if no byte of the message could be written; `None`
    /// where nobody needs to hear of that.
    pub token: Option<Token>,
}

impl Transmit {
    /// A message of one's own, which nobody needs to have back.
    #[must_use]
    pub fn new(to: PeerId, envelope: Envelope, payload: Payload) -> Self {
        Self { to, envelope, payload, token: None }
    }
}

/// Names a message for whoever has sent it. A session knows its own ones; those of another session, or of a message that it has
/// sent once more since, name nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    pub(crate) serial: u64,
    pub(crate) slot: u32,
    pub(crate) attempt: NonZeroU32,
}

impl Token {
    /// For messages that no session has made.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self { serial: number, slot: u32::MAX, attempt: NonZeroU32::MIN }
    }
}
