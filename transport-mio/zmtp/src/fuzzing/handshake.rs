//! Handshakes with peers of every version and mechanism, however their bytes are split.

use std::{io::IoSlice, sync::Arc};

use arbitrary::Unstructured;
use bytes::Bytes;
use web_time::{Duration, Instant};
use zerorpc_proto::transport::{Security, SocketKind};

use super::{
    KINDS, LIMITS, name_is_password,
    peer::{Peer, Shown},
    plain_client,
};
use crate::{
    Engine, EngineConfig, Identity, SocketType, Violation, Want, WireLimits, ZmtpEvent, ZmtpVersion,
};

/// Lets an engine meet a peer of any version that plays its part of any mechanism, and then sends messages. What comes of it
/// is what the specifications say, or nobody knows if the peer's bytes were damaged; and it is the same however they are split.
pub fn handshake(data: &[u8]) {
    // Ends with the script.
    let _ = play(&mut Unstructured::new(data));
}

fn play(script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let config = Arc::new(config(script)?);
    let mut peer = Peer::new(script)?;
    let is_damaged = script.arbitrary()?;
    if is_damaged {
        damage(script, &mut peer.bytes)?;
    }
    let whole = Heard::of(&config, &peer.bytes, |_| usize::MAX);
    let pieces = Heard::of(&config, &peer.bytes, |left| {
        // One by one when the script is over.
        let most = script.arbitrary::<u8>().unwrap_or_default();
        usize::from(most).clamp(1, left)
    });
    assert_eq!(pieces, whole, "{peer:?}");
    if !is_damaged {
        whole.compare(&config, &peer);
    }
    Ok(())
}

fn config(script: &mut Unstructured<'_>) -> arbitrary::Result<EngineConfig> {
    let mut config = EngineConfig::new(*script.choose(&KINDS)?).limits(LIMITS);
    config.security = match script.int_in_range(0..=5_u8)? {
        0 | 1 => Security::PlainServer,
        2 => plain_client(),
        _ => Security::Null,
    };
    config.authenticator = Some(Arc::new(name_is_password));
    if script.arbitrary()? {
        config.identity = Identity::new("a name").unwrap_or_default();
    }
    // Properties may be many, and a peer that is as it should be is not to be refused.
    config.limits.handshake_command_bytes = 4000;
    Ok(config)
}

pub(super) fn damage(script: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> arbitrary::Result<()> {
    for _ in 0..=script.int_in_range(0..=2_u8)? {
        let at = script.choose_index(bytes.len())?;
        match script.int_in_range(0..=4_u8)? {
            0 => bytes[at] = script.arbitrary()?,
            1 => bytes[at] ^= 1 << script.int_in_range(0..=7_u8)?,
            2 => bytes.insert(at, script.arbitrary()?),
            3 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => bytes.truncate(at.max(1)),
        }
    }
    Ok(())
}

/// What an engine made of a peer's bytes, and what it answered.
#[derive(Debug, PartialEq)]
struct Heard {
    events: Vec<ZmtpEvent>,
    violation: Option<Violation>,
    told: Option<String>,
    output: Vec<u8>,
}

impl Heard {
    /// Feeds the bytes in pieces, of which each is as long as `piece` says of what is left.
    #[expect(clippy::disallowed_methods, reason = "a script has to begin at some instant")]
    fn of(config: &Arc<EngineConfig>, bytes: &[u8], mut piece: impl FnMut(usize) -> usize) -> Self {
        let now = Instant::now();
        let mut engine = Engine::new(Arc::clone(config), now);
        let (mut events, mut violation, mut fed) = (Vec::new(), None, 0);
        while fed < bytes.len() && violation.is_none() {
            let left = &bytes[fed..];
            let count = piece(left.len()).min(left.len());
            let (count, result) = feed(&mut engine, now, &left[..count]);
            fed += count;
            violation = result.err();
            while let Some(event) = engine.poll_event() {
                events.push(event);
            }
            let held = engine.partial_bytes();
            assert!(held <= 2 * fed + 40_000, "{held} bytes are held of {fed}");
        }
        let is_ready = !events.is_empty();
        let output = output(&mut engine);
        let told = engine.told().map(str::to_owned);
        // Whoever does not come to an end is given up, and the dead stay dead.
        let later = engine.handle_timeout(now + config.handshake_timeout + Duration::from_secs(1));
        match &violation {
            Some(violation) => {
                assert_eq!(later.as_ref(), Err(violation));
                assert_eq!(
                    engine.handle_chunk(now, Bytes::from_static(b"more")).as_ref(),
                    later.as_ref()
                );
                assert_eq!((engine.partial_bytes(), engine.poll_timeout()), (0, None));
            }
            None if is_ready => {
                // Damage may turn what the peer says into a PING, behind which it must say more within its TTL.
                let is_alive = matches!(later, Ok(()) | Err(Violation::TtlExpired(_)));
                assert!(is_alive, "{later:?}");
            }
            None => {
                assert_eq!(later, Err(Violation::HandshakeTimeout(config.handshake_timeout)));
            }
        }
        Self { events, violation, told, output }
    }

    /// Both sides as they should be: what comes of it is known.
    fn compare(&self, config: &EngineConfig, peer: &Peer<'_>) {
        let refused = refusal(config, peer);
        let is_refused = refused.is_some();
        let expected = refused.or_else(|| too_much(config, peer));
        let violation = self.violation.as_ref().map(std::mem::discriminant);
        assert_eq!(
            violation,
            expected.as_ref().map(std::mem::discriminant),
            "{:?}, not {expected:?}: {peer:?}",
            self.violation
        );
        if is_refused {
            assert_eq!(self.events, [], "nothing comes of it");
            return;
        }
        let [ZmtpEvent::Ready(ready), rest @ ..] = &self.events[..] else {
            panic!("readiness comes first: {:?}", self.events)
        };
        let is_modern = peer.version >= ZmtpVersion::V3_0;
        let kind = (peer.version != ZmtpVersion::Unversioned).then_some(peer.kind.0);
        let kind = kind.filter(|kind| *kind != "CLIENT");
        assert_eq!(ready.version, peer.version);
        assert_eq!(ready.socket_type.map(SocketType::name), kind);
        assert_eq!(ready.identity, peer.identity);
        assert_eq!(ready.goaway, is_modern && peer.understands_goaway);
        let metadata: Vec<_> =
            ready.metadata.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(metadata, if is_modern { &peer.properties[..] } else { &[] });
        if matches!(config.kind, SocketKind::Push | SocketKind::Pub) {
            let is_message = |event: &ZmtpEvent| matches!(event, ZmtpEvent::Message(_));
            assert!(!rest.iter().any(is_message), "{rest:?} came to one that only sends");
            return;
        }
        let messages: Vec<Vec<Vec<u8>>> = rest
            .iter()
            .map(|event| match event {
                ZmtpEvent::Message(frames) => frames.iter().map(|frame| frame.to_vec()).collect(),
                other => panic!("{other:?} was not said"),
            })
            .collect();
        assert_eq!(messages, peer.messages);
    }
}

/// Bytes as the engine wants them: how many it took, and what came of it.
fn feed(engine: &mut Engine, now: Instant, bytes: &[u8]) -> (usize, Result<(), Violation>) {
    if let Want::Body(missing) = engine.want() {
        assert!(!missing.is_empty(), "there is room");
        let count = missing.len().min(bytes.len());
        missing[..count].copy_from_slice(&bytes[..count]);
        return (count, engine.handle_body(now, count));
    }
    (bytes.len(), engine.handle_chunk(now, Bytes::copy_from_slice(bytes)))
}

fn output(engine: &mut Engine) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = engine.output(&mut slices);
        let written: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        if written.is_empty() {
            return all;
        }
        engine.advance(written.len());
        all.extend(written);
    }
}

