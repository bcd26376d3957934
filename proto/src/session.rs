//! All channels behind one socket.

mod accounts;
mod admission;
mod call;
mod channel_key;
mod clock;
mod closing;
mod inbound;
#[cfg(feature = "invariants")]
mod invariants;
mod key_queue;
mod memory;
mod notices;
mod outbound;
mod output;
mod peer_events;
mod peers;
mod reassign;
mod request;
mod standstill;
mod store;
mod timer_wheel;

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;
use web_time::{Duration, Instant};

use crate::{
    answer::Loss,
    args::Args,
    channel::{
        CallState, Channel, Inbox, Role, heartbeat::Heartbeat, phase::Phase, window::Window,
    },
    config::{Config, HeartbeatMode},
    error::{OpenError, PeerMisbehaved},
    event::Writer,
    limits::Limits,
    multipart::Envelope,
    options::{CallOptions, DEFAULT_SLOTS},
    peer::{PeerId, Route, Target},
};
use accounts::Account;
pub use call::Call;
use channel_key::ChannelKey;
use key_queue::KeyQueue;
use notices::Misbehaviours;
use outbound::Loose;
pub use output::Output;
use peer_events::Disconnected;
use peers::Peers;
pub use request::{Blocked, Request, StreamHasBegun};
use store::Store;
use timer_wheel::TimerWheel;

/// Names a call: of one session, and as long as it is there. Later, and elsewhere, it names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub(crate) ChannelKey);

/// Names a request: of one session, and as long as it is there. Later, and elsewhere, it names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) ChannelKey);

/// Something that the application should look at. Payloads stay in the session until they are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A request has come; answer it through [`Session::request`].
    Requested(RequestId),
    /// A call has answers to read. Told once until [`Call::recv`] has returned `None`.
    Readable(CallId),
    /// A request that was [`Blocked`] has room for items again.
    Writable(RequestId),
    /// A call will get no further answer. What came before can be read; [`Answer::Lost`](crate::Answer::Lost) follows it.
    CallLost(CallId),
    /// Nobody waits for the answer to this request any more; it is gone.
    RequestLost(RequestId, Loss),
    /// A peer broke the protocol. That cost it a message or a channel, and nothing else: there is nothing to do about it.
    ///
    /// Peers decide how often they do so. Of each kind and peer one such notice waits at most, and few in all.
    Misbehaved {
        /// Who did.
        peer: PeerId,
        /// What it did, the last time.
        how: PeerMisbehaved,
        /// How often it did so since it was told of.
        times: u64,
    },
}

/// The protocol's state machine for one socket: every channel on it, in both roles.
///
/// It has no clock and does no IO. Each method is one of four kinds: a *command* of the application
/// ([`open`](Self::open), and those of [`Call`] and [`Request`]), a `handle_…` by which the world comes in, a
/// `poll_…` by which messages, notices and the next deadline go out, or a getter. They may come in any order,
/// and none must be followed by another: polling late only means acting late. But polling makes more to poll, a message
/// that leaves makes a notice, and so do commands and what comes in: whoever is about to sleep asks
/// [`poll_output`](Self::poll_output) until it says so, or [`is_idle`](Self::is_idle). A time that is older than the
/// latest seen counts as the latest seen. Where everybody is later than [`poll_timeout`](Self::poll_timeout) has said by
/// more than a quarter of a heartbeat interval (50 ms at least), time has stood still meanwhile: who was stopped for a while loses no peer
/// whose beats wait to be read.
///
/// Nothing that a peer sends panics, blocks, or makes the session grow beyond its
/// [`Limits`].
#[derive(Debug)]
pub struct Session {
    /// What was chosen for the session.
    pub(crate) config: Config,
    /// The latest time seen, less what was slept through.
    pub(crate) now: Option<Instant>,
    /// How long whoever drives the session has slept through, all in all.
    pub(crate) slept: Duration,
    /// How much later than it was due something may be done; what is later was slept through.
    lateness: Duration,
    /// All channels.
    pub(crate) store: Store,
    /// How many bytes of requests and answers wait for the application.
    pub(crate) buffered_bytes: usize,
    /// How many bytes of arguments were taken by requests that are being answered.
    pub(crate) taken_bytes: usize,
    /// How many bytes of answers wait to be sent.
    pub(crate) unsent_bytes: usize,
    /// How many bytes of events wait that belong to no channel.
    loose_bytes: usize,
    /// How many requests share the memory of the chunks that brought them.
    shared_requests: usize,
    /// How many answers wait to be read.
    pub(crate) unread_answers: usize,
    /// By how many bytes the windows of all calls have grown.
    pub(crate) grown_bytes: usize,
    /// Makes events.
    writer: Writer,
    /// When something is due on which channel.
    timers: TimerWheel,
    /// Channels with something to send, each at most once.
    ready: KeyQueue,
    /// Routes that are congested, and the channels whose answers wait for that to end.
    congested: HashMap<Route, KeyQueue, FixedState>,
    /// The peers that are up, where peers have names.
    peers: Peers,
    /// Calls to any peer that no peer could take yet.
    unassigned: KeyQueue,
    /// Calls that will be lost unless their requests come back.
    disconnected: Vec<Disconnected>,
    /// Events that belong to no channel.
    loose: VecDeque<Loose>,
    /// Notices that nobody has looked at yet.
    notices: VecDeque<Notice>,
    /// How many of these notices are about channels that are gone.
    stale_notices: usize,
    /// What peers did wrong that nobody was told of yet.
    misbehaviours: Misbehaviours,
    /// Accounts of peers that may not keep up with their answers.
    pub(crate) crowded: Vec<u32>,
    /// Requests are turned down from now on.
    stopping: bool,
}

