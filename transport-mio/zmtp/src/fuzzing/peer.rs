//! A peer that is written down by the specifications of ZMTP, not with our code.

use arbitrary::Unstructured;

use crate::ZmtpVersion;

/// The kinds of sockets and their numbers in ZMTP 2.0, and one that there is not.
const KINDS: [(&str, u8); 12] = [
    ("DEALER", 5),
    ("ROUTER", 6),
    ("PUSH", 8),
    ("PULL", 7),
    ("PUB", 1),
    ("SUB", 2),
    ("REQ", 3),
    ("REP", 4),
    ("XPUB", 9),
    ("XSUB", 10),
    ("PAIR", 0),
    ("CLIENT", 13),
];

/// What a peer asks for in its greeting, and says after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    Null,
    PlainClient {
        username: &'a [u8],
        password: &'a [u8],
    },
    PlainServer,
    /// A mechanism that our side does not have here.
    Curve,
}

impl Shown<'_> {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient { .. } | Self::PlainServer => "PLAIN",
            Self::Curve => "CURVE",
        }
    }
}

/// What a peer is, and all that it says.
#[derive(Debug)]
pub(super) struct Peer<'a> {
    pub(super) version: ZmtpVersion,
    pub(super) kind: (&'static str, u8),
    pub(super) security: Shown<'a>,
    pub(super) identity: &'a [u8],
    pub(super) understands_goaway: bool,
    /// Further properties.
    pub(super) properties: Vec<(&'a [u8], &'a [u8])>,
    /// Messages after the handshake.
    pub(super) messages: Vec<Vec<Vec<u8>>>,
    /// From the first byte to the last.
    pub(super) bytes: Vec<u8>,
}

