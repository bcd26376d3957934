//! Who comes in, and what becomes known of them.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use zerorpc_proto::transport::{
    AuthRequest, Authenticator, Denied, MechanismName, PlainCredentials, ProcessCredentials,
    Security,
    SocketKind::{Dealer, Router},
};
use zerorpc_zmtp::{Blame, Engine, EngineConfig, Violation, ZmtpEvent};

use crate::support::{
    SIGNATURE, command, config, feed, greeting, modern, output, play, property, v2,
};

/// Keeps what it was asked.
#[derive(Default)]
struct Asked {
    requests: Mutex<Vec<String>>,
    denies: bool,
}

impl Authenticator for Asked {
    fn authenticate(&self, request: &AuthRequest<'_>) -> Result<String, Denied> {
        let asked = format!("{:?} {} {:?}", request.credential, request.remote, request.process);
        self.requests.lock().expect("no panic before").push(asked);
        if self.denies { Err(Denied::new("not on a Sunday")) } else { Ok("somebody".to_owned()) }
    }
}

impl Asked {
    fn denying() -> Arc<Self> {
        Arc::new(Self { denies: true, ..Self::default() })
    }

    fn count(&self) -> usize {
        self.requests.lock().expect("no panic before").len()
    }
}

fn guarded(config: EngineConfig, asked: &Arc<Asked>) -> EngineConfig {
    config.authenticator(Arc::clone(asked) as Arc<dyn Authenticator>)
}

/// Handshakes of peers that have nothing to show.
fn anonymous() -> Vec<Vec<u8>> {
    vec![
        [greeting([3, 1], "NULL", false), command("READY", &property("Socket-Type", b"DEALER"))]
            .concat(),
        [v2(5), b"\0\0".to_vec()].concat(),
        [SIGNATURE, b"\0\x05", b"\x01\0"].concat(),
        b"\x01\0".to_vec(),
    ]
}

#[test]
fn everybody_is_somebody() {
    for script in anonymous() {
        let outcome = play(&config(Router), &script);
        let principal = outcome.peer().principal.as_ref().expect("somebody");
        assert_eq!((principal.mechanism, &principal.name), (MechanismName::Null, &None));
    }
}

#[test]
fn what_is_known_is_told_to_the_authenticator_and_kept() {
    let asked = Arc::new(Asked::default());
    let process = ProcessCredentials::new(1000, 100, Some(4711));
    let router = Arc::new(guarded(config(Router), &asked));
    let mut engine = Engine::new(router, Instant::now());
    engine.set_remote("ipc:///run/clock", Some(process));
    feed(&mut engine, &modern(1, "DEALER")).expect("a sound handshake");
    let Some(ZmtpEvent::Ready(peer)) = engine.poll_event() else { panic!("it is ready") };
    let principal = peer.principal.expect("somebody");
    assert_eq!(principal.name.as_deref(), Some("somebody"));
    assert_eq!(&*principal.remote, "ipc:///run/clock");
    assert_eq!(principal.process, Some(process));
    let requests = asked.requests.lock().expect("no panic before");
    assert_eq!(requests[..], [format!("Anonymous ipc:///run/clock {:?}", Some(process))]);
}

#[test]
fn who_is_not_let_in_is_told_nothing_but_that() {
    for script in anonymous() {
        let asked = Asked::denying();
        let outcome = play(&guarded(config(Router), &asked), &script);
        let violation = outcome.violation();
        assert!(matches!(violation, Violation::Denied { .. }), "{violation:?}");
        assert_eq!(violation.blame(), Blame::Settings);
        assert!(violation.to_string().ends_with("not on a Sunday"), "{violation}");
        assert_eq!(outcome.events, []);
        let said = outcome.output.escape_ascii().to_string();
        assert!(!said.contains("READY") && !said.contains("Sunday"), "{said}");
    }
}

#[test]
fn a_peer_of_null_hears_that_it_is_refused() {
    let outcome = play(&guarded(config(Router), &Asked::denying()), &modern(1, "DEALER"));
    let expected = [greeting([3, 1], "NULL", false), command("ERROR", b"\x03400")].concat();
    assert_eq!(outcome.output, expected);
}

#[test]
fn a_password_is_not_shown_to_one_who_is_not_let_in() {
    let credentials = PlainCredentials::new("admin", "secret").expect("short");
    let client = config(Dealer).security(Security::PlainClient(credentials));
    let outcome = play(&guarded(client, &Asked::denying()), &greeting([3, 1], "PLAIN", true));
    assert!(matches!(outcome.violation(), Violation::Denied { .. }));
    let said = outcome.output.escape_ascii().to_string();
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn the_authenticator_is_asked_once_and_not_about_those_who_show_nothing() {
    let asked = Arc::new(Asked::default());
    let config = Arc::new(guarded(config(Router), &asked));
    let mut engine = Engine::new(config, Instant::now());
    for byte in greeting([3, 1], "NULL", false) {
        assert_eq!(asked.count(), 0, "its mechanism is not known yet");
        feed(&mut engine, &[byte]).expect("a sound greeting");
    }
    feed(&mut engine, &command("READY", &property("Socket-Type", b"DEALER"))).expect("sound");
    assert_eq!(asked.count(), 1);
    output(&mut engine);
}
