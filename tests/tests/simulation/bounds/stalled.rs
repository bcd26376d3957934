//! Streams that stand still: their caller grants no credit, so that they hold for ever what others wait for.

use std::time::Duration;

use rmpv::Value;
use zerorpc_proto::{PeerMisbehaved, RemoteError, RequestId};
use zerorpc_tests::world::{raw_event::RawEvent, test_session::TestSession};

use super::{
    GREEDY, KILOBYTE, NEIGHBOUR, answer, arguments::start, nothing_is_kept_when_all_have_gone,
    request, requested, server,
};

const SECOND: Duration = Duration::from_secs(1);

/// Opens a stream with so many bytes of arguments, to its first item: the next one waits for credit.
fn stall(server: &mut TestSession, id: u32, bytes: usize) -> RequestId {
    let stream = server.request(GREEDY, &request(id, bytes));
    assert_eq!(start(server, &[stream]), [stream], "stream {id}");
    server.serve(stream).send(answer(1)).expect("the credit that all begin with");
    assert!(!server.serve(stream).has_room());
    server.settle();
    stream
}

/// The caller grants credit to a stream, which goes on and stands still again.
fn go_on(server: &mut TestSession, stream: RequestId, id: u32) {
    server.hear(GREEDY, &RawEvent::grant(id, 1)).expect("credit");
    server.serve(stream).send(answer(1)).expect("there is credit");
    assert!(!server.serve(stream).has_room());
    server.settle();
}

/// What those were told that were refused, and forgets all else that was sent.
fn refusals(server: &mut TestSession) -> Vec<String> {
    let failures = server.sent.drain(..).filter(|sent| sent.event.name == *"ERR");
    let words = failures.map(|sent| {
        let [name, words, _]: [Value; 3] = sent.event.args.decode().expect("three texts");
        assert_eq!(name.as_str(), Some("ServerBusy"));
        words.as_str().expect("text").to_owned()
    });
    words.collect()
}

/// Nobody runs a thread for them.
#[test]
fn as_many_streams_as_there_is_room_for_leave_room_for_a_call() {
    let mut server = server(80 * KILOBYTE, 1 << 30);
    let mut refused = None;
    for id in 0..1000 {
        if let Err(how) = server.hear(GREEDY, &request(id, 1)) {
            refused = Some((id, how));
            break;
        }
        let [stream] = requested(&mut server)[..] else { panic!("a request") };
        assert_eq!(start(&mut server, &[stream]), [stream], "stream {id} is begun at once");
        server.serve(stream).send(answer(1)).expect("the credit that all begin with");
        assert!(!server.serve(stream).has_room());
        server.settle();
    }
    let (count, how) = refused.expect("more than may be open");
    assert!((100..110).contains(&count), "{count}");
    assert!(matches!(how, PeerMisbehaved::TooManyBytes(_)), "{how:?}");
    let [told] = &refusals(&mut server)[..] else { panic!("it was refused at once") };
    assert!(told.contains(&format!("{count} calls are open, {count} of them streams")), "{told}");
    nothing_is_kept_when_all_have_gone(&mut server);
}

#[test]
fn what_waits_for_streams_that_stand_still_is_refused() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let streams = [0, 1, 2].map(|id| stall(&mut server, id, 15_000));
    let call = server.request(GREEDY, &request(3, 1));
    assert_eq!(start(&mut server, &[call]), [], "they hold more than half");
    server.sent.clear();
    server.pass(SECOND * 39 / 10);
    assert_eq!(refusals(&mut server), [""; 0]);
    server.pass(SECOND / 2);
    let [told] = &refusals(&mut server)[..] else { panic!("it was refused") };
    assert!(told.contains("3 streams") && told.contains("87 KiB"), "{told}");
    assert!(server.session.request(call).is_none());
    // Others of the same peer are told as well, each after as long a time.
    let calls = [4, 5].map(|id| server.request(GREEDY, &request(id, 1)));
    assert_eq!(start(&mut server, &calls), []);
    server.pass(5 * SECOND);
    assert_eq!(refusals(&mut server).len(), 2);
    // Its neighbour knows nothing of that, and it is served again once it has read.
    let neighbours = server.request(NEIGHBOUR, &request(0, 1));
    assert_eq!(start(&mut server, &[neighbours]), [neighbours]);
    let late = server.request(GREEDY, &request(6, 1));
    assert_eq!(start(&mut server, &[late]), []);
    requested(&mut server);
    server.serve(streams[0]).finish();
    server.hear(GREEDY, &RawEvent::grant(0, 1)).expect("credit");
    server.settle();
    assert_eq!(requested(&mut server), [late]);
    assert_eq!(start(&mut server, &[late]), [late]);
    nothing_is_kept_when_all_have_gone(&mut server);
}

/// Its streams go on, if slowly, and so may end: others wait for that.
#[test]
fn a_slow_reader_is_not_refused() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let streams = [0, 1, 2].map(|id| stall(&mut server, id, 15_000));
    let call = server.request(GREEDY, &request(3, 1));
    assert_eq!(start(&mut server, &[call]), []);
    for _ in 0..20 {
        server.pass(3 * SECOND);
        go_on(&mut server, streams[1], 1);
        assert_eq!(refusals(&mut server), [""; 0]);
    }
    // It has stopped, whatever beats it sends.
    for _ in 0..2 {
        server.pass(3 * SECOND);
        for id in 0..4 {
            server.hear(GREEDY, &RawEvent::beat(id)).expect("a beat");
        }
    }
    assert_eq!(refusals(&mut server).len(), 1);
}

#[test]
fn what_waits_for_methods_that_run_is_not_refused() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let methods = [0, 1, 2].map(|id| server.request(GREEDY, &request(id, 15_000)));
    assert_eq!(start(&mut server, &methods), methods);
    let call = server.request(GREEDY, &request(3, 1));
    assert_eq!(start(&mut server, &[call]), []);
    server.pass(100 * SECOND);
    assert_eq!(refusals(&mut server), [""; 0]);
    requested(&mut server);
    server.serve(methods[0]).fail(RemoteError::new("E", ""));
    server.settle();
    assert_eq!(requested(&mut server), [call]);
}

/// The arguments of those that wait, and those of a stream, are too much together; each alone is not.
#[test]
fn as_many_are_refused_as_make_room_for_others() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    let stream = server.request(GREEDY, &request(0, 12_000));
    let ids: Vec<_> = (1..10).map(|id| server.request(GREEDY, &request(id, 15_000))).collect();
    requested(&mut server);
    assert_eq!(start(&mut server, &[stream]), [stream]);
    server.serve(stream).send(answer(1)).expect("the credit that all begin with");
    assert!(!server.serve(stream).has_room());
    server.settle();
    assert_eq!(start(&mut server, &ids), []);
    server.pass(5 * SECOND);
    assert_eq!(refusals(&mut server).len(), 1);
    let next = requested(&mut server);
    assert_eq!(start(&mut server, &next), next, "there is room for others");
    assert_eq!(next.len(), 1);
}

/// Callers give up while they wait, over and over.
#[test]
fn those_that_have_waited_leave_nothing_behind() {
    let mut server = server(160 * KILOBYTE, 1 << 30);
    for id in 0..3 {
        stall(&mut server, id, 15_000);
    }
    for id in 0..2000 {
        let call = server.request(GREEDY, &request(3 + id, 1));
        assert_eq!(start(&mut server, &[call]), []);
        server.serve(call).fail(RemoteError::new("E", "given up"));
        server.settle();
    }
}
