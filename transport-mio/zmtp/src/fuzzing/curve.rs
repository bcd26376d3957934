//! Both sides of CURVE's handshake, and the traffic behind it, with a peer that breaks what it says before it is in its box
//! and after that.

mod peer;

use std::{
    io::IoSlice,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use arbitrary::Unstructured;
use bytes::Bytes;
use web_time::Instant;
use zerorpc_proto::transport::{PublicKey, SecretKey, Security, SocketKind};

use self::peer::{Direction, Key, close, command, common, frame, open, public};
use super::{LIMITS, handshake::damage, take};
use crate::{Engine, EngineConfig, NoRandomness, RandomSource, Violation, ZmtpEvent, key_pair};

/// Secrets of the two sides, and one of the peer's for the connection.
const SERVER: Key = [1; 32];
const CLIENT: Key = [2; 32];
const SHORT_TERM: Key = [3; 32];

/// Lets an engine of either role meet a peer of the other. A peer that does all right is understood to the last byte, and
/// what the engine says opens; of one that does not, nothing is delivered after its first mistake.
pub fn curve(data: &[u8]) {
    // Ends with the script.
    let _ = play(&mut Unstructured::new(data));
}

/// The same bytes each time.
#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl RandomSource for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed) | 0x80);
        Ok(())
    }
}

/// An engine, and all that was said to it.
struct Subject {
    engine: Engine,
    now: Instant,
    violation: Option<Violation>,
    /// What it has delivered.
    messages: Vec<Vec<Vec<u8>>>,
    is_ready: bool,
    /// How many bytes it was given.
    fed: usize,
    /// Nothing was wrong so far.
    is_sound: bool,
}

impl Subject {
    #[expect(clippy::disallowed_methods, reason = "a script has to begin at some instant")]
    fn new(is_server: bool) -> Self {
        let (kind, security) = if is_server {
            let keys = key_pair(SecretKey::new(SERVER));
            (SocketKind::Router, Security::CurveServer { keys })
        } else {
            let keys = key_pair(SecretKey::new(CLIENT));
            let server = PublicKey::new(public(&SERVER));
            (SocketKind::Dealer, Security::CurveClient { keys, server })
        };
        let random = Arc::new(Counting::default());
        let config = EngineConfig::new(kind).limits(LIMITS).security(security).random(random);
        let now = Instant::now();
        Self {
            engine: Engine::new(Arc::new(config), now),
            now,
            violation: None,
            messages: Vec::new(),
            is_ready: false,
            fed: 0,
            is_sound: true,
        }
    }

    /// Feeds bytes, in pieces where the script says so.
    fn feed(&mut self, script: &mut Unstructured<'_>, bytes: &[u8]) {
        let cut = script.arbitrary::<u8>().unwrap_or_default();
        let size = if cut & 1 == 0 { bytes.len() } else { usize::from(cut) };
        for piece in bytes.chunks(size.max(1)) {
            let fed = self.engine.handle_chunk(self.now, Bytes::copy_from_slice(piece));
            if let Some(violation) = &self.violation {
                assert_eq!(fed.as_ref(), Err(violation), "the dead stay dead");
            }
            self.violation = fed.err();
            self.fed += piece.len();
            let held = self.engine.partial_bytes();
            assert!(held <= 2 * self.fed + 40_000, "{held} bytes are held of {}", self.fed);
        }
        while let Some(event) = self.engine.poll_event() {
            match event {
                ZmtpEvent::Ready(_) => self.is_ready = true,
                ZmtpEvent::Message(frames) => {
                    assert!(self.is_ready, "the handshake comes first");
                    self.messages.push(frames.iter().map(|frame| frame.to_vec()).collect());
                }
                ZmtpEvent::GoAway { .. } => {}
                other => panic!("{other:?} was not said"),
            }
        }
        if self.is_sound {
            assert_eq!(self.violation, None, "nothing is wrong");
        }
    }

    fn output(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = self.engine.output(&mut slices);
            let before = all.len();
            slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
            if all.len() == before {
                return all;
            }
            self.engine.advance(all.len() - before);
        }
    }

    /// Damages what the peer is about to say, once in a while.
    fn damage(
        &mut self,
        script: &mut Unstructured<'_>,
        bytes: &mut Vec<u8>,
    ) -> arbitrary::Result<()> {
        if !bytes.is_empty() && !script.ratio(11_u8, 12)? {
            let before = bytes.clone();
            damage(script, bytes)?;
            self.is_sound &= *bytes == before;
        }
        Ok(())
    }
}

