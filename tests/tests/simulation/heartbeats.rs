//! Who beats when, and who is lost when (protocol section 5, and what we do better).

mod silence;

use std::time::Duration;

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, HeartbeatMode, Limits, Loss, Notice, PeerEvent,
    PeerId, RemoteError,
};
use zerorpc_tests::world::{
    epoch,
    raw_event::RawEvent,
    test_session::{TestSession, hear},
};

const PEER: PeerId = PeerId::new(1);
/// A caller of which nothing is known but what it says.
const UNSEEN: PeerId = PeerId::NAMELESS;
const INTERVAL: Duration = Duration::from_secs(1);
const LOST: Loss = Loss::Silent { after: Duration::from_secs(2) };

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn config(config: Config) -> Config {
    config.heartbeat(INTERVAL)
}

fn client() -> TestSession {
    TestSession::new(config(Config::client(1)))
}

fn passive_client() -> TestSession {
    TestSession::new(config(Config::client(1)).heartbeat_mode(HeartbeatMode::Passive))
}

fn server() -> TestSession {
    TestSession::new(config(Config::server(1)))
}

fn patient() -> CallOptions {
    CallOptions::new().timeout(None)
}

#[test]
fn a_passive_client_waits_for_the_first_beat_and_answers_it_at_once() {
    let mut client = passive_client();
    let (call, id) = client.open(PEER, &patient());
    client.pass_to(seconds(100.25));
    assert_eq!((client.wakes, client.sent.len(), client.notices.len()), (0, 0, 0));
    client.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
    assert_eq!(client.beats(), [100_250], "at once");
    client.hear(PEER, &RawEvent::beat(id)).expect("a beat");
    client.pass_to(seconds(200.0));
    assert_eq!(client.beats(), [100_250, 101_250], "once per interval from then on");
    assert_eq!(client.notices, [(seconds(102.25), Notice::CallLost(call))]);
}

#[test]
fn a_server_is_passive_with_callers_of_version_1() {
    let request = RawEvent::request("id", "f", vec![]);
    for request in [request.clone().version(1), request.without("v")] {
        let mut server = server();
        server.request(PEER, &request);
        server.pass_to(seconds(99.0));
        assert_eq!((server.wakes, server.sent.len(), server.notices.len()), (0, 0, 0));
        let id = server.request(PEER, &request.with("message_id", "beating"));
        server.pass_to(seconds(100.0));
        server.hear(PEER, &RawEvent::beat("beating").version(1)).expect("a beat");
        server.pass_to(seconds(200.0));
        assert_eq!(server.beats(), [100_000, 101_000], "a caller that beats is beaten back to");
        assert_eq!(server.notices, [(seconds(102.0), Notice::RequestLost(id, LOST))]);
    }
}

#[test]
fn only_the_silent_channels_of_a_peer_are_lost() {
    let mut client = client();
    let calls: Vec<_> = (0..20).map(|_| client.open(PEER, &patient())).collect();
    for second in 1..=10 {
        client.pass_to(seconds(f64::from(second) - 0.1));
        for (_, id) in calls.iter().step_by(2) {
            client.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
        }
    }
    let lost: Vec<_> = client.notices.iter().map(|(at, notice)| (*at, notice.clone())).collect();
    let silent = calls.iter().skip(1).step_by(2);
    let expected: Vec<_> =
        silent.map(|(call, _)| (seconds(2.0), Notice::CallLost(*call))).collect();
    assert_eq!(lost, expected);
    assert_eq!(client.session.open_channels(), 20, "lost ones wait to be read");
}

#[test]
fn an_echo_of_every_beat_is_no_storm() {
    for mut end in [client(), passive_client()] {
        let (_, id) = end.open(PEER, &patient());
        end.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
        for _ in 0..1000 {
            let before = end.sent.len();
            end.pass(seconds(0.01));
            for _ in before..end.sent.len() {
                for _ in 0..3 {
                    end.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
                }
            }
        }
        let beats = end.beats();
        assert!((10..=11).contains(&beats.len()), "{beats:?} in ten intervals");
        assert!(beats.windows(2).all(|two| two[1] - two[0] == 1000), "{beats:?}");
    }
}

