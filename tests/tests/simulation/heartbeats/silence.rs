//! Whose silence is counted from when, and for how long it may last.

use std::time::Duration;

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallOptions, Config, Loss, Multipart, Notice, PeerEvent, PeerId,
};
use zerorpc_tests::world::{raw_event::RawEvent, test_session::TestSession};

use super::{INTERVAL, LOST, PEER, UNSEEN, client, config, patient, seconds, server};

/// Any event on a channel is a sign of life, also for a server.
fn signs(id: &Value) -> Vec<(&'static str, RawEvent)> {
    let id = || id.clone();
    vec![
        ("a beat", RawEvent::beat(id())),
        ("a beat of nil", RawEvent::on(id(), "_zpc_hb", Value::Nil)),
        ("credit", RawEvent::grant(id(), 1)),
        ("useless credit", RawEvent::grant(id(), "many")),
        ("an item", RawEvent::on(id(), "STREAM", Value::Nil)),
    ]
}

#[test]
fn a_server_that_says_nothing_is_lost_after_two_intervals() {
    let mut client = client();
    let (call, _) = client.open(PEER, &patient());
    client.pass_to(seconds(1.999));
    assert_eq!((client.beats(), client.notices.len()), (vec![1000], 0));
    client.pass_to(seconds(50.0));
    assert_eq!(client.notices, [(seconds(2.0), Notice::CallLost(call))]);
    assert_eq!(client.beats(), [1000]);
    assert_eq!(client.recv(call), Some(Answer::Lost(LOST)));
    assert_eq!(client.session.open_channels(), 0);
}

#[test]
fn silence_counts_from_the_last_event_of_any_kind() {
    let ids = client().open(PEER, &patient()).1;
    for (what, _) in signs(&ids) {
        let mut client = client();
        let (call, id) = client.open(PEER, &patient());
        client.pass_to(seconds(1.7));
        let (_, sign) = signs(&id).into_iter().find(|(sign, _)| *sign == what).expect(what);
        client.hear(PEER, &sign).expect("a sound event");
        client.pass_to(seconds(3.699));
        let lost = |client: &TestSession| {
            client.notices.iter().any(|(_, notice)| *notice == Notice::CallLost(call))
        };
        assert!(!lost(&client), "{what}");
        client.pass_to(seconds(3.7));
        assert!(lost(&client), "{what}");
        assert_eq!(client.beats(), [1000, 2000, 3000], "{what}");
    }
}

/// A process that was stopped, a frozen container, a laptop that slept: what the peer has said meanwhile waits to be read,
/// and whoever is woken looks at the clock first.
#[test]
fn what_was_slept_through_is_no_silence() {
    // None of them ends within the quarter of an interval behind a deadline that counts as waking in time.
    for pause in [0.4, 3.0, 8.0, 3600.0] {
        for awake in [0.1, 1.0, 1.05, 1.9, 1.999] {
            let mut client = client();
            let (call, id) = client.open(PEER, &patient());
            let mut server = server();
            let request = server.request(PEER, &RawEvent::request("id", "f", vec![]));
            let beat = |test_session: &mut TestSession, id: &Value| {
                test_session.hear(PEER, &RawEvent::beat(id.clone())).expect("a sound event");
            };
            for (test_session, id) in [(&mut client, &id), (&mut server, &Value::from("id"))] {
                for second in 1..4 {
                    test_session.pass_to(seconds(f64::from(second)));
                    beat(test_session, id);
                }
                test_session.pass(seconds(awake));
                test_session.sleep_through(seconds(pause));
                assert_eq!(lost(test_session), 0, "stopped {awake} s after a beat, for {pause} s");
                beat(test_session, id);
                test_session.pass(seconds(1.99));
                assert_eq!(lost(test_session), 0, "nothing was missed");
                test_session.pass(seconds(2.0));
                assert_eq!(lost(test_session), 1, "and then silence counts as before");
            }
            assert!(client.notices.iter().any(|(_, told)| *told == Notice::CallLost(call)));
            assert!(server.session.request(request).is_none());
        }
    }
}

