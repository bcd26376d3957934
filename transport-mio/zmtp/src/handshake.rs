//! From the first byte to the moment when messages may flow.

use std::sync::Arc;

use bytes::Bytes;
use zerorpc_proto::transport::{Credential, Principal};

use super::{
    EngineConfig, Identity, PeerInfo, SocketType, Violation, ZmtpVersion,
    frame::{Admission, Decoder, Framing},
    greeting::{Greeted, Greeting},
    input::Input,
    mechanism::{Agreement, Ciphers, Context, Dialogue, Turn},
    metadata::Metadata,
    outbox::Outbox,
};

/// Where a handshake stands.
#[derive(Debug)]
pub(super) enum Handshake {
    Greeting(Greeting),
    /// Before ZMTP 3.0, the first frame is the peer's identity.
    Identity {
        version: ZmtpVersion,
        socket_type: Option<SocketType>,
        decoder: Decoder,
    },
    Mechanism {
        version: ZmtpVersion,
        dialogue: Dialogue,
        decoder: Decoder,
    },
}

/// What bytes lead to.
#[derive(Debug)]
pub(super) enum Progress {
    /// All of them are read and more are needed.
    Waiting(Handshake),
    /// The handshake is over; what is left of the bytes are frames.
    Done(PeerInfo, Option<Box<Ciphers>>),
}

impl Handshake {
    /// Sends what is sent unasked.
    pub(super) fn start(config: &EngineConfig, outbox: &mut Outbox) -> Self {
        Self::Greeting(Greeting::start(config, outbox))
    }

    /// Goes as far as the bytes lead.
    pub(super) fn receive(
        mut self,
        input: &mut Input,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Progress, Violation> {
        let config = context.config;
        loop {
            self = match self {
                Self::Greeting(greeting) => match greeting.receive(input, config, outbox)? {
                    Greeted::Waiting(greeting) => {
                        return Ok(Progress::Waiting(Self::Greeting(greeting)));
                    }
                    Greeted::Unversioned(read) => Self::Identity {
                        version: ZmtpVersion::Unversioned,
                        socket_type: None,
                        decoder: Decoder::resume(Framing::V1, &read),
                    },
                    Greeted::Old(version, socket_type) => {
                        let decoder = Decoder::new(version.framing());
                        Self::Identity { version, socket_type, decoder }
                    }
                    Greeted::Modern(version) => Self::Mechanism {
                        version,
                        dialogue: Dialogue::start(context, outbox)?,
                        decoder: Decoder::new(Framing::V3),
                    },
                },
                Self::Identity { version, socket_type, mut decoder } => {
                    return match identity(&mut decoder, input)? {
                        Some(identity) => {
                            let metadata =
                                Metadata { socket_type, identity, ..Metadata::default() };
                            let principal = context.admit(Credential::Anonymous)?;
                            Ok(Progress::Done(info(version, metadata, principal), None))
                        }
                        None => {
                            Ok(Progress::Waiting(Self::Identity { version, socket_type, decoder }))
                        }
                    };
                }
                Self::Mechanism { version, dialogue, mut decoder } => {
                    let limit = dialogue.limit(context.config);
                    let Some(body) = command(&mut decoder, input, limit)? else {
                        return Ok(Progress::Waiting(Self::Mechanism {
                            version,
                            dialogue,
                            decoder,
                        }));
                    };
                    match dialogue.receive(&body, context, outbox)? {
                        Turn::Next(dialogue) => Self::Mechanism { version, dialogue, decoder },
                        Turn::Done(Agreement { metadata, principal, ciphers }) => {
                            let peer = info(version, metadata, principal);
                            return Ok(Progress::Done(peer, ciphers));
                        }
                    }
                }
            }
        }
    }

    /// Whether any byte has come.
    pub(super) fn has_heard(&self) -> bool {
        match self {
            Self::Greeting(greeting) => greeting.has_begun(),
            Self::Identity { .. } | Self::Mechanism { .. } => true,
        }
    }

    /// Whether a peer of ZMTP 3 has not said which mechanism it speaks.
    pub(super) fn awaits_mechanism(&self) -> bool {
        matches!(self, Self::Greeting(greeting) if greeting.awaits_mechanism())
    }

    /// Whether a client of PLAIN is at it.
    pub(super) fn is_showing_password(&self) -> bool {
        matches!(self, Self::Mechanism { dialogue: Dialogue::PlainClient(_), .. })
    }

    /// Whether a client of CURVE is at it.
    pub(super) fn is_showing_key(&self) -> bool {
        matches!(self, Self::Mechanism { dialogue: Dialogue::CurveClient(_), .. })
    }

    /// Bytes reserved for a frame of which not all has arrived.
    pub(super) fn partial_bytes(&self) -> usize {
        match self {
            Self::Greeting(_) => 0,
            Self::Identity { decoder, .. } | Self::Mechanism { decoder, .. } => {
                decoder.partial_bytes()
            }
        }
    }
}

/// What the handshake has told of the peer.
fn info(version: ZmtpVersion, metadata: Metadata, principal: Arc<Principal>) -> PeerInfo {
    PeerInfo {
        version,
        socket_type: metadata.socket_type,
        identity: metadata.identity,
        goaway: metadata.goaway,
        lossless: metadata.lossless,
        metadata: metadata.others,
        principal: Some(principal),
    }
}

/// The next frame as an identity, copied: it may live as long as the connection.
fn identity(decoder: &mut Decoder, input: &mut Input) -> Result<Option<Bytes>, Violation> {
    let frame = decoder.next(input, |header| {
        if header.size > Identity::MAX_LEN as u64 {
            return Err(Violation::IdentityTooLong(header.size));
        }
        Ok(Admission::Whole)
    })?;
    Ok(frame.map(|frame| Bytes::copy_from_slice(&frame.body)))
}

/// The next frame as a command. Whether it says that it is one is not looked at, as libzmq doesn't.
fn command(
    decoder: &mut Decoder,
    input: &mut Input,
    limit: u64,
) -> Result<Option<Bytes>, Violation> {
    let frame = decoder.next(input, |header| {
        if header.size > limit {
            return Err(Violation::CommandTooLarge { size: header.size, limit });
        }
        Ok(Admission::Whole)
    })?;
    Ok(frame.map(|frame| frame.body))
}