#[test]
fn without_heartbeats_silence_lasts() {
    let mut client = TestSession::new(Config::client(1).heartbeat(None));
    let mut server = TestSession::new(Config::server(1).heartbeat(None));
    let (_, id) = client.open(PEER, &patient());
    client.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
    server.request(UNSEEN, &RawEvent::request("id", "f", vec![]));
    server.hear(UNSEEN, &RawEvent::beat("id")).expect("a beat");
    for (mut end, peer, id) in [(client, PEER, id), (server, UNSEEN, "id".into())] {
        assert_eq!(end.beats(), [0], "a peer that counts would lose this side without an answer");
        end.pass(seconds(1e6));
        assert_eq!((end.wakes, end.sent.len(), end.notices.len()), (0, 1, 0));
        assert_eq!(end.session.open_channels(), 1);
        // One for each beat, and none for what some peers make of the answer.
        for beat in 2..=4 {
            end.pass(INTERVAL);
            end.hear(peer, &RawEvent::beat(id.clone())).expect("a beat");
            end.pass(INTERVAL / 20);
            end.hear(peer, &RawEvent::beat(id.clone())).expect("an echo");
            assert_eq!(end.beats().len(), beat);
        }
        end.pass(seconds(1e6));
        assert_eq!((end.wakes, end.sent.len(), end.notices.len()), (0, 4, 0));
    }
}

#[test]
fn no_time_between_beats_is_no_heartbeat() {
    let mut server = TestSession::new(Config::server(1).heartbeat(Duration::ZERO));
    server.request(UNSEEN, &RawEvent::request("id", "f", vec![]));
    server.pass(seconds(1e6));
    assert_eq!((server.wakes, server.sent.len(), server.notices.len()), (0, 0, 0));
}

#[test]
fn the_timeout_is_for_the_first_answer_alone() {
    let options = CallOptions::new().timeout(seconds(5.5));
    for (first, then) in [(None, Some(5500)), (Some("STREAM"), None)] {
        let mut client = client();
        let (call, id) = client.open(PEER, &options);
        if let Some(first) = first {
            client.pass_to(seconds(0.5));
            client.hear(PEER, &RawEvent::on(id.clone(), first, Value::Nil)).expect("an item");
            assert_eq!(client.recv(call), Some(Answer::Item(Args::NIL)));
        }
        client.notices.clear();
        for _ in 0..100 {
            client.pass(seconds(0.5));
            client.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat does not extend it");
        }
        let lost: Vec<_> = client.notices.iter().map(|(at, _)| at.as_millis()).collect();
        assert_eq!(lost, then.into_iter().collect::<Vec<_>>(), "{first:?}");
        let after = seconds(5.5);
        let answer = then.map(|_| Answer::Lost(Loss::TimedOut { after }));
        assert_eq!(client.recv(call), answer);
    }
}

#[test]
fn what_was_not_transmitted_is_withdrawn() {
    let options = CallOptions::new().timeout(seconds(3.5));
    let open = |client: &mut TestSession| -> CallId {
        let now = client.now();
        client.session.open(now, PEER, "f", Args::NONE, &options).expect("few calls")
    };
    let mut client = client();
    let cancelled = open(&mut client);
    client.session.call(cancelled).expect("open").cancel();
    assert_eq!(client.session.poll_transmit(), None, "cancelled before");
    assert_eq!((client.session.open_channels(), client.session.poll_timeout()), (0, None));

    let late = open(&mut client);
    // Silence is not counted while nobody can have heard of the call.
    assert_eq!(client.session.poll_timeout(), Some(epoch() + seconds(3.5)));
    client.session.handle_timeout(epoch() + seconds(3.5));
    assert_eq!(client.session.poll_notice(), Some(Notice::CallLost(late)));
    assert_eq!(client.session.poll_transmit(), None, "timed out before");
    assert_eq!(client.recv(late), Some(Answer::Lost(Loss::NotSent { after: seconds(3.5) })));

    let gone = open(&mut client);
    let now = client.now();
    client.session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
    assert_eq!(client.session.poll_transmit(), None, "disconnected before");
    assert_eq!(client.recv(gone), Some(Answer::Lost(Loss::Disconnected { reason: "gone".into() })));
}

#[test]
fn a_server_learns_of_a_cancelled_call_by_silence() {
    let (mut client, mut server) = (client(), server());
    let (call, id) = client.open(PEER, &patient());
    let request = server.request(PEER, &RawEvent::request(id.clone(), "f", vec![]));
    for second in 1..=3 {
        client.pass_to(seconds(f64::from(second)));
        server.pass_to(seconds(f64::from(second)));
        for _ in client.sent.drain(..) {
            server.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
        }
        client.hear(PEER, &RawEvent::beat(id.clone())).expect("a beat");
    }
    client.session.call(call).expect("open").cancel();
    client.pass(seconds(10.0));
    assert_eq!((client.sent.len(), client.session.open_channels()), (0, 0));
    server.pass(seconds(10.0));
    assert_eq!(server.notices, [(seconds(5.0), Notice::RequestLost(request, LOST))]);
}

