//! Frames after the handshake.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use web_time::{Duration, Instant};
use zerorpc_proto::transport::SocketKind;

use super::{
    EngineConfig, Frames, PeerInfo, Violation, WireLimits, ZmtpEvent, ZmtpVersion,
    assembly::Assembly,
    command,
    command::Command,
    error::quote,
    frame::{Admission, Decoder},
    input::Input,
    liveness::Liveness,
    mechanism::Decryption,
    outbox::Outbox,
    socket_type,
};

/// A connection that carries messages.
#[derive(Debug)]
pub(super) struct Traffic {
    kind: SocketKind,
    limits: WireLimits,
    version: ZmtpVersion,
    /// The peer understands GOAWAY.
    goaway: bool,
    decoder: Decoder,
    assembly: Assembly,
    liveness: Liveness,
    /// Takes frames out of their boxes, where they are in any.
    decryption: Option<Box<Decryption>>,
    /// What the peer said about the end of the connection.
    told: Option<Box<str>>,
}

impl Traffic {
    pub(super) fn new(config: &EngineConfig, peer: &PeerInfo, now: Instant) -> Self {
        let version = peer.version;
        let heartbeat = config.heartbeat.as_ref().filter(|_| version >= ZmtpVersion::V3_1);
        let judges = socket_type::receives(config.kind);
        Self {
            kind: config.kind,
            limits: config.limits.for_kind(config.kind),
            version,
            goaway: peer.goaway,
            decoder: Decoder::with_buffers(version.framing(), Arc::clone(&config.buffers)),
            assembly: Assembly::default(),
            liveness: Liveness::new(heartbeat, judges, now),
            decryption: None,
            told: None,
        }
    }

    /// Takes frames out of boxes from now on.
    pub(super) fn decrypt(&mut self, decryption: Decryption) {
        self.decryption = Some(Box::new(decryption));
    }