/// Calls and requests that were lost.
fn lost(test_session: &TestSession) -> usize {
    let is_lost = |told: &Notice| matches!(told, Notice::CallLost(_) | Notice::RequestLost(..));
    test_session.notices.iter().filter(|(_, told)| is_lost(told)).count()
}

/// Whoever drives a session may be some milliseconds late each time, so that beats leave together.
#[test]
fn time_goes_on_with_the_shortest_heartbeats() {
    for interval in [1, 5, 20] {
        let interval = Duration::from_millis(interval);
        let config = Config::client(1).heartbeat(interval);
        let mut client = TestSession::new(config);
        let (call, _) = client.open(PEER, &patient());
        for _ in 0..20 {
            client.sleep_through(interval.max(Duration::from_millis(10)));
        }
        assert!(client.notices.iter().any(|(_, told)| *told == Notice::CallLost(call)));
    }
}

#[test]
fn a_pause_does_not_hide_that_a_peer_is_gone() {
    let mut client = client();
    let (call, _) = client.open(PEER, &patient());
    client.pass_to(seconds(1.5));
    client.sleep_through(seconds(60.0));
    client.pass(seconds(2.0));
    let at = client.notices.iter().find(|(_, told)| *told == Notice::CallLost(call));
    assert!(at.is_some_and(|(at, _)| *at < seconds(63.0)), "{:?}", client.notices);
}

#[test]
fn a_call_that_was_given_time_has_it_when_it_was_stopped() {
    let mut client = TestSession::new(config(Config::client(1)));
    let options = CallOptions::new().timeout(seconds(4.0));
    let (call, id) = client.open(PEER, &options);
    client.pass_to(seconds(1.0));
    client.sleep_through(seconds(10.0));
    assert_eq!(client.notices, [], "its answer may wait to be read");
    client.hear(PEER, &RawEvent::on(id, "OK", Value::Array(vec![1.into()]))).expect("an answer");
    assert!(matches!(client.recv(call), Some(Answer::Value(_))));
}

/// Where nobody tells when a connection ends.
#[test]
fn an_unseen_caller_that_was_never_heard_has_three_intervals() {
    for (heard, lost, beats) in [
        (None, 3.0, &[1000, 2000][..]),
        (Some(0.5), 3.0, &[1000, 2000]),
        (Some(1.5), 3.5, &[1000, 2000, 3000]),
        (Some(2.9), 4.9, &[1000, 2000, 3000, 4000]),
    ] {
        for (what, sign) in signs(&"id".into()) {
            if what.starts_with("a beat") && heard.is_some_and(|at| at > 1.0) {
                // Then it has a rhythm of its own.
                continue;
            }
            let mut server = server();
            let id = server.request(UNSEEN, &RawEvent::request("id", "f", vec![]));
            if let Some(at) = heard {
                server.pass_to(seconds(at));
                server.hear(UNSEEN, &sign).expect("a sound event");
            }
            server.pass_to(seconds(100.0));
            let expected = vec![(seconds(lost), Notice::RequestLost(id, LOST))];
            assert_eq!(server.notices, expected, "{what} at {heard:?}");
            assert_eq!(server.beats(), beats, "{what} at {heard:?}");
            assert_eq!(server.session.open_channels(), 0);
        }
    }
}

/// A queue stands between: its connection says nothing of the caller's.
#[test]
fn a_caller_behind_a_queue_is_an_unseen_one() {
    let mut server = server();
    let envelope = [bytes::Bytes::from("caller")].into_iter().collect();
    let payload = RawEvent::request("id", "f", vec![]).payload();
    server.hear_message(PEER, Multipart { envelope, payload }).expect("a sound request");
    server.pass_to(seconds(100.0));
    let lost = server.notices.iter().filter(|(_, told)| matches!(told, Notice::RequestLost(..)));
    assert_eq!(lost.map(|(at, _)| *at).collect::<Vec<_>>(), [seconds(3.0)]);
}

