//! Greetings and READY, as they should be and otherwise.

use std::time::Duration;

use super::{
    Bytes, Peer,
    frame::{COMMAND, Command, Frame, Framing, Property, command, property, read_properties},
};
use crate::{
    event::shown_bytes,
    failure::{Failure, ensure},
};

/// So long may each step of a handshake take.
const WITHIN: Duration = Duration::from_secs(10);

/// Versions of ZMTP that a connection may open with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// No signature: an identity, then messages.
    V1_0,
    /// A signature, and a revision that is zero: frames of 1.0 behind it.
    V1_0Signed,
    /// A signature, a revision and a type.
    V2_0,
    /// A greeting of 64 bytes with this major and this minor version.
    V3(u8, u8),
}

/// What this side says of itself in a handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// How it begins.
    pub version: Version,
    /// `DEALER`, `ROUTER`; left out of READY where it is empty.
    pub socket_type: String,
    /// Left out of READY where there is none.
    pub identity: Option<Vec<u8>>,
    /// More of READY, in front of the others.
    pub properties: Vec<Property>,
}

impl Handshake {
    /// ZMTP 3.1 as a socket of this type without an identity.
    #[must_use]
    pub fn new(socket_type: &str) -> Self {
        Self {
            version: Version::V3(3, 1),
            socket_type: socket_type.to_owned(),
            identity: None,
            properties: Vec::new(),
        }
    }

    /// The same in another version.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// The same with an identity.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// The same with one more property.
    #[must_use]
    pub fn property(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// The 64 bytes of a greeting in 3.x.
    #[must_use]
    pub fn greeting(&self) -> Vec<u8> {
        let (major, minor) = match self.version {
            Version::V3(major, minor) => (major, minor),
            _ => (3, 1),
        };
        let mut bytes = signature(self.identity.as_ref().map_or(0, Vec::len));
        bytes.extend_from_slice(&[major, minor]);
        bytes.extend_from_slice(b"NULL");
        bytes.resize(64, 0);
        bytes
    }

    /// READY as a whole frame.
    #[must_use]
    pub fn ready(&self) -> Vec<u8> {
        let mut data: Vec<u8> =
            self.properties.iter().flat_map(|(name, value)| property(name, value)).collect();
        if !self.socket_type.is_empty() {
            data.extend(property(b"Socket-Type", self.socket_type.as_bytes()));
        }
        if let Some(identity) = &self.identity {
            data.extend(property(b"Identity", identity));
        }
        Framing::V2.frame(COMMAND, &command("READY", &data))
    }

    /// The number that this socket type has in 2.0.
    fn type_byte(&self) -> u8 {
        const TYPES: [&str; 9] =
            ["PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH"];
        let place = TYPES.iter().position(|known| *known == self.socket_type);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }
}

/// What a greeting begins with: the first ten bytes, which say to peers of 1.0 that an identity of this size follows.
#[must_use]
pub fn signature(identity: usize) -> Vec<u8> {
    let length = (identity as u64).wrapping_add(1).to_be_bytes();
    [&[0xff][..], &length, &[0x7f]].concat()
}

impl Bytes {
    /// Shakes hands as a socket of this type with ZMTP 3.1 and NULL.
    ///
    /// # Errors
    /// When the other side does not.
    pub fn shake_hands(self, socket_type: &str) -> Result<Peer, Failure> {
        self.shake_hands_as(&Handshake::new(socket_type))
    }

    /// Shakes hands as told.
    ///
    /// # Errors
    /// When the other side does not.
    pub fn shake_hands_as(mut self, handshake: &Handshake) -> Result<Peer, Failure> {
        let identity = handshake.identity.as_deref().unwrap_or_default();
        let framing = match handshake.version {
            Version::V3(..) => {
                let greeting = handshake.greeting();
                self.note(&format!(">> {}", shown_greeting(&greeting)));
                self.send_unseen(&greeting)?;
                self.expect_greeting()?;
                return self.finish_handshake(handshake);
            }
            Version::V1_0 => {
                self.send(&Framing::V1.frame(0, identity))?;
                self.expect_signature()?;
                // The signature is the head of the identity, which is as long as it says.
                return Ok(Peer::new(self, Framing::V1));
            }
            Version::V1_0Signed => Framing::V1,
            Version::V2_0 => Framing::V2,
        };
        self.send(&signature(identity.len()))?;
        self.expect_signature()?;
        let revision = u8::from(framing == Framing::V2);
        self.send(&[revision, handshake.type_byte()])?;
        self.send(&framing.frame(0, identity))?;
        self.receive(2, WITHIN)
            .map_err(|failure| failure.during("a revision and a socket type"))?;
        self.receive_frame(framing, WITHIN)
            .and_then(|frame| frame.ok_or_else(|| Failure::new("an identity", "silence")))
            .map_err(|failure| failure.during("the frame with an identity"))?;
        Ok(Peer::new(self, framing))
    }

