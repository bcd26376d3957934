//! What must hold whatever a peer and a caller do.

mod curve;
mod handshake;
mod link;
mod peer;
mod rpc;
mod socket;

use std::{io::IoSlice, sync::Arc};

use arbitrary::Unstructured;
use bytes::Bytes;
use web_time::{Duration, Instant};
use zerorpc_proto::transport::{
    AuthRequest, Credential, Denied, PlainCredentials, Security, SocketKind,
};

pub use curve::curve;
pub use handshake::handshake;
pub use rpc::rpc;
pub use socket::socket;

use super::{Engine, EngineConfig, Heartbeat, Violation, Want, WireLimits, ZmtpEvent};

/// Plays `data` as a script: what the peer sends in which pieces, what the caller does in between. Panics
/// when something does not hold that should.
pub fn zmtp(data: &[u8]) {
    // Ends with the script.
    let _ = play(&mut Unstructured::new(data));
}

fn play(script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let config = Arc::new(config(script)?);
    let mut world = World::new(config);
    world.chunk(script.choose(&OPENINGS)?);
    while !script.is_empty() {
        world.step(script)?;
        world.check();
    }
    Ok(())
}

/// What lets a script begin behind the handshake.
const OPENINGS: [&[u8]; 5] = [
    b"",
    b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
      \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x06\x05READY",
    b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
      \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0",
    b"\x01\0",
];

/// As many bytes as are left, `count` at most.
fn take<'a>(script: &mut Unstructured<'a>, count: usize) -> arbitrary::Result<&'a [u8]> {
    script.bytes(count.min(script.len()))
}

/// A number below `end`, if there is any.
fn choose_index(script: &mut Unstructured<'_>, end: usize) -> arbitrary::Result<Option<usize>> {
    if end == 0 { Ok(None) } else { Ok(Some(script.choose_index(end)?)) }
}

/// How many bytes move at once: few, once in so many times, or all that there are.
fn amount(script: &mut Unstructured<'_>, once_in: u8) -> arbitrary::Result<usize> {
    Ok(match script.int_in_range(0..=once_in - 1)? {
        0 => usize::from(script.arbitrary::<u8>()?),
        _ => usize::MAX,
    })
}

/// Random scripts, which are always the same.
#[cfg(test)]
fn scripts(length: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 1_u32;
    let mut byte = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(move || (0..length).map(|_| byte()).collect())
}

const KINDS: [SocketKind; 6] = [
    SocketKind::Dealer,
    SocketKind::Router,
    SocketKind::Push,
    SocketKind::Pull,
    SocketKind::Pub,
    SocketKind::Sub,
];

fn config(script: &mut Unstructured<'_>) -> arbitrary::Result<EngineConfig> {
    let mut config = EngineConfig::new(*script.choose(&KINDS)?);
    let flags: u8 = script.arbitrary()?;
    config.security = match flags & 7 {
        0 => Security::PlainServer,
        1 => plain_client(),
        _ => Security::Null,
    };
    config.authenticator = Some(Arc::new(name_is_password));
    if flags & 8 != 0 {
        let second = Duration::from_secs(1);
        config.heartbeat = Some(Heartbeat { interval: second, timeout: second * 2, ttl: second });
    }
    config.limits = LIMITS;
    Ok(config)
}

fn plain_client() -> Security {
    PlainCredentials::new("name", "word").map_or(Security::Null, Security::PlainClient)
}

/// Lets in whose name is his password, and whoever shows none.
fn name_is_password(request: &AuthRequest<'_>) -> Result<String, Denied> {
    match &request.credential {
        Credential::Password { username, password, .. } if !password.is(username) => {
            Err(Denied::new("the name is not the password"))
        }
        _ => Ok("a guest".to_owned()),
    }
}

const LIMITS: WireLimits = WireLimits {
    frame_bytes: 100_000,
    message_bytes: 120_000,
    frames: 8,
    handshake_command_bytes: 1000,
    command_bytes: 500,
    pong_bytes: 100,
};

struct World {
    config: Arc<EngineConfig>,
    engine: Engine,
    now: Instant,
    /// Bytes that the peer sent.
    received: usize,
    /// Bytes that the caller queued, generously.
    queued: usize,
    ready: bool,
    violation: Option<Violation>,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a script has to begin at some instant")]
    fn new(config: Arc<EngineConfig>) -> Self {
        let now = Instant::now();
        let engine = Engine::new(config.clone(), now);
        Self { config, engine, now, received: 0, queued: 0, ready: false, violation: None }
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let (action, amount) = (script.arbitrary::<u8>()?, usize::from(script.arbitrary::<u8>()?));
        match action % 16 {
            0..=5 => self.chunk(take(script, amount)?),
            6 => self.chunk(&vec![action; amount * 512]),
            7 | 8 => self.body(action, amount * 256),
            9 => {
                self.queued += amount * 64 + 1000;
                let frames = 1 + amount % 3;
                self.engine.send((0..frames).map(|_| Bytes::from(vec![action; amount * 20])));
            }
            10 => {
                self.queued += 1000;
                self.engine.subscribe(take(script, amount)?);
            }
            11 => {
                self.queued += 1000;
                self.engine.cancel(take(script, amount)?);
            }
            12 => {
                self.now += Duration::from_millis(amount as u64 * 10);
                let result = self.engine.handle_timeout(self.now);
                self.judge(result);
            }
            13 => {
                for message in self.engine.take_unsent() {
                    self.engine.send_message(message);
                }
            }
            _ => self.write(amount * 16),
        }
        Ok(())
    }

