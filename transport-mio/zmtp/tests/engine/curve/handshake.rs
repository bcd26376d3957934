//! Handshakes that end well, and those that do not.

use std::{io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use zerorpc_proto::transport::{
    Credential, KeyPair, MechanismName, PublicKey, SecretKey, Security,
    SocketKind::{Dealer, Push, Router},
};
use zerorpc_zmtp::{Blame, Engine, EngineConfig, PeerInfo, Violation, ZmtpEvent, key_pair};

use super::{client_keys, curve_client, curve_server, raw::RawClient, server_keys};
use crate::support::{authenticator, command, config, engine, events, feed, greeting, output};

/// What two sides make of each other.
struct Meeting {
    client: Engine,
    server: Engine,
    /// Why each side gave up, if it did.
    ends: [Option<Violation>; 2],
}

impl Meeting {
    fn new(client: EngineConfig, server: EngineConfig) -> Self {
        let now = Instant::now();
        let mut server = Engine::new(Arc::new(server), now);
        server.set_remote("tcp://192.0.2.7:50123", None);
        let client = Engine::new(Arc::new(client), now);
        let mut meeting = Self { client, server, ends: [None, None] };
        while meeting.turn() {}
        meeting
    }

    /// Carries what there is; whether there was anything.
    fn turn(&mut self) -> bool {
        let up = output(&mut self.client);
        if let Err(violation) = feed(&mut self.server, &up) {
            self.ends[1] = Some(violation);
        }
        let down = output(&mut self.server);
        if let Err(violation) = feed(&mut self.client, &down) {
            self.ends[0] = Some(violation);
        }
        !up.is_empty() || !down.is_empty()
    }

    fn peers(&mut self) -> [Option<PeerInfo>; 2] {
        [&mut self.client, &mut self.server].map(|engine| match engine.poll_event() {
            Some(ZmtpEvent::Ready(peer)) => Some(*peer),
            None => None,
            other => panic!("ready first, not {other:?}"),
        })
    }
}

#[test]
fn both_know_whom_they_talk_to() {
    let named = authenticator(|request| {
        assert_eq!(request.remote, "tcp://192.0.2.7:50123");
        matches!(&request.credential, Credential::Key(key) if *key == client_keys().public)
    });
    let mut meeting = Meeting::new(curve_client(1), curve_server(2).authenticator(named));
    assert_eq!(meeting.ends, [None, None]);
    let [server, client] = meeting.peers().map(|peer| peer.expect("ready").principal);
    let (client, server) = (client.expect("known"), server.expect("known"));
    assert_eq!(client.key, Some(client_keys().public));
    assert_eq!(client.name.as_deref(), Some("a guest"));
    assert_eq!(server.key, Some(server_keys().public));
    assert_eq!([client.mechanism, server.mechanism], [MechanismName::Curve; 2]);

    meeting.client.send(["".into(), "a secret".into()]);
    let up = output(&mut meeting.client);
    assert!(!up.windows(6).any(|window| window == b"secret"), "it is encrypted");
    feed(&mut meeting.server, &up).expect("it is understood");
    let [ZmtpEvent::Message(frames)] = &events(&mut meeting.server)[..] else {
        panic!("a message was sent")
    };
    assert_eq!(frames[..], ["", "a secret"]);
}

/// Who sends from another's address has nothing multiplied for him.
#[test]
fn a_server_says_less_than_it_hears_until_it_is_answered() {
    let hello =
        [greeting([3, 1], "CURVE", false), command("HELLO", &RawClient::new([21; 32]).hello())];
    let mut server = engine(&curve_server(1));
    let (mut heard, mut said) = (0, 0);
    for byte in hello.concat() {
        feed(&mut server, &[byte]).expect("a sound HELLO");
        heard += 1;
        said += output(&mut server).len();
        // The ten bytes of its signature come unasked, its version and the rest of its greeting for the version of the other.
        assert!(said <= 64 || said < heard, "{said} bytes for {heard}");
    }
    assert_eq!((heard, said), (64 + 2 + 200, 64 + 2 + 168));
}

#[test]
fn what_has_begun_to_leave_is_not_kept_outside_of_its_box() {
    let mut meeting = Meeting::new(curve_client(1), curve_server(2));
    meeting.peers();
    let large = Bytes::from(vec![7; 100_000]);
    meeting.client.send([large.clone()]);
    let mut slices = [IoSlice::new(&[]); 1];
    assert_eq!(meeting.client.output(&mut slices), 1);
    let begun = slices[0][..1].to_vec();
    assert!(!large.is_unique(), "it may be taken back");
    meeting.client.advance(1);
    assert!(large.is_unique());
    assert_eq!(meeting.client.queued_messages(), 1);
    let rest = output(&mut meeting.client);
    assert_eq!(meeting.client.queued_bytes(), 0);
    feed(&mut meeting.server, &[begun, rest].concat()).expect("it is understood");
    assert_eq!(events(&mut meeting.server), [ZmtpEvent::Message([large].into_iter().collect())]);
}

#[test]
fn a_key_that_is_not_authorized_is_told_so() {
    let nobody = authenticator(|_| false);
    let mut meeting = Meeting::new(curve_client(1), curve_server(2).authenticator(nobody));
    let key = client_keys().public;
    let reason = "not on the list".to_owned();
    let ends = [Violation::NotAuthorized { key }, Violation::KeyDenied { key, reason }];
    assert_eq!(meeting.ends, ends.map(Some));
    assert_eq!(meeting.peers(), [None, None]);
}

#[test]
fn another_server_than_the_expected_one_says_nothing() {
    let other = key_pair(SecretKey::new([78; 32]));
    let server = curve_server(2).security(Security::CurveServer { keys: other });
    let meeting = Meeting::new(curve_client(1), server);
    let unopened = Violation::Unopened { command: "HELLO" };
    assert_eq!(unopened.blame(), Blame::Settings);
    assert!(unopened.to_string().contains("public key"), "{unopened}");
    assert_eq!(meeting.ends, [None, Some(unopened)]);
}

#[test]
fn halves_that_do_not_belong_together_prove_nothing() {
    let keys = KeyPair::new(client_keys().public, SecretKey::new([12; 32]));
    let server = server_keys().public;
    let client = curve_client(1).security(Security::CurveClient { keys, server });
    let mut meeting = Meeting::new(client, curve_server(2));
    assert_eq!(meeting.ends, [None, Some(Violation::WrongVouch)]);
    assert_eq!(meeting.peers(), [None, None]);
}

#[test]
fn keys_that_prove_nothing_are_no_keys() {
    let server = PublicKey::new([0; 32]);
    let client = Security::CurveClient { keys: client_keys(), server };
    let meeting = Meeting::new(curve_client(1).security(client), curve_server(2));
    assert_eq!(meeting.ends, [Some(Violation::WeakKey { key: server }), None]);
}

#[test]
fn without_random_numbers_nothing_is_said() {
    let keys = client_keys();
    let server = server_keys();
    let client = config(Dealer).security(Security::CurveClient { keys, server: server.public });
    let meeting = Meeting::new(client, curve_server(2));
    assert!(matches!(&meeting.ends, [Some(Violation::NoRandomness(_)), None]));
    let server = config(Router).security(Security::CurveServer { keys: server });
    let meeting = Meeting::new(curve_client(1), server);
    assert!(matches!(&meeting.ends, [None, Some(Violation::NoRandomness(_))]));
}

#[test]
fn sockets_that_do_not_go_together_are_told_so() {
    let client = curve_client(1).kind(Push);
    let mut meeting = Meeting::new(client, curve_server(2));
    let [Some(Violation::Refused { reason }), Some(Violation::SocketType { .. })] = &meeting.ends
    else {
        panic!("{:?}", meeting.ends)
    };
    assert_eq!(reason, "Incompatible socket type");
    assert_eq!(meeting.peers(), [None, None]);
}

#[test]
fn the_others_mechanism_is_named() {
    let ends = |client: EngineConfig, server: EngineConfig| Meeting::new(client, server).ends;
    let violation =
        |ours, theirs: &str| Some(Violation::Mechanism { ours, theirs: theirs.to_owned() });
    let mismatch = [violation("NULL", "CURVE"), violation("CURVE", "NULL")];
    assert_eq!(ends(config(Dealer), curve_server(1)), mismatch);
    let mismatch = [violation("CURVE", "NULL"), violation("NULL", "CURVE")];
    assert_eq!(ends(curve_client(1), config(Router)), mismatch);
}

#[test]
fn who_serves_meets_who_calls() {
    let meeting = Meeting::new(curve_server(1), curve_server(2));
    let both = Violation::BothServers { mechanism: "CURVE" };
    assert_eq!(meeting.ends, [Some(both.clone()), Some(both)]);
    let meeting = Meeting::new(curve_client(1), curve_client(2));
    let both = Violation::OutOfTurn { expected: "WELCOME", got: "HELLO".to_owned() };
    assert_eq!(meeting.ends, [Some(both.clone()), Some(both)]);
    // What says nothing of its role, as libzmq, is waited for.
    let mut server = engine(&curve_server(1));
    feed(&mut server, &greeting([3, 1], "CURVE", false)).expect("it may be a client");
}

#[test]
fn secrets_are_not_shown() {
    let (client, server) = (curve_client(1), curve_server(2));
    let texts = [format!("{client:?}{server:?}"), {
        let meeting = Meeting::new(client, server);
        format!("{:?}{:?}", meeting.client, meeting.server)
    }];
    for text in texts {
        for secret in ["11, 11", "77, 77", "0b0b", "4d4d"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
