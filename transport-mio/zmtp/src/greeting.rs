//! The first bytes of a connection, and the version that they lead to.
//!
//! Neither side waits for the other, and neither sends more than the other is known to understand: ten bytes
//! that a 1.0 peer takes for the header of an identity frame, the eleventh after the peer's ten, the rest
//! after the peer's eleventh.

use zerorpc_proto::transport::{MechanismName, Security};

use super::{
    EngineConfig, SocketType, Violation, ZmtpVersion, error::show, frame::Framing, input::Input,
    outbox::Outbox,
};

const LEN: usize = 64;
const MECHANISM: std::ops::Range<usize> = 12..32;

/// Whether the peer is the server of its mechanism.
const AS_SERVER: usize = 32;

/// What has been read of a greeting.
#[derive(Debug)]
pub(super) struct Greeting {
    bytes: [u8; LEN],
    filled: usize,
    stage: Stage,
}

/// What is being read.
#[derive(Debug, Clone, Copy)]
enum Stage {
    FirstByte,
    Signature,
    Version,
    OldSocketType,
    Mechanism,
    Rest,
}

impl Stage {
    /// Bytes of the greeting that have to be there.
    fn needs(self) -> usize {
        match self {
            Self::FirstByte => 1,
            Self::Signature => 10,
            Self::Version => 11,
            Self::OldSocketType => 12,
            Self::Mechanism => MECHANISM.end,
            Self::Rest => LEN,
        }
    }
}

/// What a greeting comes to.
#[derive(Debug)]
pub(super) enum Greeted {
    /// Not all of it is there.
    Waiting(Greeting),
    /// A 1.0 peer: what was read is the beginning of its first frame.
    Unversioned(Vec<u8>),
    /// A peer of 1.0 or 2.0 with a version byte; its identity frame is next.
    Old(ZmtpVersion, Option<SocketType>),
    /// A 3.x peer with the same mechanism; its first command is next.
    Modern(ZmtpVersion),
}

impl Greeting {
    /// Sends the ten bytes that every version understands.
    pub(super) fn start(config: &EngineConfig, outbox: &mut Outbox) -> Self {
        let length = config.identity.as_bytes().len() as u64 + 1;
        outbox.raw(&[0xff]);
        outbox.raw(&length.to_be_bytes());
        outbox.raw(&[0x7f]);
        Self { bytes: [0; LEN], filled: 0, stage: Stage::FirstByte }
    }

    /// Whether the peer has said that it speaks ZMTP 3, but not with which mechanism.
    pub(super) fn awaits_mechanism(&self) -> bool {
        matches!(self.stage, Stage::Mechanism)
    }

    /// Whether any of the peer's is there.
    pub(super) fn has_begun(&self) -> bool {
        self.filled > 0
    }

    /// Reads on; answers as soon as it is clear what the peer understands.
    pub(super) fn receive(
        mut self,
        input: &mut Input,
        config: &EngineConfig,
        outbox: &mut Outbox,
    ) -> Result<Greeted, Violation> {
        loop {
            let needs = self.stage.needs();
            let read = input.read(needs - self.filled);
            self.bytes[self.filled..self.filled + read.len()].copy_from_slice(read);
            self.filled += read.len();
            if self.filled < needs {
                return Ok(Greeted::Waiting(self));
            }
            self.stage = match self.stage {
                Stage::FirstByte if self.bytes[0] == 0xff => Stage::Signature,
                Stage::Signature if self.bytes[9] & 1 == 1 => {
                    outbox.raw(&[3]);
                    Stage::Version
                }
                Stage::FirstByte | Stage::Signature => {
                    refuse_downgrade(ZmtpVersion::Unversioned, config)?;
                    outbox.raw(config.identity.as_bytes());
                    return Ok(Greeted::Unversioned(self.bytes[..self.filled].to_vec()));
                }
                Stage::Version => match self.old_version() {
                    Some(version) => {
                        refuse_downgrade(version, config)?;
                        answer_old(version.framing(), config, outbox);
                        Stage::OldSocketType
                    }
                    None => {
                        answer_modern(&config.security, outbox);
                        Stage::Mechanism
                    }
                },
                Stage::OldSocketType => {
                    let version = self.old_version().unwrap_or(ZmtpVersion::V2_0);
                    return Ok(Greeted::Old(version, SocketType::from_number(self.bytes[11])));
                }
                Stage::Mechanism => {
                    self.compare_mechanism(config.security.mechanism().as_str())?;
                    Stage::Rest
                }
                Stage::Rest if config.security.is_server() && self.bytes[AS_SERVER] == 1 => {
                    let mechanism = config.security.mechanism().as_str();
                    return Err(Violation::BothServers { mechanism });
                }
                Stage::Rest => return Ok(Greeted::Modern(self.modern_version())),
            };
        }
    }

    /// The version, when it is older than 3.0.
    fn old_version(&self) -> Option<ZmtpVersion> {
        match self.bytes[10] {
            0 => Some(ZmtpVersion::V1_0),
            1 => Some(ZmtpVersion::V2_0),
            _ => None,
        }
    }

    /// The version, when it is not older: 3.0, or the latest we know.
    fn modern_version(&self) -> ZmtpVersion {
        match self.bytes[10..12] {
            [3, 0] => ZmtpVersion::V3_0,
            _ => ZmtpVersion::V3_1,
        }
    }

    fn compare_mechanism(&self, ours: &'static str) -> Result<(), Violation> {
        let theirs = &self.bytes[MECHANISM];
        if theirs == padded(ours) {
            return Ok(());
        }
        let name = theirs.split(|&byte| byte == 0).next().unwrap_or_default();
        Err(Violation::Mechanism { ours, theirs: show(name) })
    }
}

/// Versions before 3.0 know no mechanism: what requires one must not fall back to them.
fn refuse_downgrade(version: ZmtpVersion, config: &EngineConfig) -> Result<(), Violation> {
    match config.security.mechanism() {
        MechanismName::Null => Ok(()),
        other => Err(Violation::Downgrade { version, mechanism: other.as_str() }),
    }
}

fn answer_old(framing: Framing, config: &EngineConfig, outbox: &mut Outbox) {
    outbox.raw(&[SocketType::from(config.kind).number()]);
    outbox.frame(framing, &[config.identity.as_bytes()]);
}

/// Everything behind the ten bytes, to a peer that was not listened to.
pub(super) fn finish(security: &Security, outbox: &mut Outbox) {
    outbox.raw(&[3]);
    answer_modern(security, outbox);
}

/// Minor version, mechanism, role, filler.
fn answer_modern(security: &Security, outbox: &mut Outbox) {
    outbox.raw(&[1]);
    outbox.raw(&padded(security.mechanism().as_str()));
    outbox.raw(&[u8::from(security.is_server())]);
    outbox.raw(&[0; 31]);
}

fn padded(name: &str) -> [u8; 20] {
    let mut field = [0; 20];
    field[..name.len()].copy_from_slice(name.as_bytes());
    field
}