fn play(script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let is_server = script.arbitrary()?;
    let mut subject = Subject::new(is_server);
    let mut greeting = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE"[..], &[0; 47]].concat();
    subject.damage(script, &mut greeting)?;
    subject.feed(script, &greeting);
    let met =
        if is_server { as_client(&mut subject, script)? } else { as_server(&mut subject, script)? };
    let Some((to, from)) = met else {
        assert!(!subject.is_sound, "a sound handshake ends well");
        return Ok(());
    };
    if subject.is_sound {
        assert!(subject.is_ready, "a sound handshake ends well");
    }
    if subject.is_ready && subject.violation.is_none() {
        converse(&mut subject, script, to, from)?;
    }
    Ok(())
}

/// The data of a command of the subject's; `None` if it said none.
fn said(subject: &mut Subject, name: &str, skip: usize) -> Option<Vec<u8>> {
    let output = subject.output();
    let frame = output.get(skip..)?;
    let body = if frame.first()? & 2 == 0 { frame.get(2..)? } else { frame.get(9..)? };
    let length = u8::try_from(name.len()).ok()?;
    let data = body.strip_prefix(&[length])?.strip_prefix(name.as_bytes())?;
    Some(data.to_vec())
}

/// The peer as a client, up to READY.
fn as_client(
    subject: &mut Subject,
    script: &mut Unstructured<'_>,
) -> arbitrary::Result<Option<(Direction, Direction)>> {
    let (server, one) = (public(&SERVER), 1_u64.to_be_bytes());
    let to_server = common(&server, &SHORT_TERM);
    let signature = close(&to_server, b"CurveZMQHELLO---", &one, &[0; 64]);
    let mut hello = [&[1, 0], &[0; 72][..], &public(&SHORT_TERM), &one, &signature].concat();
    subject.damage(script, &mut hello)?;
    subject.feed(script, &command("HELLO", &hello));
    let Some(welcome) = said(subject, "WELCOME", 64) else { return Ok(None) };
    let content = open(&to_server, b"WELCOME-", &welcome[..16], &welcome[16..]);
    // Whose key was damaged on its way cannot read the answer.
    let Some(content) = content else { return Ok(None) };
    let theirs: Key = content[..32].try_into().expect("a key");

    let mut vouched = [public(&SHORT_TERM), server].concat();
    subject.damage(script, &mut vouched)?;
    let vouching = common(&theirs, &CLIENT);
    let mut vouch = close(&vouching, b"VOUCH---", &[9; 16], &vouched);
    subject.damage(script, &mut vouch)?;
    let mut claim = [&public(&CLIENT)[..], &[9; 16], &vouch].concat();
    let mut properties = b"\x0bSocket-Type\0\0\0\x06DEALER".to_vec();
    subject.damage(script, &mut properties)?;
    claim.extend(properties);
    subject.damage(script, &mut claim)?;
    let key = common(&theirs, &SHORT_TERM);
    let two = 2_u64.to_be_bytes();
    let mut initiate =
        [&content[32..], &two, &close(&key, b"CurveZMQINITIATE", &two, &claim)].concat();
    subject.damage(script, &mut initiate)?;
    subject.feed(script, &command("INITIATE", &initiate));
    let Some(ready) = said(subject, "READY", 0) else { return Ok(None) };
    let opened = open(&key, b"CurveZMQREADY---", &ready[..8], &ready[8..]);
    assert!(opened.is_some(), "READY is for whoever has come in");
    let to = Direction { key, prefix: b"CurveZMQMESSAGEC", number: 2 };
    Ok(Some((to, Direction { key, prefix: b"CurveZMQMESSAGES", number: 1 })))
}

/// The peer as a server, up to READY.
fn as_server(
    subject: &mut Subject,
    script: &mut Unstructured<'_>,
) -> arbitrary::Result<Option<(Direction, Direction)>> {
    let Some(hello) = said(subject, "HELLO", 64) else { return Ok(None) };
    let client: Key = hello[74..106].try_into().expect("a key");
    let to_client = common(&client, &SERVER);
    let signature = open(&to_client, b"CurveZMQHELLO---", &hello[106..114], &hello[114..]);
    assert_eq!(signature, Some(vec![0; 64]), "HELLO is for the server");
    let mut content = [&public(&SHORT_TERM)[..], &[8; 96]].concat();
    subject.damage(script, &mut content)?;
    let mut welcome = [&[7; 16][..], &close(&to_client, b"WELCOME-", &[7; 16], &content)].concat();
    subject.damage(script, &mut welcome)?;
    subject.feed(script, &command("WELCOME", &welcome));
    let Some(initiate) = said(subject, "INITIATE", 0) else { return Ok(None) };
    let key = common(&client, &SHORT_TERM);
    let claim = open(&key, b"CurveZMQINITIATE", &initiate[96..104], &initiate[104..]);
    // A client to which another key was told talks to that.
    let Some(claim) = claim else { return Ok(None) };
    assert_eq!(claim[..32], public(&CLIENT), "it says who it is");
    let vouching = common(&public(&CLIENT), &SHORT_TERM);
    let vouched = open(&vouching, b"VOUCH---", &claim[32..48], &claim[48..128]);
    assert_eq!(vouched, Some([client, public(&SERVER)].concat()), "it proves who it is");

    let one = 1_u64.to_be_bytes();
    let mut properties = b"\x0bSocket-Type\0\0\0\x06ROUTER".to_vec();
    subject.damage(script, &mut properties)?;
    let mut ready = [&one[..], &close(&key, b"CurveZMQREADY---", &one, &properties)].concat();
    subject.damage(script, &mut ready)?;
    subject.feed(script, &command("READY", &ready));
    let to = Direction { key, prefix: b"CurveZMQMESSAGES", number: 1 };
    Ok(Some((to, Direction { key, prefix: b"CurveZMQMESSAGEC", number: 2 })))
}