    fn chunk(&mut self, bytes: &[u8]) {
        self.received += bytes.len();
        let result = self.engine.handle_chunk(self.now, Bytes::copy_from_slice(bytes));
        if !bytes.is_empty() || self.violation.is_some() {
            self.judge(result);
        }
    }

    fn body(&mut self, byte: u8, amount: usize) {
        let Want::Body(missing) = self.engine.want() else { return };
        assert!(!missing.is_empty(), "there is room");
        let count = missing.len().min(amount);
        missing[..count].fill(byte);
        self.received += count;
        let result = self.engine.handle_body(self.now, count);
        self.judge(result);
    }

    fn write(&mut self, amount: usize) {
        let expected = self.engine.has_output();
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = self.engine.output(&mut slices);
        let bytes: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
        assert_eq!(bytes > 0, expected, "there is output when there is said to be");
        self.engine.advance(bytes.min(amount));
    }

    fn judge(&mut self, result: Result<(), Violation>) {
        if let Some(violation) = &self.violation {
            assert_eq!(result.as_ref(), Err(violation), "a dead engine stays dead");
        }
        self.violation = result.err();
    }

    fn check(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            let kind = self.config.kind;
            assert_eq!(matches!(event, ZmtpEvent::Ready(_)), !self.ready, "readiness comes first");
            match event {
                ZmtpEvent::Ready(_) => self.ready = true,
                ZmtpEvent::Message(frames) => {
                    assert!(!matches!(kind, SocketKind::Push | SocketKind::Pub), "{kind:?}");
                    assert!((1..=self.config.limits.frames).contains(&frames.len()));
                }
                ZmtpEvent::Subscribe(_) | ZmtpEvent::Cancel(_) => {
                    assert_eq!(kind, SocketKind::Pub);
                }
                ZmtpEvent::GoAway { .. } => assert_eq!(kind, SocketKind::Dealer),
            }
        }
        let limits = &self.config.limits;
        let held = self.engine.partial_bytes() as u64;
        assert!(held <= limits.message_bytes, "{held} bytes are within the limits");
        assert!(held <= 2 * self.received as u64 + 40_000, "{held} of {} bytes", self.received);
        let queued = self.engine.queued_bytes();
        let most = self.queued + limits.pong_bytes + 1000;
        assert!(queued <= most, "{queued} bytes in the outbox, {most} expected at most");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerorpc_proto::transport::SocketKind;

    use super::{EngineConfig, OPENINGS, World};

    #[test]
    fn openings_lead_behind_the_handshake() {
        for (at, opening) in OPENINGS.into_iter().enumerate() {
            let mut world = World::new(EngineConfig::new(SocketKind::Dealer).into());
            world.chunk(opening);
            world.check();
            assert_eq!(world.ready, at != 0 && at != 2, "{:?}", world.violation);
            let other_mechanism = world.violation.is_some();
            assert_eq!(other_mechanism, at == 2);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn random_scripts(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::zmtp(&data);
        }

        #[test]
        fn scripts_of_plausible_frames(
            head in proptest::array::uniform3(any::<u8>()),
            steps in proptest::collection::vec((0u8..16, any::<u8>(), frame()), 0..60),
        ) {
            let mut script = head.to_vec();
            for (action, amount, frame) in steps {
                let amount = if action < 6 { frame.len() as u8 } else { amount };
                script.extend([action, amount]);
                if action < 6 {
                    script.extend(frame);
                }
            }
            super::zmtp(&script);
        }
    }

    /// At most 255 bytes.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let body = proptest::collection::vec(any::<u8>(), 0..100);
        prop_oneof![
            (0u8..2, body.clone())
                .prop_map(|(flags, body)| { [&[flags, body.len() as u8], &body[..]].concat() }),
            Just(b"\x04\x09\x04PING\x00\x0aab".to_vec()),
            Just(b"\x04\x0b\x09SUBSCRIBEa".to_vec()),
            Just(b"\x04\x06\x05READY".to_vec()),
            (0u8..4, 0u8..2, body).prop_map(|(flags, size, body)| {
                [&[flags | 2, 0, 0, 0, 0, 0, size, size, 77], &body[..]].concat()
            }),
        ]
    }
}
