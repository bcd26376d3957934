//! Calls and streams over connections that come and go.

use std::time::Duration;

use zerorpc_proto::{Answer, Args, CallOptions, Loss};
use zerorpc_zmtp::{Origin, RpcOutput};

use crate::support::World;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_call_waits_for_its_answer_as_long_as_beats_are_heard() {
    let mut world = World::new();
    let call = world.open("slow", &CallOptions::new().timeout(None));
    world.run();
    let [request] = world.server.requests()[..] else { panic!("a request has come") };
    world.pass(SECOND * 600);
    assert!(world.client.rpc.call(call).is_some_and(|call| !call.is_readable()));
    world.server.reply(request, 0);
    world.run();
    let answer = world.client.rpc.call(call).and_then(|mut call| call.recv());
    assert_eq!(answer, Some(Answer::Value(Args::encode(&0).expect("a number"))));
    assert!(world.client.rpc.is_drained() && world.server.rpc.is_drained());
}

#[test]
fn streams_do_not_stall_whatever_their_window() {
    for (slots, room) in [(None, 100_000), (Some(1), 100_000), (Some(128), 700), (Some(5000), 64)] {
        let mut world = World::new();
        world.server.items = 10_000;
        world.pipes.iter_mut().for_each(|pipe| pipe.room = room);
        let options = slots.map_or(CallOptions::new(), |slots| CallOptions::new().slots(slots));
        let call = world.open("stream", &options);
        let mut items = 0_u32;
        'stream: loop {
            world.run();
            let before = items;
            while let Some(answer) = world.client.rpc.call(call).and_then(|mut call| call.recv()) {
                match answer {
                    Answer::Item(item) => {
                        assert_eq!(item.decode::<u32>().expect("a number"), items);
                        items += 1;
                    }
                    Answer::End => break 'stream,
                    other => panic!("{other:?}"),
                }
            }
            assert!(items > before, "{items} of 10000 items with {slots:?} slots");
        }
        assert_eq!(items, 10_000);
    }
}

#[test]
fn calls_are_lost_with_their_connection_and_go_on_with_the_next() {
    let mut world = World::new();
    let lost = world.open("lost", &CallOptions::new());
    world.run();
    assert_eq!(world.server.requests().len(), 1);
    for (side, origin) in
        [(&mut world.client, Origin::Dialed), (&mut world.server, Origin::Accepted)]
    {
        side.rpc.handle_eof(world.now, side.connection);
        side.connection = side.rpc.open_connection(world.now, origin, "tcp://192.0.2.1:1");
    }
    let next = world.open("next", &CallOptions::new());
    world.run();
    let answer = world.client.rpc.call(lost).and_then(|mut call| call.recv());
    let Some(Answer::Lost(Loss::Disconnected { reason, .. })) = answer else {
        panic!("{answer:?}")
    };
    assert!(reason.contains("tcp://192.0.2.1:1: the peer closed"), "{reason}");
    let [request] = world.server.requests()[..] else { panic!("a request has come") };
    world.server.reply(request, 0);
    world.run();
    assert!(world.client.rpc.call(next).is_some_and(|call| call.is_readable()));
    assert_eq!((world.client.closed.len(), world.server.closed.len()), (1, 1));
}

#[test]
fn who_stops_answers_what_is_open_and_says_so() {
    let mut world = World::new();
    let call = world.open("open", &CallOptions::new());
    world.run();
    let [request] = world.server.requests()[..] else { panic!("a request has come") };
    world.server.rpc.drain();
    world.run();
    assert!(!world.server.rpc.is_drained());
    let late = world.open("late", &CallOptions::new());
    world.server.reply(request, 0);
    world.run();
    assert!(world.client.rpc.call(call).is_some_and(|call| call.is_readable()));
    assert_eq!(world.server.requests(), [], "it waits for somebody else");
    assert!(world.server.rpc.is_drained());
    world.server.rpc.say_last_word();
    world.run();
    assert_eq!(world.client.closed.len(), 1);
    assert!(world.client.rpc.call(late).is_some_and(|call| !call.is_readable()));
}

#[test]
fn peers_that_fall_silent_are_found_out() {
    let mut world = World::new();
    let call = world.open("never", &CallOptions::new().timeout(None));
    world.run();
    world.pipes.iter_mut().for_each(|pipe| pipe.room = 0);
    world.pass(SECOND * 60);
    let answer = world.client.rpc.call(call).and_then(|mut call| call.recv());
    assert!(matches!(answer, Some(Answer::Lost(_))), "{answer:?}");
    assert_eq!((world.client.closed.len(), world.server.closed.len()), (1, 1));
}

#[test]
fn a_peer_that_takes_whatever_comes_leaves_time_for_others() {
    let mut world = World::new();
    let call = world.open("stream", &CallOptions::new().slots(1_000_000));
    world.run();
    let [request] = world.server.requests()[..] else { panic!("a request has come") };
    let feed = |world: &mut World| {
        let mut open = world.server.rpc.request(request).expect("the request is open");
        while open.send(Args::NIL).is_ok() {}
    };
    feed(&mut world);
    world.run();
    // The second item is asked for, and with it a million.
    for _ in 0..2 {
        let _item = world.client.rpc.call(call).and_then(|mut call| call.recv());
    }
    world.run();
    feed(&mut world);
    for _ in 0..10_000 {
        match world.server.rpc.poll_output(world.now) {
            RpcOutput::Wait(until) => {
                return assert_eq!(until, Some(world.now), "there is more to send");
            }
            RpcOutput::Flush(connection) => {
                world.server.rpc.write_to(world.now, connection, &mut std::io::sink());
            }
            RpcOutput::Notice(_) => feed(&mut world),
            _ => {}
        }
    }
    panic!("no other connection is looked at");
}
