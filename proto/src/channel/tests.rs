mod deadline;

use bytes::Bytes;

use super::{heartbeat::Patience, *};
use crate::{CallOptions, Config, HeartbeatMode, Multipart, Notice, PeerId, Session, Target};

const SECOND: Duration = Duration::from_secs(1);

/// The only clock reading of these tests: a base for arithmetic.
#[expect(clippy::disallowed_methods, reason = "tests need some instant to start from")]
fn epoch() -> Instant {
    static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *EPOCH
}

fn config() -> Config {
    Config { heartbeat: Some(SECOND), ..Config::client(1) }
}

fn text(len: usize) -> Args {
    Args::encode(&"a".repeat(len)).expect("has a form")
}

/// The channel of a call as a session opens it, and the same as the server's session sees it; for as long as `look` looks.
fn both_sides(look: impl FnOnce(&mut Channel, &mut Channel)) {
    let peer = PeerId::new(1);
    let (mut caller, mut server) = (Session::new(config()), Session::new(Config::server(2)));
    let args = Args::encode(&("an argument",)).expect("has a form");
    let options = CallOptions::new().timeout(None);
    let call = caller.open(epoch(), Target::Peer(peer), "method", args, &options);
    let call = call.expect("there is room");
    let request = caller.poll_transmit().expect("the request").payload.to_bytes();
    server.handle_message(epoch(), peer, Multipart::direct(request));
    let Some(Notice::Requested(request)) = server.poll_notice() else { panic!("it has come") };
    let [call, request] = [(&mut caller, call.0), (&mut server, request.0)]
        .map(|(session, at)| session.store.get_mut(at).expect("it is open"));
    look(call, request);
}

/// The channel of a call that has not begun to beat, and what its caller keeps.
fn client(look: impl Fn(&mut Channel)) {
    both_sides(|call, _| {
        call.heartbeat = Heartbeat::idle();
        look(call);
    });
}

fn server(look: impl Fn(&mut Channel)) {
    both_sides(|_, request| {
        request.heartbeat = Heartbeat::idle();
        look(request);
    });
}

fn call(channel: &mut Channel) -> &mut CallState {
    match &mut channel.role {
        Role::Client(call) => call,
        Role::Server(_) => panic!("it is a caller's"),
    }
}

fn request(channel: &mut Channel) -> &mut RequestState {
    match &mut channel.role {
        Role::Server(request) => request,
        Role::Client(_) => panic!("it is a server's"),
    }
}

#[test]
fn an_inbox_keeps_answers_in_order() {
    let mut inbox = Inbox::default();
    assert_eq!((inbox.is_empty(), inbox.len(), inbox.size()), (true, 0, 0));
    assert_eq!((inbox.pop(), inbox.pop_item()), (None, None));
    for (index, answer) in
        [Answer::Item(text(1)), Answer::Item(text(10)), Answer::End].into_iter().enumerate()
    {
        inbox.push(answer);
        assert_eq!((inbox.is_empty(), inbox.len()), (false, index + 1));
    }
    assert_eq!(inbox.size(), 2 + 11);
    assert_eq!(inbox.pop(), Some(Answer::Item(text(1))));
    assert_eq!((inbox.size(), inbox.len()), (11, 2));
    assert_eq!(inbox.pop_item(), Some(text(10)));
    assert_eq!(inbox.pop_item(), None, "the end is no item");
    assert_eq!((inbox.pop(), inbox.len()), (Some(Answer::End), 0));
}

#[test]
fn an_inbox_gives_memory_back() {
    let mut inbox = Inbox::default();
    (0..1000).for_each(|_| inbox.push(Answer::End));
    (0..990).for_each(|_| drop(inbox.pop()));
    inbox.shrink(20);
    assert!((9..100).contains(&inbox.rest.capacity()), "{}", inbox.rest.capacity());
    assert_eq!(inbox.len(), 10);
}

#[test]
fn what_waits_weighs_its_bytes_and_what_it_costs_to_keep() {
    let failure = RemoteError::new("Name", "message").with_traceback("trace");
    for (ending, bytes) in [
        (Ending::Value(text(10)), 11),
        (Ending::Done, 0),
        (Ending::Failure(Box::new(failure)), 4 + 7 + 5),
    ] {
        assert_eq!(ending.weight(), bytes + ANSWER_COST, "{ending:?}");
    }
    assert_eq!(weight(&text(10)), 11 + ANSWER_COST);
}