    /// Reads all of `input`.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        input: &mut Input,
        outbox: &mut Outbox,
        events: &mut VecDeque<ZmtpEvent>,
    ) -> Result<(), Violation> {
        self.liveness.heard(now);
        match self.decryption.take() {
            None => self.receive_plain(now, input, outbox, events)?,
            Some(mut decryption) => {
                let decrypted = self.receive_encrypted(now, input, &mut decryption, outbox, events);
                decryption.rest();
                self.decryption = Some(decryption);
                decrypted?;
            }
        }
        self.assembly.detach(input.len());
        Ok(())
    }

    fn receive_plain(
        &mut self,
        now: Instant,
        input: &mut Input,
        outbox: &mut Outbox,
        events: &mut VecDeque<ZmtpEvent>,
    ) -> Result<(), Violation> {
        loop {
            let Self { limits, decoder, assembly, .. } = self;
            let frame = decoder.next(input, |header| {
                if !header.command {
                    return assembly.admit(header.size, limits).map(|()| Admission::Whole);
                }
                let is_small = header.size <= limits.command_bytes;
                Ok(if is_small { Admission::Whole } else { Admission::Name })
            })?;
            let Some(frame) = frame else { return Ok(()) };
            self.liveness.kept_promise();
            if frame.command {
                match self.decoder.skipped() {
                    Some(size) => self.refuse_large(size, &frame.body)?,
                    None => self.obey(now, &frame.body, outbox, events),
                }
            } else if let Some(message) = self.assembly.push(frame) {
                deliver(message, self.kind, events);
            }
        }
    }

    fn receive_encrypted(
        &mut self,
        now: Instant,
        input: &mut Input,
        decryption: &mut Decryption,
        outbox: &mut Outbox,
        events: &mut VecDeque<ZmtpEvent>,
    ) -> Result<(), Violation> {
        loop {
            let Self { limits, decoder, assembly, .. } = self;
            let raw = decoder.next_raw(input, |header| {
                // Whether it is a command is not known before it is there, but for those that are too large for one.
                let size = Decryption::size_within(header);
                if let Some(size) = size.filter(|size| *size > limits.command_bytes) {
                    assembly.check(size, limits)?;
                }
                Ok(Admission::Whole)
            })?;
            let Some((header, body)) = raw else { return Ok(()) };
            let ahead = input.rest().len();
            let frame = decryption.open(header, body, ahead, &**decoder.buffers())?;
            self.liveness.kept_promise();
            let size = frame.body.len() as u64;
            if frame.command {
                if size > self.limits.command_bytes {
                    self.refuse_large(size, &frame.body)?;
                } else {
                    self.obey(now, &frame.body, outbox, events);
                }
                continue;
            }
            self.assembly.admit(size, &self.limits)?;
            if let Some(message) = self.assembly.push(frame) {
                deliver(message, self.kind, events);
            }
        }
    }

    /// A command that is too large is passed over, unless it is one that we know.
    #[cold]
    fn refuse_large(&self, size: u64, body: &[u8]) -> Result<(), Violation> {
        if command::is_known(body) {
            return Err(Violation::CommandTooLarge { size, limit: self.limits.command_bytes });
        }
        Ok(())
    }

    /// Does what a command says.
    #[cold]
    fn obey(
        &mut self,
        now: Instant,
        body: &[u8],
        outbox: &mut Outbox,
        events: &mut VecDeque<ZmtpEvent>,
    ) {
        match Command::read(body) {
            Command::Ping { ttl, context } => {
                self.liveness.promised(now, ttl);
                outbox.pong(context, self.limits.pong_bytes);
            }
            Command::GoAway { is_last } if self.kind == SocketKind::Dealer => {
                events.push_back(ZmtpEvent::GoAway { is_last });
            }
            Command::Error(reason) => {
                self.told = Some(quote(reason).into());
            }
            other => events.extend(subscription(other, self.kind)),
        }
    }

    /// Says why the connection ends, if the peer is sure to pass over it: some of 3.0 take it for a message.
    pub(super) fn part(&self, words: &str, outbox: &mut Outbox) {
        if self.version >= ZmtpVersion::V3_1 {
            outbox.error(words);
        }
    }

    /// Asks a peer that may be asked whether it is still there.
    pub(super) fn probe(&mut self, now: Instant, within: Duration, outbox: &mut Outbox) -> bool {
        let can_answer = self.version >= ZmtpVersion::V3_1;
        if can_answer {
            self.liveness.probe(now, within);
            outbox.ping(0);
        }
        can_answer
    }

    /// See [`Engine::told`](super::Engine::told).
    pub(super) fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }

    pub(super) fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.liveness.deadline()
    }

    /// Whether the peer understands GOAWAY.
    pub(super) fn understands_goaway(&self) -> bool {
        self.goaway
    }

    /// Some of the output was written.
    pub(super) fn spoke(&mut self) {
        self.liveness.spoke();
    }

    pub(super) fn expire(&mut self, now: Instant, outbox: &mut Outbox) -> Result<(), Violation> {
        if let Some(tenths) = self.liveness.expire(now, outbox.has_output())? {
            outbox.ping(tenths);
        }
        Ok(())
    }

    /// Tells a publisher what we want, as its version wants it told. A 1.0 publisher wants nothing: it
    /// sends everything to everyone.
    pub(super) fn subscription(&self, change: Subscription, topic: &[u8], outbox: &mut Outbox) {
        let (name, byte) = match change {
            Subscription::Begin => ("SUBSCRIBE", 1),
            Subscription::End => ("CANCEL", 0),
        };
        match self.version {
            ZmtpVersion::Unversioned => {}
            ZmtpVersion::V3_1 => outbox.command(name, &[topic]),
            older => outbox.frame(older.framing(), &[&[byte], topic]),
        }
    }

    /// Bytes held for frames and messages that are not complete.
    pub(super) fn partial_bytes(&self) -> usize {
        self.decoder.partial_bytes() + self.assembly.partial_bytes()
    }
}

/// What happens to a subscription.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subscription {
    Begin,
    End,
}

/// What a command means to a publisher. Topics are copied: they may live as long as the connection.
fn subscription(command: Command<'_>, kind: SocketKind) -> Option<ZmtpEvent> {
    match command {
        Command::Subscribe(topic) if kind == SocketKind::Pub => {
            Some(ZmtpEvent::Subscribe(Bytes::copy_from_slice(topic)))
        }
        Command::Cancel(topic) if kind == SocketKind::Pub => {
            Some(ZmtpEvent::Cancel(Bytes::copy_from_slice(topic)))
        }
        _ => None,
    }
}

/// Hands on a message as what it means to a socket of our kind, if anything.
fn deliver(message: Frames, kind: SocketKind, events: &mut VecDeque<ZmtpEvent>) {
    if kind == SocketKind::Pub {
        events.extend(message.iter().filter_map(|frame| match **frame {
            [1, ref topic @ ..] => Some(ZmtpEvent::Subscribe(Bytes::copy_from_slice(topic))),
            [0, ref topic @ ..] => Some(ZmtpEvent::Cancel(Bytes::copy_from_slice(topic))),
            _ => None,
        }));
    } else if socket_type::receives(kind) {
        events.push_back(ZmtpEvent::Message(message));
    }
}