    /// Sends READY behind greetings that were exchanged, and takes the other side's.
    ///
    /// # Errors
    /// When none comes.
    pub fn finish_handshake(mut self, handshake: &Handshake) -> Result<Peer, Failure> {
        self.send(&handshake.ready())?;
        self.expect_ready()?;
        Ok(self.shaken())
    }

    /// A connection whose handshake, in 3.x, the case has gone through by itself.
    #[must_use]
    pub fn shaken(self) -> Peer {
        Peer::new(self, Framing::V2)
    }

    /// The same, where READY of the other side, which comes before anything else, may be missing.
    #[must_use]
    pub fn shaken_after_ready(mut self) -> Peer {
        let _ = self.expect_ready();
        self.shaken()
    }

    /// The first ten bytes of the other side.
    ///
    /// # Errors
    /// When it sends others.
    pub fn expect_signature(&mut self) -> Result<Vec<u8>, Failure> {
        let bytes = self.receive(10, WITHIN).map_err(|failure| failure.during("the signature"))?;
        let right = bytes[0] == 0xff && bytes[9] & 1 == 1;
        ensure(right, "a signature (FF, 8 bytes, 7F)", shown_bytes(&bytes))?;
        Ok(bytes)
    }

    /// The whole greeting of the other side, of ZMTP 3.x with NULL.
    ///
    /// # Errors
    /// When it sends another.
    pub fn expect_greeting(&mut self) -> Result<Vec<u8>, Failure> {
        let bytes =
            self.receive_unseen(64, WITHIN).map_err(|failure| failure.during("the greeting"))?;
        self.note(&format!("<< {}", shown_greeting(&bytes)));
        let signed = bytes[0] == 0xff && bytes[9] & 1 == 1;
        ensure(signed, "a signature (FF, 8 bytes, 7F)", shown_bytes(&bytes[..10]))?;
        ensure(
            bytes[10] >= 3,
            "a version of at least 3 in the greeting",
            format!("{}", bytes[10]),
        )?;
        let mechanism = &bytes[12..32];
        let null = mechanism.starts_with(b"NULL\0") && mechanism[4..].iter().all(|byte| *byte == 0);
        ensure(null, "the mechanism NULL, padded with zeros", shown_bytes(mechanism))?;
        Ok(bytes)
    }

    /// READY of the other side, and its properties.
    ///
    /// # Errors
    /// When something else comes.
    pub fn expect_ready(&mut self) -> Result<Vec<Property>, Failure> {
        let seen = self.expect_command_frame(WITHIN).map_err(|failure| failure.during("READY"))?;
        ensure(seen.name == "READY", "the command READY", seen.to_string())?;
        read_properties(&seen.data).map_err(|error| Failure::new("properties in READY", error))
    }

    /// A frame that is a command, next.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub fn expect_command_frame(&mut self, within: Duration) -> Result<Command, Failure> {
        let frame = self
            .receive_frame(Framing::V2, within)?
            .ok_or_else(|| Failure::new(format!("a command within {within:?}"), "silence"))?;
        ensure(
            frame.is_command(),
            "a command",
            format!("a frame with {}", shown_bytes(&frame.body)),
        )?;
        let command = frame.as_command();
        self.note(&format!("<< command {command}"));
        Ok(command)
    }
}

/// A greeting of 3.x for people: in words where it is as usual.
fn shown_greeting(bytes: &[u8]) -> String {
    let (head, rest) = bytes.split_at(bytes.len().min(12));
    let usual = head.first() == Some(&0xff)
        && head.get(9) == Some(&0x7f)
        && rest.strip_prefix(b"NULL").is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
    match head {
        [.., major, minor] if usual => format!("greeting of ZMTP {major}.{minor}, NULL"),
        _ => format!("greeting {}", shown_bytes(bytes)),
    }
}

/// The properties of a READY as one looks for them: names without regard to case.
#[must_use]
pub fn find_property<'a>(properties: &'a [Property], name: &str) -> Option<&'a [u8]> {
    let found = properties.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| value.as_slice())
}

impl Frame {
    /// It for people.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.is_command() {
            format!("command {}", self.as_command())
        } else {
            format!("a frame with {}", shown_bytes(&self.body))
        }
    }
}