/// Callers without heartbeats keep their calls, and are beaten to, as long as their connection is there.
#[test]
fn a_caller_that_never_beats_is_kept_while_its_connection_lives() {
    let mut server = server();
    let [request, other] = ["id", "other"].map(|id| {
        let id = server.request(PEER, &RawEvent::request(id, "f", vec![]));
        server.serve(id).send(Args::NIL).expect("every side may send one");
        id
    });
    for second in 1..=100 {
        server.pass_to(seconds(f64::from(second)));
        // What is no beat does not begin to count.
        server.hear(PEER, &RawEvent::grant("id", 1)).expect("credit");
    }
    assert_eq!((server.notices.len(), server.beats().len()), (0, 200));
    server.serve(request).finish();
    let now = server.now();
    server.session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
    server.settle();
    let lost = Notice::RequestLost(other, Loss::Disconnected { reason: "gone".into() });
    assert_eq!(server.notices, [(seconds(100.0), lost)]);
    assert_eq!(server.session.open_channels(), 0);
}

/// Whoever beats on one channel does so on all: one that is silent was given up.
#[test]
fn a_peer_that_has_beaten_has_three_of_its_intervals_for_another_first_beat() {
    for (interval, lost) in [(0.4, 3.0), (1.0, 3.0), (20.0, 60.0)] {
        let mut server = server();
        let first = server.request(PEER, &RawEvent::request("first", "f", vec![]));
        server.pass_to(seconds(interval));
        server.hear(PEER, &RawEvent::beat("first")).expect("a beat");
        server.serve(first).reply(Args::NIL).expect("no stream has begun");
        let second = server.request(PEER, &RawEvent::request("second", "f", vec![]));
        let other = server.request(PeerId::new(2), &RawEvent::request("other", "f", vec![]));
        server.pass(seconds(1000.0));
        let after = 2 * seconds(interval).max(INTERVAL);
        let told = Notice::RequestLost(second, Loss::Silent { after });
        assert_eq!(server.notices, [(seconds(interval + lost), told)]);
        server.serve(other).reply(Args::NIL).expect("it is another connection");
    }
}

/// It may have been dropped; a reader without heartbeats has time to go on.
#[test]
fn a_stream_whose_caller_never_beat_waits_for_credit_for_twenty_intervals() {
    let mut server = server();
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    for round in 0..3 {
        server.serve(id).send(Args::NIL).expect("credit");
        server.serve(id).send(Args::NIL).expect_err("no credit is left");
        server.pass(seconds(if round < 2 { 19.0 } else { 100.0 }));
        assert_eq!(server.notices.len(), usize::from(round == 2));
        server.hear(PEER, &RawEvent::grant("id", 1)).expect("credit, or late");
        server.notices.retain(|(_, told)| !matches!(told, Notice::Writable(_)));
    }
    let lost = Notice::RequestLost(id, Loss::Stalled { after: 20 * INTERVAL });
    assert_eq!(server.notices, [(seconds(58.0), lost)]);
}

/// Two of its own intervals, once it has shown one; from its first beat on.
#[test]
fn a_caller_with_slow_beats_has_two_of_its_own_intervals() {
    for (caller, first, lost) in [(PEER, 20.0, 140.0), (UNSEEN, 2.5, 17.5), (PEER, 0.7, 5.5)] {
        let mut server = server();
        let id = server.request(caller, &RawEvent::request("id", "f", vec![]));
        let interval = seconds(first);
        for beat in 1..=5 {
            server.pass_to(interval * beat);
            server.hear(caller, &RawEvent::beat("id")).expect("a beat");
        }
        server.pass_to(seconds(1000.0));
        let after = (2 * interval).max(2 * INTERVAL);
        assert_eq!(seconds(lost), 5 * interval + after);
        let expected = [(seconds(lost), Notice::RequestLost(id, Loss::Silent { after }))];
        assert_eq!(server.notices, expected);
    }
}