/// Without having beaten it would not be missed.
#[test]
fn a_call_that_is_given_up_beats_once() {
    let options = CallOptions::new().timeout(seconds(0.5));
    for (cancel_at, beats) in [(0.2, &[200][..]), (0.7, &[500]), (1.5, &[1000])] {
        for mut client in [client(), passive_client()] {
            let options = if cancel_at == 0.7 { options.clone() } else { patient() };
            let (call, id) = client.open(PEER, &options);
            client.pass_to(seconds(cancel_at));
            let had_beaten = !client.beats().is_empty();
            client.session.call(call).expect("open").cancel();
            client.settle();
            assert!(client.sent.iter().all(|sent| {
                let channel = sent.event.header.response_to.as_ref();
                channel.is_some_and(|channel| id == Value::Binary(channel.content().to_vec()))
            }));
            let late = [(cancel_at * 1000.0) as u128];
            assert_eq!(client.beats(), if had_beaten { beats } else { &late });
            assert_eq!(client.session.open_channels(), 0);
        }
    }
    let mut server = server();
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.hear(PEER, &RawEvent::beat("id")).expect("a last beat");
    server.pass(seconds(10.0));
    assert_eq!(server.notices, [(seconds(2.0), Notice::RequestLost(id, LOST))]);
}

#[test]
fn a_disconnected_peer_loses_its_channels_at_once_and_no_others() {
    let mut client = client();
    let (lost, _) = client.open(PEER, &patient());
    let (kept, _) = client.open(PeerId::new(2), &patient());
    let mut server = server();
    let gone = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    let there = server.request(PeerId::new(2), &RawEvent::request("id", "f", vec![]));
    for end in [&mut client, &mut server] {
        let now = end.now();
        end.session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
        end.settle();
    }
    assert_eq!(client.notices, [(Duration::ZERO, Notice::CallLost(lost))]);
    assert_eq!(client.recv(lost), Some(Answer::Lost(Loss::Disconnected { reason: "gone".into() })));
    assert!(client.session.call(kept).is_some());
    let notice = Notice::RequestLost(gone, Loss::Disconnected { reason: "gone".into() });
    assert_eq!(server.notices, [(Duration::ZERO, notice)]);
    assert!(server.session.request(there).is_some());
}

#[test]
fn an_older_time_counts_as_the_latest() {
    let mut server = server();
    server.pass_to(seconds(11.0));
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.pass_to(seconds(12.0));
    server.session.handle_timeout(epoch());
    hear(&mut server.session, epoch(), PEER, RawEvent::beat("id").message()).expect("a beat");
    server.session.handle_peer_event(epoch(), PeerEvent::Down(PeerId::new(9), "gone".into()));
    let options = CallOptions::new().timeout(seconds(1.5));
    let call = server.session.open(epoch(), PEER, "f", Args::NONE, &options).expect("few calls");
    server.pass_to(seconds(100.0));
    let lost =
        [(seconds(13.5), Notice::CallLost(call)), (seconds(14.0), Notice::RequestLost(id, LOST))];
    assert_eq!(server.notices, lost);
}

#[test]
fn beats_overtake_a_backlog() {
    let mut server = server();
    let id = server.request(PEER, &RawEvent::request("id", "f", vec![]));
    server.hear(PEER, &RawEvent::grant("id", 1000)).expect("credit");
    while server.serve(id).send(Args::NIL).is_ok() {}
    let now = server.now() + INTERVAL;
    server.session.handle_timeout(now);
    server.settle();
    let names = server.take_names();
    assert_eq!((&*names[0], &*names[1]), ("_zpc_hb", "STREAM"));
    server.serve(id).fail(RemoteError::new("E", "m"));
}

#[test]
fn open_channels_cost_nothing_between_beats() {
    const CHANNELS: u32 = 100_000;
    const BATCHES: u32 = 10;
    let limits = Limits::default().channels_per_peer(CHANNELS as usize).peer_bytes(1 << 30);
    let mut server = TestSession::new(config(Config::server(1)).limits(limits));
    let mut ids = Vec::new();
    for number in 0..CHANNELS {
        if number % (CHANNELS / BATCHES) == 0 {
            server.pass(INTERVAL / (2 * BATCHES));
        }
        let request = RawEvent::request(number, "f", vec![]).message();
        let now = server.now();
        hear(&mut server.session, now, PEER, request).expect("within the limits");
        ids.push(number);
    }
    server.settle();
    assert_eq!(server.session.open_channels(), CHANNELS as usize);
    assert_eq!(server.wakes, 0);
    for interval in 0..2_u64 {
        let (wakes, sent) = (server.wakes, server.sent.len());
        for number in &ids {
            let beat = RawEvent::beat(*number).message();
            let now = server.now();
            hear(&mut server.session, now, PEER, beat).expect("a beat");
        }
        server.pass(INTERVAL);
        assert_eq!(server.sent.len() - sent, CHANNELS as usize, "one beat each");
        let woken = server.wakes - wakes;
        assert!(woken <= u64::from(BATCHES), "woken {woken} times in interval {interval}");
    }
}
