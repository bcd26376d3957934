//! Memory that is shared with what is not counted: whatever waits does not keep it.

use bytes::Bytes;
use rmpv::Value;
use zerorpc_proto::{Args, CallOptions, Config, Multipart, PeerEvent};
use zerorpc_tests::world::{raw_event::RawEvent, test_session::TestSession};

use super::{GREEDY, KILOBYTE, drain, request, route, server};

/// A message that is a slice of a chunk, as transports deliver them.
fn slice_of_chunk(event: &RawEvent, chunk: usize) -> (Bytes, Multipart) {
    let payload = event.payload();
    let mut whole = payload.to_vec();
    whole.resize(chunk, 0);
    let whole = Bytes::from(whole);
    (whole.clone(), Multipart::direct(whole.slice(..payload.len())))
}

#[test]
fn requests_that_wait_do_not_keep_the_chunks_they_came_in() {
    let mut server = server(64 << 20, 1 << 30);
    for bytes in [10, 2000, 20_000] {
        let mut chunks = Vec::new();
        for id in 0..1000_u32 {
            let event = request(id, bytes).with("trace_id", "t");
            let (chunk, message) = slice_of_chunk(&event, 64 * KILOBYTE);
            server.hear_message(GREEDY, message).expect("a request");
            chunks.push(chunk);
        }
        let kept = chunks.iter().filter(|chunk| !chunk.is_unique()).count();
        assert!(kept <= 256, "{bytes}: {kept} chunks are kept, which nobody has counted");
        let now = server.now();
        server.session.handle_peer_event(now, PeerEvent::Down(GREEDY, "gone".into()));
        assert!(chunks.iter().all(Bytes::is_unique), "{bytes}: some stay for ever");
    }
}

#[test]
fn answers_that_wait_to_be_read_do_not_keep_the_chunks_they_came_in() {
    let mut client = TestSession::new(Config::client(1));
    let options = CallOptions::new().slots(1000);
    let (call, id) = client.open(GREEDY, &options);
    let mut chunks = Vec::new();
    for item in 0..1000 {
        let event = RawEvent::on(id.clone(), "STREAM", Value::from(item));
        let (chunk, message) = slice_of_chunk(&event, 64 * KILOBYTE);
        client.hear_message(GREEDY, message).expect("an item");
        chunks.push(chunk);
    }
    let kept = chunks.iter().filter(|chunk| !chunk.is_unique()).count();
    assert!(kept <= 256, "{kept} chunks are kept");
    let read = std::iter::from_fn(|| client.recv(call)).count();
    assert_eq!(read, 1000);
    assert!(chunks.iter().all(Bytes::is_unique));
}

#[test]
fn answers_that_wait_keep_no_memory_that_they_share() {
    let mut server = server(64 << 20, 1 << 30);
    server.session.handle_peer_event(server.now(), PeerEvent::Congested(route(GREEDY), 0));
    let chunk = Bytes::from(vec![1; 4 * KILOBYTE]);
    let id = server.request(GREEDY, &request(0, 1));
    let value = Args::from_bytes(chunk.slice(..1)).expect("the number one");
    server.serve(id).reply(value).expect("no stream has begun");
    server.settle();
    assert!(chunk.is_unique());
    drain(&mut server);
    assert_eq!(server.take_names(), ["OK"]);
}
