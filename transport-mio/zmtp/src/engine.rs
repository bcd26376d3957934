//! The surface: one connection.

mod sending;

use std::{collections::VecDeque, mem, sync::Arc};

use bytes::Bytes;
use web_time::{Duration, Instant};
use zerorpc_proto::transport::{ProcessCredentials, Security};

use super::{
    EngineConfig, PeerInfo, Violation, Want, ZmtpEvent, ZmtpVersion, greeting,
    handshake::{Handshake, Progress},
    input::Input,
    mechanism::{Ciphers, Context},
    outbox::Outbox,
    remote::Remote,
    traffic::{Subscription, Traffic},
};

/// One connection, from its first byte to its last. See the [module](super) for how data flows.
#[derive(Debug)]
pub struct Engine {
    config: Arc<EngineConfig>,
    /// The latest instant seen.
    now: Instant,
    phase: Phase,
    outbox: Outbox,
    events: VecDeque<ZmtpEvent>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "the largest is what nearly all connections are in")]
enum Phase {
    Handshake {
        handshake: Handshake,
        /// `None` when the time-out is longer than clocks run.
        deadline: Option<Instant>,
        /// What to tell the peer as soon as it is known how.
        subscriptions: Vec<(Subscription, Bytes)>,
        /// Who is at the other end, for the authenticator.
        remote: Remote,
    },
    Traffic(Traffic),
    Dead(Violation),
}

/// An idle connection keeps no more room for events than this. Not measured: some KiB.
const IDLE_EVENTS: usize = 32;

impl Engine {
    /// A connection that has just been made or accepted; there is no difference. Its first bytes are in
    /// the output.
    #[must_use]
    pub fn new(config: Arc<EngineConfig>, now: Instant) -> Self {
        let mut outbox = Outbox::default();
        let handshake = Handshake::start(&config, &mut outbox);
        let deadline = now.checked_add(config.handshake_timeout);
        let (subscriptions, remote) = (Vec::new(), Remote::default());
        let phase = Phase::Handshake { handshake, deadline, subscriptions, remote };
        Self { config, now, phase, outbox, events: VecDeque::new() }
    }

    /// Says where the peer is, as an endpoint, and who runs it, where the system tells: for the authenticator, which is asked
    /// within the handshake.
    pub fn set_remote(
        &mut self,
        endpoint: impl Into<Arc<str>>,
        process: Option<ProcessCredentials>,
    ) {
        if let Phase::Handshake { remote, .. } = &mut self.phase {
            *remote = Remote { endpoint: endpoint.into(), process };
        }
    }

    /// A connection whose handshake was not seen: for analysers that come into the middle of a capture. It reads one
    /// direction of it, towards a socket of the kind in `config`, from the beginning of a frame on. There is no
    /// [`ZmtpEvent::Ready`], and its output is for nobody. Of a whole capture, an engine that is [new](Self::new) finds out
    /// the version by itself.
    ///
    /// ```
    /// use std::{sync::Arc, time::Instant};
    ///
    /// use bytes::Bytes;
    /// use zerorpc_proto::transport::SocketKind;
    /// use zerorpc_zmtp::{Engine, EngineConfig, ZmtpEvent, ZmtpVersion};
    ///
    /// let config = Arc::new(EngineConfig::new(SocketKind::Router));
    /// let mut engine = Engine::resume(config, ZmtpVersion::V3_1, Instant::now());
    /// engine.handle_chunk(Instant::now(), Bytes::from_static(b"\x01\x00\x00\x04ping"))?;
    /// let Some(ZmtpEvent::Message(frames)) = engine.poll_event() else { panic!("it is all there") };
    /// assert_eq!(frames[..], ["", "ping"]);
    /// # Ok::<(), zerorpc_zmtp::Violation>(())
    /// ```
    #[must_use]
    pub fn resume(config: Arc<EngineConfig>, version: ZmtpVersion, now: Instant) -> Self {
        let metadata = Vec::new();
        let peer = PeerInfo {
            version,
            socket_type: None,
            identity: Bytes::new(),
            goaway: false,
            lossless: false,
            metadata,
            principal: None,
        };
        let traffic = Traffic::new(&config, &peer, now);
        let outbox = Outbox::default();
        Self { config, now, phase: Phase::Traffic(traffic), outbox, events: VecDeque::new() }
    }