impl<'a> Peer<'a> {
    pub(super) fn new(script: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let version = *script.choose(&[
            ZmtpVersion::V3_1,
            ZmtpVersion::V3_0,
            ZmtpVersion::V2_0,
            ZmtpVersion::V1_0,
            ZmtpVersion::Unversioned,
        ])?;
        let security = match script.int_in_range(0..=7_u8)? {
            0..=3 => Shown::Null,
            4 => Shown::PlainServer,
            5 | 6 => Shown::PlainClient { username: short(script)?, password: short(script)? },
            _ => Shown::Curve,
        };
        let mut peer = Self {
            version,
            kind: *script.choose(&KINDS)?,
            security,
            identity: short(script)?,
            understands_goaway: script.arbitrary()?,
            properties: Vec::new(),
            messages: Vec::new(),
            bytes: Vec::new(),
        };
        for _ in 0..script.int_in_range(0..=2_u8)? {
            let name = short(script)?;
            let is_ours = ["Socket-Type", "Identity", "X-Goaway"]
                .iter()
                .any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()));
            if !is_ours {
                peer.properties.push((name, short(script)?));
            }
        }
        peer.greet(script)?;
        for _ in 0..script.int_in_range(0..=4_u8)? {
            peer.say(script)?;
        }
        Ok(peer)
    }

    fn is_modern(&self) -> bool {
        self.version >= ZmtpVersion::V3_0
    }

    fn greet(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.version == ZmtpVersion::Unversioned {
            return self.frame(script, false, false, self.identity);
        }
        self.bytes.push(0xff);
        self.bytes.extend((self.identity.len() as u64 + 1).to_be_bytes());
        self.bytes.push(0x7f);
        match self.version {
            ZmtpVersion::V1_0 => self.bytes.extend([0, self.kind.1]),
            ZmtpVersion::V2_0 => self.bytes.extend([1, self.kind.1]),
            ZmtpVersion::V3_0 => self.bytes.extend([3, 0]),
            // What comes after 3.1 is to be taken for it.
            _ => self.bytes.extend(script.choose(&[[3, 1], [3, 2], [4, 0], [2, 0], [255, 255]])?),
        }
        if !self.is_modern() {
            return self.frame(script, false, false, self.identity);
        }
        let name = self.security.name();
        self.bytes.extend(name.bytes());
        self.bytes.extend(vec![0; 20 - name.len()]);
        self.bytes.push(u8::from(self.security == Shown::PlainServer));
        self.bytes.extend([0; 31]);
        let properties = self.properties();
        match self.security {
            Shown::Null | Shown::Curve => self.command(script, "READY", &properties),
            Shown::PlainServer => {
                self.command(script, "WELCOME", &[])?;
                self.command(script, "READY", &properties)
            }
            Shown::PlainClient { username, password } => {
                let sized = |text: &[u8]| [&[text.len() as u8], text].concat();
                let hello = [sized(username), sized(password)].concat();
                self.command(script, "HELLO", &hello)?;
                self.command(script, "INITIATE", &properties)
            }
        }
    }

    fn properties(&self) -> Vec<u8> {
        let identity = (&b"Identity"[..], self.identity);
        let goaway = (&b"x-GOAWAY"[..], &b"1"[..]);
        let all = [(&b"Socket-Type"[..], self.kind.0.as_bytes()), identity];
        let mut out = Vec::new();
        let goaway = self.understands_goaway.then_some(goaway);
        for (name, value) in all.into_iter().chain(goaway).chain(self.properties.iter().copied()) {
            out.push(name.len() as u8);
            out.extend(name);
            out.extend((value.len() as u32).to_be_bytes());
            out.extend(value);
        }
        out
    }

    /// A message, or a command that means nothing to most.
    fn say(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.is_modern() && script.ratio(1_u8, 3_u8)? {
            let name = *script.choose(&["PONG", "PING", "ERROR", "STRANGE"])?;
            return match name {
                "PING" => {
                    let context = short(script)?;
                    self.command(script, name, &[&[0, 0], context].concat())
                }
                _ => self.command(script, name, b"\x03why"),
            };
        }
        let mut message = Vec::new();
        let last = script.int_in_range(0..=2_usize)?;
        for number in 0..=last {
            let size = match script.int_in_range(0..=7_u8)? {
                0 => usize::from(script.arbitrary::<u16>()?) / 2,
                _ => usize::from(script.arbitrary::<u8>()?),
            };
            let body = vec![script.arbitrary()?; size];
            self.frame(script, number < last, false, &body)?;
            message.push(body);
        }
        self.messages.push(message);
        Ok(())
    }

    fn command(
        &mut self,
        script: &mut Unstructured<'_>,
        name: &str,
        data: &[u8],
    ) -> arbitrary::Result<()> {
        let body = [&[name.len() as u8], name.as_bytes(), data].concat();
        self.frame(script, false, true, &body)
    }

    /// In its short form or, where it is short enough, in either.
    fn frame(
        &mut self,
        script: &mut Unstructured<'_>,
        more: bool,
        command: bool,
        body: &[u8],
    ) -> arbitrary::Result<()> {
        let is_long = script.ratio(1_u8, 4_u8)?;
        let (more, command) = (u8::from(more), u8::from(command) << 2);
        if self.version >= ZmtpVersion::V2_0 {
            match u8::try_from(body.len()) {
                Ok(size) if !is_long => self.bytes.extend([more | command, size]),
                _ => {
                    self.bytes.push(more | command | 2);
                    self.bytes.extend((body.len() as u64).to_be_bytes());
                }
            }
        } else {
            match u8::try_from(body.len() + 1) {
                Ok(length @ ..=254) if !is_long => self.bytes.push(length),
                _ => {
                    self.bytes.push(0xff);
                    self.bytes.extend((body.len() as u64 + 1).to_be_bytes());
                }
            }
            self.bytes.push(more);
        }
        self.bytes.extend(body);
        Ok(())
    }
}

/// A text that fits behind one byte of length.
fn short<'a>(script: &mut Unstructured<'a>) -> arbitrary::Result<&'a [u8]> {
    let count = match script.int_in_range(0..=3_u8)? {
        0 => usize::from(script.arbitrary::<u8>()?),
        count => usize::from(count) - 1,
    };
    super::take(script, count)
}
