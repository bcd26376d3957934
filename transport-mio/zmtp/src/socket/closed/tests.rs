use super::*;
use crate::EngineConfig;
use crate::{Foreign, Violation};

/// A connection over a network that nothing has come from.
fn connection(origin: Origin, now: Instant) -> Connection {
    let config = Arc::new(EngineConfig::new(SocketKind::Router));
    Connection::new(ConnectionId::new(0, 1), origin, "tcp://192.0.2.1:1".into(), &config, now)
}

fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a test has to begin at some instant")]
    Instant::now()
}

#[test]
fn an_end_after_silence_has_a_likely_cause() {
    let start = instant();
    let mut connection = connection(Origin::Dialed, start);
    connection.peer = Some(PeerId::new(1));
    let reset = || CloseReason::Failed("Connection reset by peer (os error 104)".into());
    // How it ended, after how long, and whether there is a likely cause.
    let table = [
        (CloseReason::Eof, 0, false),
        (CloseReason::Eof, 1999, false),
        (CloseReason::Eof, 3000, true),
        (reset(), 60_000, true),
        (CloseReason::CutOff("enough".into()), 60_000, false),
        (CloseReason::Left("enough"), 60_000, false),
        (CloseReason::Dropped("enough".into()), 60_000, false),
    ];
    for (reason, milliseconds, expected) in table {
        let now = start + Duration::from_millis(milliseconds);
        let hint = hint_at_idleness(&reason, &connection, now);
        assert_eq!(!hint.is_empty(), expected, "{reason:?} after {milliseconds} ms");
        if expected {
            let seconds = format!("after {:.1} s", now.duration_since(start).as_secs_f64());
            for part in [&seconds, "idle", "docs/deployment.md"] {
                assert!(hint.contains(part), "{hint}");
            }
        }
    }
}

#[test]
fn only_what_can_be_mended_is_worth_a_line() {
    let now = instant();
    let connection = connection(Origin::Accepted, now);
    let foreign = Foreign::recognise(b"GET / HTTP/1.1").expect("HTTP");
    let late = CloseReason::Violation(Violation::HandshakeTimeout(Duration::from_secs(30)));
    let silent = CloseReason::Violation(Violation::HeartbeatTimeout(Duration::from_secs(15)));
    let identity =
        || CloseReason::IdentityTaken { identity: "x".into(), holder: "".into(), what_then: "" };
    // How it ended before it was a peer, and whether that is worth a line.
    let table = [
        (CloseReason::Eof, false),
        (CloseReason::Failed("reset".into()), false),
        (CloseReason::Left("enough"), false),
        (late, false),
        (CloseReason::Foreign(foreign), true),
        (CloseReason::Violation(Violation::NoLength), true),
        (CloseReason::CutOff("too large".into()), true),
        (CloseReason::Dropped("it does not read".into()), true),
        (identity(), true),
    ];
    for (reason, expected) in table {
        assert_eq!(super::is_notable(&reason, &connection, now), expected, "{reason:?}");
    }
    let mut peer = connection;
    peer.peer = Some(PeerId::new(1));
    let is_notable = |peer: &Connection, after: u64| {
        super::is_notable(&silent, peer, now + Duration::from_secs(after))
    };
    assert!(!is_notable(&peer, 30), "nothing was going on");
    peer.message_at = Some(now);
    assert!(is_notable(&peer, 30), "something was");
    assert!(!is_notable(&peer, 60), "that is long ago");
}