    /// How to read from the socket next.
    pub fn want(&mut self) -> Want<'_> {
        match &mut self.phase {
            Phase::Traffic(traffic) => match traffic.decoder().direct() {
                Some(missing) => Want::Body(missing),
                None => Want::Chunk,
            },
            Phase::Handshake { .. } | Phase::Dead(_) => Want::Chunk,
        }
    }

    /// Takes bytes from the peer, any number of them.
    ///
    /// # Errors
    /// When the peer broke the protocol or a limit, or does not fit. The same again on a dead engine.
    pub fn handle_chunk(&mut self, now: Instant, chunk: Bytes) -> Result<(), Violation> {
        self.now = self.now.max(now);
        if let Phase::Dead(violation) = &self.phase {
            return Err(violation.clone());
        }
        if chunk.is_empty() {
            return Ok(());
        }
        let read = self.read(&mut Input::new(chunk));
        read.map_err(|violation| self.die(violation))
    }

    /// Takes note of `count` bytes that were read into the slice of [`Want::Body`].
    ///
    /// # Errors
    /// As [`handle_chunk`](Self::handle_chunk).
    pub fn handle_body(&mut self, now: Instant, count: usize) -> Result<(), Violation> {
        self.now = self.now.max(now);
        match &mut self.phase {
            Phase::Handshake { .. } => Ok(()),
            Phase::Traffic(traffic) => {
                traffic.decoder().filled(count);
                let read = self.read(&mut Input::new(Bytes::new()));
                read.map_err(|violation| self.die(violation))
            }
            Phase::Dead(violation) => Err(violation.clone()),
        }
    }

    fn read(&mut self, input: &mut Input) -> Result<(), Violation> {
        if matches!(self.phase, Phase::Handshake { .. }) {
            self.shake_hands(input)?;
        }
        match &mut self.phase {
            Phase::Traffic(traffic) => {
                traffic.receive(self.now, input, &mut self.outbox, &mut self.events)
            }
            Phase::Handshake { .. } | Phase::Dead(_) => Ok(()),
        }
    }

    /// Goes on with the handshake, and from there to traffic.
    #[cold]
    fn shake_hands(&mut self, input: &mut Input) -> Result<(), Violation> {
        // Stays only if this unwinds: an error ends in `die`, everything else puts in the next phase.
        let gone = Phase::Dead(Violation::HandshakeTimeout(self.config.handshake_timeout));
        let phase = mem::replace(&mut self.phase, gone);
        let Phase::Handshake { handshake, deadline, subscriptions, remote } = phase else {
            self.phase = phase;
            return Ok(());
        };
        let context = Context { config: &self.config, remote: &remote };
        match handshake.receive(input, context, &mut self.outbox)? {
            Progress::Waiting(handshake) => {
                self.phase = Phase::Handshake { handshake, deadline, subscriptions, remote };
            }
            Progress::Done(peer, ciphers) => self.begin(peer, ciphers, subscriptions),
        }
        Ok(())
    }

    /// The handshake is over.
    fn begin(
        &mut self,
        peer: PeerInfo,
        ciphers: Option<Box<Ciphers>>,
        subscriptions: Vec<(Subscription, Bytes)>,
    ) {
        let version = peer.version;
        let mut traffic = Traffic::new(&self.config, &peer, self.now);
        if let Some(ciphers) = ciphers {
            let Ciphers { encryption, decryption } = *ciphers;
            traffic.decrypt(decryption);
            self.outbox.encrypt(encryption);
        }
        for (change, topic) in subscriptions {
            traffic.subscription(change, &topic, &mut self.outbox);
        }
        self.phase = Phase::Traffic(traffic);
        self.outbox.open(version.framing());
        self.events.push_back(ZmtpEvent::Ready(Box::new(peer)));
        // Such a subscriber sends no subscriptions and filters what it gets.
        if version == ZmtpVersion::Unversioned
            && self.config.kind == zerorpc_proto::transport::SocketKind::Pub
        {
            self.events.push_back(ZmtpEvent::Subscribe(Bytes::new()));
        }
    }

    #[cold]
    fn die(&mut self, violation: Violation) -> Violation {
        if let Some(words) = violation.last_words() {
            self.part(&words);
        }
        self.phase = Phase::Dead(violation.clone());
        self.outbox.shut();
        violation
    }

    /// Says why this side is about to end the connection, ahead of queued messages, if the handshake is over and the peer
    /// speaks ZMTP 3.1: peers other than our own pass over it. Of `words`, 255 bytes are sent.
    pub fn part(&mut self, words: &str) {
        if let Phase::Traffic(traffic) = &self.phase {
            traffic.part(words, &mut self.outbox);
        }
    }

    /// Has the peer asked whether it is still there: unless something is heard of it `within` that time, it is taken for
    /// gone. False where it cannot be asked: before the end of the handshake, and of peers older than ZMTP 3.1.
    pub fn probe(&mut self, now: Instant, within: Duration) -> bool {
        self.now = self.now.max(now);
        match &mut self.phase {
            Phase::Traffic(traffic) => traffic.probe(self.now, within, &mut self.outbox),
            Phase::Handshake { .. } | Phase::Dead(_) => false,
        }
    }

    /// What this side wants of the handshake.
    pub(crate) fn security(&self) -> &Security {
        &self.config.security
    }

    /// Whether this side has begun to show the key that it has, and was not answered to the end: peers that want nothing of
    /// it say nothing (25/ZMTP-CURVE).
    pub(crate) fn is_showing_key(&self) -> bool {
        matches!(&self.phase, Phase::Handshake { handshake, .. } if handshake.is_showing_key())
    }

    /// Whether this side has shown its password, and was not answered to the end.
    pub(crate) fn is_showing_password(&self) -> bool {
        matches!(&self.phase, Phase::Handshake { handshake, .. } if handshake.is_showing_password())
    }

    /// Whether the peer has said that it speaks ZMTP 3, but not with which mechanism.
    pub(crate) fn awaits_mechanism(&self) -> bool {
        matches!(&self.phase, Phase::Handshake { handshake, .. } if handshake.awaits_mechanism())
    }

    /// Whether the peer is told why the connection ends.
    #[must_use]
    pub fn has_parted(&self) -> bool {
        self.outbox.has_parted()
    }

    /// What the peer said of why it is about to end the connection, after the handshake. Only our own sockets say it, and
    /// nothing follows from it before the connection ends.
    #[must_use]
    pub fn told(&self) -> Option<&str> {
        match &self.phase {
            Phase::Traffic(traffic) => traffic.told(),
            Phase::Handshake { .. } | Phase::Dead(_) => None,
        }
    }

    /// After something that is not ZMTP, behind which a peer of ZMTP waits: the rest of a greeting, and why it is
    /// refused. Not where an identity stands in the way, which was sent already.
    pub(crate) fn refuse_unheard(&mut self, words: &str) {
        if matches!(self.phase, Phase::Dead(_)) && self.config.identity.as_bytes().is_empty() {
            greeting::finish(&self.config.security, &mut self.outbox);
            self.outbox.error(words);
        }
    }

    /// What happened next. Events from before a violation are still there after it.
    pub fn poll_event(&mut self) -> Option<ZmtpEvent> {
        if self.events.is_empty() && self.events.capacity() > IDLE_EVENTS {
            self.events = VecDeque::new();
        }
        self.events.pop_front()
    }

    /// Whether any byte of the peer has come.
    #[must_use]
    pub fn has_heard(&self) -> bool {
        match &self.phase {
            Phase::Handshake { handshake, .. } => handshake.has_heard(),
            Phase::Traffic(_) | Phase::Dead(_) => true,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None`: never, as things stand.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Handshake { deadline, .. } => *deadline,
            Phase::Traffic(traffic) => traffic.deadline(),
            Phase::Dead(_) => None,
        }
    }

    /// Does what is due. Pass on first what can be read: it may show that the peer is alive.
    ///
    /// # Errors
    /// When the handshake took too long, or the peer is silent where it should not be. The same again on a
    /// dead engine.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Violation> {
        self.now = self.now.max(now);
        let due = match &mut self.phase {
            Phase::Handshake { deadline, .. } => match deadline {
                Some(deadline) if *deadline <= self.now => {
                    Err(Violation::HandshakeTimeout(self.config.handshake_timeout))
                }
                _ => Ok(()),
            },
            Phase::Traffic(traffic) => traffic.expire(self.now, &mut self.outbox),
            Phase::Dead(violation) => return Err(violation.clone()),
        };
        due.map_err(|violation| self.die(violation))
    }

    /// Bytes held for the peer's frames and messages that are not complete.
    #[must_use]
    pub fn partial_bytes(&self) -> usize {
        match &self.phase {
            Phase::Handshake { handshake, .. } => handshake.partial_bytes(),
            Phase::Traffic(traffic) => traffic.partial_bytes(),
            Phase::Dead(_) => 0,
        }
    }
}