#[test]
fn callers_have_requests_grants_and_beats_to_send() {
    for (is_sent, retries, grant, beats, has_output) in [
        (true, false, 0, false, false),
        (false, false, 0, false, true),
        (false, true, 0, false, false),
        (true, false, 1, false, true),
        (true, false, 0, true, true),
    ] {
        client(|channel| {
            channel.heartbeat_pending = beats;
            let call = call(channel);
            (call.is_sent, call.grant) = (is_sent, grant);
            call.retry = retries.then(epoch);
            assert_eq!(call.has_request(), !is_sent && !retries);
            assert_eq!(call.is_unanswered(), is_sent);
            call.request = call.request.take().filter(|_| is_sent || has_output || retries);
            assert_eq!(channel.has_output(), has_output, "{is_sent} {retries} {grant} {beats}");
        });
    }
    client(|channel| {
        for is_sent in [false, true] {
            let call = call(channel);
            (call.is_sent, call.request) = (is_sent, None);
            assert!(!call.has_request() && !call.is_unanswered(), "there is no request any more");
        }
    });
}

#[test]
fn servers_have_items_beats_and_a_last_answer_to_send() {
    for (items, is_ending, credit, beats, has_output) in [
        (0, false, 1, false, false),
        (1, false, 0, false, true),
        (0, true, 1, false, true),
        (0, true, 0, false, false),
        (0, false, 0, true, true),
    ] {
        server(|channel| {
            channel.heartbeat_pending = beats;
            let request = request(channel);
            request.items = (0..items).map(|_| text(1)).collect();
            request.ending = is_ending.then_some(Ending::Done);
            request.credit = Credit::new();
            let _none_before = (0..2).map(|_| request.credit.take()).count();
            request.credit.grant(credit);
            assert_eq!(channel.has_output(), has_output, "{items} {is_ending} {credit} {beats}");
        });
    }
}

#[test]
fn one_item_more_is_taken_while_there_is_credit_and_room() {
    for (unsent, items, has_credit, has_room) in [
        (3, 0, true, true),
        (3, 2, true, true),
        (3, 3, true, false),
        (3, 4, true, false),
        (3, 0, false, false),
        (0, 0, true, true),
        (0, 1, true, false),
    ] {
        server(|channel| {
            let limits = Limits { unsent_items: unsent, ..Limits::default() };
            let request = request(channel);
            request.items = (0..items).map(|_| text(1)).collect();
            request.credit = Credit::new();
            while request.credit.take() {}
            request.credit.grant(u32::from(has_credit));
            assert_eq!(request.has_room(&limits), has_room, "{unsent} {items} {has_credit}");
        });
    }
}

#[test]
fn what_waits_for_its_consumer_is_counted() {
    client(|channel| {
        assert_eq!(channel.retained_bytes(), 0);
        call(channel).inbox.push(Answer::Item(text(20)));
        assert_eq!(channel.retained_bytes(), 21);
    });
    server(|channel| {
        request(channel).retained_bytes = 77;
        assert_eq!(channel.retained_bytes(), 77);
    });
}

/// A heartbeat that beats next after an interval: one that counts silence, and one that does not.
fn beating(counts: bool) -> Heartbeat {
    let patience = if counts { Patience::OfCaller } else { Patience::WhileConnected };
    Heartbeat::start(epoch(), SECOND, HeartbeatMode::Active, patience)
}

#[test]
fn small_requests_are_kept_while_only_beats_are_heard() {
    for (is_beat, len, is_kept) in [
        (true, SMALL - 10, true),
        (true, SMALL, true),
        (true, SMALL + 1, false),
        (false, 10, false),
        (false, SMALL + 1, false),
    ] {
        client(|channel| {
            let call = call(channel);
            let body = Bytes::from(vec![0; len - 4]);
            call.request = Some(Payload { head: Bytes::from_static(b"head"), body });
            assert!(!call.is_heard);
            call.forget_request(is_beat);
            assert!(call.is_heard);
            assert_eq!(call.request.is_some(), is_kept, "{is_beat} {len}");
        });
    }
}