/// Why two sides that are as they should be do not go together; an example of its kind.
fn refusal(config: &EngineConfig, peer: &Peer<'_>) -> Option<Violation> {
    let (ours, theirs) = (config.security.mechanism().as_str(), peer.security.name());
    let text = String::new;
    if peer.version < ZmtpVersion::V3_0 {
        return match &config.security {
            Security::Null => None,
            _ => Some(Violation::Downgrade { version: peer.version, mechanism: ours }),
        };
    }
    if ours != theirs {
        return Some(Violation::Mechanism { ours, theirs: text() });
    }
    match (&config.security, peer.security) {
        (Security::Null, _) | (Security::PlainClient(_), Shown::PlainServer) => {}
        (Security::PlainServer, Shown::PlainClient { username, password }) => {
            if username != password {
                return Some(Violation::BadCredentials { username: text(), reason: text() });
            }
        }
        (Security::PlainServer, Shown::PlainServer) => {
            return Some(Violation::BothServers { mechanism: ours });
        }
        _ => return Some(Violation::OutOfTurn { expected: "", got: text() }),
    }
    // 28/REQREP, 29/PUBSUB and 30/PIPELINE.
    let goes_with: &[&str] = match config.kind {
        SocketKind::Dealer => &["REP", "DEALER", "ROUTER"],
        SocketKind::Router => &["REQ", "DEALER", "ROUTER"],
        SocketKind::Push => &["PULL"],
        SocketKind::Pull => &["PUSH"],
        SocketKind::Pub => &["SUB", "XSUB"],
        SocketKind::Sub => &["PUB", "XPUB"],
    };
    let goes = goes_with.contains(&peer.kind.0);
    (!goes).then(|| Violation::SocketType { ours: config.kind, theirs: text() })
}

/// To a socket that takes no messages, they may be as large as commands.
fn too_much(config: &EngineConfig, peer: &Peer<'_>) -> Option<Violation> {
    if !matches!(config.kind, SocketKind::Push | SocketKind::Pub) {
        return None;
    }
    let limit = LIMITS.command_bytes;
    peer.messages.iter().find_map(|message| {
        let mut sum = 0;
        message.iter().find_map(|frame| {
            let size = frame.len() as u64;
            sum += size + WireLimits::FRAME_COST as u64;
            let is_too_large = size > limit;
            let violation = is_too_large.then_some(Violation::FrameTooLarge { size, limit });
            violation.or((sum > limit).then_some(Violation::MessageTooLarge { limit }))
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn random_peers(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            super::handshake(&data);
        }
    }
}
