//! What peers can make a server keep.

use std::time::Duration;

use zerorpc_proto::{Answer, Args, CallOptions, Config, Limits, Target};

use crate::support::World;

/// A server that keeps little.
fn world() -> World {
    let limits = Limits::default().peer_bytes(1 << 20).total_bytes(4 << 20);
    World::with_config(Config::server(2).limits(limits))
}

#[test]
fn who_reads_no_answers_is_cut_off() {
    let mut world = world();
    for _ in 0..300 {
        world.open("much", &CallOptions::new());
    }
    world.run();
    world.pipes[1].room = 0;
    for request in world.server.requests() {
        if world.server.rpc.request(request).is_some_and(|mut request| request.start()) {
            world.server.reply(request, 100_000);
        }
        world.run();
        let kept = world.server.rpc.session().retained_bytes()
            + world.server.rpc.socket().retained_bytes();
        assert!(kept < 5 << 20, "{kept} bytes are kept");
    }
    world.pass(Duration::from_secs(5));
    let [closed] = &world.server.closed[..] else { panic!("it is cut off") };
    assert!(
        closed.words.contains("does not read") || closed.words.contains("too much"),
        "{}",
        closed.words
    );
    let kept = world.server.rpc.session().retained_bytes();
    assert_eq!((kept, world.server.rpc.socket().retained_bytes()), (0, 0));
}

#[test]
fn who_reads_slowly_is_not() {
    let mut world = world();
    let calls: Vec<_> = (0..100).map(|_| world.open("much", &CallOptions::new())).collect();
    world.run();
    world.pipes[1].room = 5000;
    for _ in 0..100 {
        // What may not run yet is told of again.
        for request in world.server.requests() {
            if world.server.rpc.request(request).is_some_and(|mut request| request.start()) {
                world.server.reply(request, 100_000);
            }
        }
        world.pass(Duration::from_millis(100));
    }
    world.run();
    assert_eq!(world.server.closed.len(), 0);
    for call in calls {
        assert!(world.client.rpc.call(call).is_some_and(|call| call.is_readable()));
    }
}

#[test]
fn who_is_cut_off_hears_why() {
    let limits = Limits::default().peer_bytes(16 << 20).total_bytes(4 << 20);
    let mut world = World::with_config(Config::server(2).limits(limits));
    let args = Args::encode_params(&("x".repeat(1 << 20),)).expect("text");
    let mut open = || {
        let options = CallOptions::new();
        world.client.rpc.open(world.now, Target::Any, "keep", args.clone(), &options)
    };
    let calls = [open(), open(), open(), open()].map(|call| call.expect("there is room"));
    world.run();
    // The last request is too much, and does not arrive.
    let [calls @ .., _] = calls;
    let [closed] = &world.server.closed[..] else { panic!("it is cut off") };
    assert!(closed.last_words.as_ref().is_some_and(|words| words.say_why()), "{}", closed.words);
    for call in calls {
        let answer = world.client.rpc.call(call).and_then(|mut call| call.recv());
        let Some(Answer::Failed(error)) = answer else { panic!("{answer:?}") };
        assert_eq!(error.name, "ServerBusy");
        assert!(error.message.contains("too much is kept"), "{}", error.message);
    }
    assert_eq!(world.server.rpc.session().retained_bytes(), 0);
}