/// Traffic in both directions, until something is wrong.
fn converse(
    subject: &mut Subject,
    script: &mut Unstructured<'_>,
    mut to: Direction,
    mut from: Direction,
) -> arbitrary::Result<()> {
    let mut expected: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut begun: Vec<Vec<u8>> = Vec::new();
    while !script.is_empty() && subject.is_sound {
        match script.int_in_range(0..=7_u8)? {
            0..=3 => {
                let more = begun.len() + 1 < LIMITS.frames && script.arbitrary()?;
                let body = body(script)?;
                let content = [&[u8::from(more)], &body[..]].concat();
                if !say(subject, script, &mut to, &content)? {
                    return Ok(());
                }
                if subject.is_sound {
                    begun.push(body);
                    if !more {
                        expected.push(std::mem::take(&mut begun));
                    }
                }
            }
            4 => {
                let commands: [&[u8]; 4] =
                    [b"\x04PING\0\x0actx", b"\x06GOAWAY", b"\x07UNKNOWNx", b"\x05ERROR\x03why"];
                let command = *script.choose(&commands)?;
                if !say(subject, script, &mut to, &[&[2], command].concat())? {
                    return Ok(());
                }
            }
            5 => {
                let size = usize::from(script.arbitrary::<u8>()?);
                subject.engine.send([Bytes::from(vec![b'x'; size]), body(script)?.into()]);
            }
            6 => {
                // Something that is wrong: in the clear, of no kind, or once more.
                let wire = match script.int_in_range(0..=2_u8)? {
                    0 => frame(script.arbitrary::<u8>()? & 5, take(script, 60)?),
                    1 => frame(0, &to.close(to.number + 1, &[script.arbitrary::<u8>()? | 4])),
                    _ => {
                        let back = u64::from(script.arbitrary::<u8>()?);
                        frame(0, &to.close(to.number.saturating_sub(back), b"\0again"))
                    }
                };
                subject.is_sound = false;
                subject.feed(script, &wire);
                assert!(subject.violation.is_some(), "it is noticed");
            }
            _ => {
                let opened = from.open_all(&subject.output());
                assert!(opened.iter().all(|content| content[0] & !3 == 0), "flags are known");
            }
        }
        assert_eq!(subject.messages, expected, "what was said, and nothing else");
    }
    if subject.is_sound {
        from.open_all(&subject.output());
    }
    Ok(())
}

/// Says something in a box, which may be damaged before it is in there, and after that; whether it is known what comes of
/// it.
fn say(
    subject: &mut Subject,
    script: &mut Unstructured<'_>,
    to: &mut Direction,
    content: &[u8],
) -> arbitrary::Result<bool> {
    let gap = script.arbitrary::<u8>()?;
    to.number += 1 + u64::from(gap.saturating_sub(250));
    let mut content = content.to_vec();
    subject.damage(script, &mut content)?;
    let is_known = subject.is_sound;
    let mut body = to.close(to.number, &content);
    subject.damage(script, &mut body)?;
    subject.feed(script, &frame(0, &body));
    if is_known && !subject.is_sound {
        assert!(subject.violation.is_some(), "a box that was changed does not open");
    }
    Ok(is_known)
}

/// The body of a frame: a few bytes, or many of the same.
fn body(script: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    if script.ratio(1_u8, 8)? {
        let size = usize::from(script.arbitrary::<u16>()? % 14_000);
        return Ok(vec![script.arbitrary()?; size]);
    }
    let size = usize::from(script.arbitrary::<u8>()? % 40);
    Ok(take(script, size)?.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn random_peers(data in proptest::collection::vec(any::<u8>(), 0..500)) {
            super::curve(&data);
        }
    }
}