#[test]
fn a_channel_forgets_that_its_route_was_congested() {
    server(|channel| {
        (channel.congested, channel.has_beaten_congested) = (true, true);
        channel.leave_congestion();
        assert_eq!((channel.congested, channel.has_beaten_congested), (false, false));
        let old = Dialect { grants_in_beats: true, version_1: true };
        for (known, dialect) in [(None, Dialect::CURRENT), (Some(old), old)] {
            channel.dialect = known;
            assert_eq!(channel.dialect(), dialect);
        }
    });
}

/// A window of 400 whose reader waited for a second of two, at the edge of what was granted: right would be twice as many
/// items, of ten bytes each. Asks for one more, and tells the size of the window then.
fn grown(call: &mut CallState, limits: &Limits, grown: &mut usize) -> u32 {
    let consume = |call: &mut CallState, items| (0..items).for_each(|_| call.window.consume(10));
    let mut ask =
        |call: &mut CallState, seconds| call.ask(Some(epoch() + SECOND * seconds), limits, grown);
    call.window = Window::growing(400);
    assert_eq!(ask(call, 0), None, "the credit for one is there from the beginning");
    consume(call, 1);
    assert_eq!(ask(call, 0), Some(400));
    assert_eq!(ask(call, 0), None);
    consume(call, 201);
    assert_eq!(ask(call, 0), Some(201));
    consume(call, 199);
    assert_eq!(ask(call, 1), None);
    call.window.arrived(Some(epoch() + 2 * SECOND));
    consume(call, 2);
    let more = ask(call, 2).expect("credit is granted");
    assert_eq!(call.grant, 400 + 201 + more, "what waits to be granted adds up");
    assert_eq!(more, call.window.size() - 199);
    call.window.size()
}

#[test]
fn windows_grow_within_what_is_allowed() {
    const MUCH: usize = 1 << 30;
    for (is_lossless, items, bytes, total, before, size) in [
        (true, 10_000, MUCH, MUCH, 0, 800),
        (true, 700, MUCH, MUCH, 0, 700),
        (true, 10_000, 6000, MUCH, 0, 600),
        (false, 10_000, MUCH, MUCH, 0, 500),
        (false, 450, MUCH, MUCH, 0, 450),
        (true, 10_000, MUCH, 12_000, 0, 700),
        (true, 10_000, MUCH, 12_000, 1000, 600),
        (true, 10_000, MUCH, 12_000, 3000, 400),
        (true, 10_000, MUCH, 12_000, 5000, 400),
    ] {
        client(|channel| {
            let limits = Limits {
                stream_items: items,
                stream_bytes: bytes,
                total_bytes: total,
                ..Limits::default()
            };
            let call = call(channel);
            call.is_lossless = is_lossless;
            let mut all = before;
            let case = format!("{is_lossless} {items} {bytes} {total} {before}");
            assert_eq!(grown(call, &limits, &mut all), size, "{case}");
            assert_eq!(all, before + (size as usize - 400) * 10, "{case}");
        });
    }
}

#[test]
fn a_window_that_shrinks_gives_memory_and_its_share_back() {
    client(|channel| {
        let (limits, mut all) = (Limits::default(), 1000);
        let call = call(channel);
        call.is_lossless = true;
        (0..1200).for_each(|_| call.inbox.push(Answer::End));
        (0..1199).for_each(|_| drop(call.inbox.pop()));
        call.inbox.pop();
        let capacity = call.inbox.rest.capacity();
        assert_eq!(grown(call, &limits, &mut all), 800);
        assert_eq!((all, call.inbox.rest.capacity()), (5000, capacity), "it has not shrunk");
        // From now on three hundred wait whenever one is asked for.
        (0..300).for_each(|_| call.inbox.push(Answer::End));
        (0..401).for_each(|_| call.window.consume(10));
        assert_eq!(call.ask(Some(epoch() + 3 * SECOND), &limits, &mut all), Some(401));
        assert_eq!((all, call.inbox.rest.capacity()), (5000, capacity), "it has waited before");
        (0..401).for_each(|_| call.window.consume(10));
        assert_eq!(call.ask(Some(epoch() + 4 * SECOND), &limits, &mut all), None);
        assert_eq!((call.window.size(), all), (500, 2000));
        assert!((500..capacity).contains(&call.inbox.rest.capacity()));
    });
}