impl Session {
    /// A session without channels.
    #[must_use]
    pub fn new(config: Config) -> Self {
        // No time at all between two beats is no heartbeat.
        let heartbeat = config.heartbeat.filter(|interval| !interval.is_zero());
        let config = Config { heartbeat, ..config };
        let hash_seed = (config.seed ^ (config.seed >> 64)) as u64;
        Self {
            now: None,
            slept: Duration::ZERO,
            lateness: clock::lateness(&config),
            store: Store::new(hash_seed),
            buffered_bytes: 0,
            taken_bytes: 0,
            unsent_bytes: 0,
            loose_bytes: 0,
            shared_requests: 0,
            unread_answers: 0,
            grown_bytes: 0,
            writer: Writer::new(config.seed),
            timers: TimerWheel::default(),
            ready: KeyQueue::default(),
            congested: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            peers: Peers::new(hash_seed),
            unassigned: KeyQueue::default(),
            disconnected: Vec::new(),
            loose: VecDeque::new(),
            notices: VecDeque::new(),
            misbehaviours: Misbehaviours::default(),
            stale_notices: 0,
            crowded: Vec::new(),
            stopping: false,
            config,
        }
    }

    /// Calls a method of a peer, or of [`Target::Any`]. The answers are told by [`Notice::Readable`].
    ///
    /// # Errors
    /// When the arguments are no array, or too many channels are open.
    pub fn open(
        &mut self,
        now: Instant,
        to: impl Into<Target>,
        method: &str,
        args: Args,
        options: &CallOptions,
    ) -> Result<CallId, OpenError> {
        let now = self.advance(now);
        if !args.is_array() {
            return Err(OpenError::ArgsNotArray);
        }
        let peer = match to.into() {
            Target::Any => None,
            Target::Peer(peer) => Some(peer),
        };
        if self.store.len() >= self.config.limits.channels {
            return Err(OpenError::TooManyChannels(self.store.len()));
        }
        let (slot, args) = (self.store.next_slot(), args.into_bytes());
        let (own, request) = self.writer.request(slot, options.chosen_context(), method, args);
        let timeout =
            options.chosen_timeout().and_then(|after| Some((now.checked_add(after)?, after)));
        let window = match options.chosen_slots() {
            Some(slots) => Window::fixed(slots),
            None => Window::growing(DEFAULT_SLOTS.min(self.config.limits.stream_items)),
        };
        let call = CallState {
            own,
            assigned: false,
            request: Some(request),
            is_sent: false,
            attempts: 0,
            is_heard: false,
            refusals: 0,
            retry: None,
            window,
            is_lossless: false,
            grant: 0,
            has_beaten: false,
            inbox: Inbox::default(),
            readable_notified: false,
            timeout,
        };
        let at = self.store.insert(Channel {
            peer,
            envelope: Envelope::default(),
            phase: Phase::Asked,
            heartbeat: Heartbeat::idle(),
            dialect: None,
            heartbeat_pending: false,
            ready: false,
            congested: false,
            has_beaten_congested: false,
            notices: 0,
            unsent_bytes: 0,
            unsent_answers: 0,
            timer: None,
            role: Role::Client(call),
        });
        // It beats once its request has left, which is now where there is a peer: standing where it will by then, it need not
        // be moved.
        let beats = self.peers.is_any_up() && self.config.heartbeat_mode == HeartbeatMode::Active;
        let interval = self.config.heartbeat.filter(|_| beats);
        let first_beat = interval.and_then(|interval| now.checked_add(interval));
        let latest = timeout.map(|(at, _)| first_beat.map_or(at, |beat| at.min(beat)));
        self.look_by(at, latest);
        self.enqueue(at);
        Ok(CallId(at))
    }

    /// The handle of a call; `None` once its last answer was taken or it was cancelled.
    pub fn call(&mut self, id: CallId) -> Option<Call<'_>> {
        self.lose_disconnected();
        match self.store.get(id.0)?.role {
            Role::Client(_) => Some(Call { session: self, id }),
            Role::Server(_) => None,
        }
    }

    /// The handle of a request; `None` once it was answered to its end or its caller was lost.
    pub fn request(&mut self, id: RequestId) -> Option<Request<'_>> {
        Request::new(self, id)
    }

    /// From now on requests are answered with an error; those that are open go on.
    pub fn stop_accepting(&mut self) {
        self.stopping = true;
    }

    /// The next connection to be ended, and why. Either its peer has lost calls by its silence and was not heard since: it
    /// may be dead without a word, and is to be made anew. Or its peer is [going away](crate::PeerEvent::GoingAway), and
    /// nothing is open there any more. Tell of the end by [`PeerEvent::Down`](crate::PeerEvent::Down).
    pub fn poll_disconnect(&mut self) -> Option<(PeerId, &'static str)> {
        self.peers.poll_disconnect()
    }

    /// How many channels are open, in both roles, those with unread answers included.
    #[must_use]
    pub fn open_channels(&self) -> usize {
        self.store.len()
    }

    /// What bounds the session's memory.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// How many payload bytes wait for their consumers.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Puts a channel among those that have something to send.
    pub(crate) fn enqueue(&mut self, at: ChannelKey) {
        if let Some(channel) = self.store.get_mut(at)
            && !channel.ready
            && channel.has_output()
        {
            channel.ready = true;
            self.ready.push(at, &self.store, |_| true);
        }
    }
}
