//! What a fault is.

use zerorpc_proto::PeerId;

use super::{
    event::Event,
    memory::Memory,
    table,
    wire::{Frame, Verdict, WireMemory},
};

/// Something that a peer does wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// What it does, in a sentence without its end.
    pub(crate) does: &'static str,
    /// The rule that it breaks.
    pub(crate) rule: &'static str,
    /// The cases that are to find it, as the kit takes them after `--only`.
    pub(crate) cases: &'static str,
    /// Where it is put in.
    pub(crate) hooks: &'static [Hook],
}

/// What a fault makes of an event.
pub(crate) type OfEvents = fn(&mut Memory, Event) -> Vec<Event>;

/// What a fault makes of the frames of a message.
pub(crate) type OfFrames = fn(Vec<Frame>) -> Vec<Frame>;

/// To whom an event goes instead of its own receiver, of those who are there.
pub(crate) type OfRoutes = fn(&mut Memory, &Event, PeerId, &[PeerId]) -> Vec<PeerId>;

/// Where a fault is put into the peer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hook {
    /// Each event that leaves; what leaves in its place.
    Out(OfEvents),
    /// Each event that comes; what comes in its place.
    In(OfEvents),
    /// Each payload that comes, if it is so: the process ends.
    Dies(fn(&[u8]) -> bool),
    /// Each payload that comes, if it is so: nothing is heard any more.
    Deaf(fn(&[u8]) -> bool),
    /// Each payload that comes, if it is so: it is passed over.
    Ignores(fn(&[u8]) -> bool),
    /// Answers go to whoever used an id last.
    KeyedByIdAlone,
    /// The heartbeat interval by which the core judges silence, in intervals; 0 is none.
    Interval(f64),
    /// Each byte of the own greeting, by its offset.
    Greeting(fn(usize, u8) -> u8),
    /// The whole greeting leaves at once, unasked.
    GreetingAtOnce,
    /// Nothing leaves before the other side has spoken.
    GreetingWaits,
    /// The greeting of the other side; true ends the connection.
    GreetingIn(fn(&[u8]) -> bool),
    /// Each byte of the other side's greeting, by its offset.
    GreetingHeard(fn(usize, u8) -> u8),
    /// The first bytes of the other side; fewer than this at once end the connection.
    FirstRead(usize),
    /// Each frame that leaves, commands too.
    FramesOut(fn(&mut WireMemory, Frame) -> Vec<u8>),
    /// Each frame that comes, commands too.
    FramesIn(fn(&mut WireMemory, Frame) -> Verdict),
    /// The frames of each message that leaves.
    MessagesOut(OfFrames),
    /// The frames of each message that comes.
    MessagesIn(OfFrames),
    /// What is said at once to a frame that comes.
    Answers(fn(&WireMemory, &Frame) -> Vec<u8>),
    /// Bytes that end amid a frame end the connection.
    FramesWhole,
    /// To whom an event goes, of those who are there.
    Routes(OfRoutes),
    /// What no layer could do wrong.
    Peer(Quirk),
}

/// What a peer does wrong that no layer could: the client of the contract, or where connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// A connection that is lost is never made again.
    NoReconnect,
    /// One whose handshake failed is not tried again.
    NoRetry,
    /// What was lost with its connection is called once more.
    Resends,
    /// Time-outs are never over.
    NoTimeout,
    /// A time-out counts for each stream as a whole.
    TimeoutOfStreams,
    /// The error of a stream is its end.
    ErrorsEndStreams,
    /// The items of a stream that fails are lost.
    ErrorsTakeItems,
    /// Connects once and ends with the first loss of a call.
    EndsAtLoss,
    /// A stream that is given up stays open.
    KeepsStreams,
    /// Calls are made one after the other.
    OneAtATime,
    /// Behind the first endpoint, whoever connects is refused, and nothing is connected to.
    MoreUnused,
    /// Behind the first endpoint, one connection is made or taken, and no other.
    MoreOnce,
    /// The process ends with a connection whose calls run.
    EndsWithCallers,
    /// What comes late from a connection that has ended is dropped.
    ForgetsTheGone,
    /// Connections may take as long for their handshake as they like.
    StrangersStay,
    /// The descriptors of connections that have ended are kept.
    KeepsDescriptors,
    /// A hundred connections stand at a time, and no more are taken.
    FewConnections,
    /// Nobody is accepted while a handshake is under way.
    OneHandshakeAtATime,
    /// Writing waits until the other side reads.
    WritesBlock,
}

impl Hook {
    /// Whether it is put in between the session and the socket.
    pub(crate) fn is_of_messages(&self) -> bool {
        matches!(
            self,
            Self::Out(_)
                | Self::In(_)
                | Self::Dies(_)
                | Self::Deaf(_)
                | Self::Ignores(_)
                | Self::KeyedByIdAlone
                | Self::Routes(_)
        )
    }

    /// Whether it looks at the greetings alone.
    pub(crate) fn is_of_greeting(&self) -> bool {
        matches!(
            self,
            Self::Greeting(_)
                | Self::GreetingAtOnce
                | Self::GreetingWaits
                | Self::GreetingIn(_)
                | Self::GreetingHeard(_)
                | Self::FirstRead(_)
        )
    }

    /// Whether it is put in between the socket and a connection.
    pub(crate) fn is_of_wire(&self) -> bool {
        !self.is_of_messages() && !matches!(self, Self::Interval(_) | Self::Peer(_))
    }
}

impl Fault {
    /// The fault of this name, of a server or a client.
    pub(crate) fn find(role: &str, name: &str) -> Option<&'static Self> {
        Self::all(role).find(|fault| fault.name == name)
    }

    /// All faults of a server or a client.
    pub(crate) fn all(role: &str) -> impl Iterator<Item = &'static Self> {
        let tables = if role == "client" { table::CLIENT } else { table::SERVER };
        tables.iter().copied().flatten()
    }
}
