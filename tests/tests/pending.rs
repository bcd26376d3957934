//! Calls that have begun: many in flight from one thread, and awaited ones.

use std::{sync::atomic::Ordering, thread, time::Duration};

use futures_lite::{StreamExt, future::block_on};
use zerorpc::{Answer, Args, CallOptions, Client, Error, Loss, Pending, PendingStream};
use zerorpc_tests::{service::eventually, transports::Pair};

zerorpc_tests::over_each_pair![
    one_thread_has_many_calls_in_flight,
    answers_are_awaited,
    a_request_does_not_wait_for_others_for_long,
    calls_that_are_dropped_are_forgotten,
    losses_and_errors_come_with_the_answer,
    items_are_awaited,
    errors_end_awaited_streams,
    awaited_streams_that_are_dropped_end_their_producers,
    answers_of_either_kind_are_awaited,
];

fn one_thread_has_many_calls_in_flight(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    for _ in 0..20 {
        let calls: Vec<Pending<i64>> =
            (0..100).map(|n| client.start("add", (n, 1)).expect("a call")).collect();
        // Not in the order in which they are answered.
        for (n, call) in (0..100_i32).zip(calls).rev() {
            assert_eq!(call.wait(), Ok(i64::from(n) + 1));
        }
    }
}

fn answers_are_awaited(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    thread::scope(|scope| {
        for task in 0..8_i64 {
            let client = client.clone();
            scope.spawn(move || {
                block_on(async {
                    for n in 0..50 {
                        let sum = client.start::<i64>("add", (task, n)).expect("a call");
                        assert_eq!(sum.await, Ok(task + n));
                    }
                });
            });
        }
        // Threads that wait share the socket with tasks, which cannot wait for it.
        for n in 0..200 {
            assert_eq!(client.call("add", (n, n)), Ok(2 * n));
        }
    });
    let slow = client.start::<String>("slow_echo", ("late", 0.3)).expect("a call");
    assert_eq!(block_on(slow).as_deref(), Ok("late"));
}

fn a_request_does_not_wait_for_others_for_long(pair: Pair) {
    let (server, seen) = pair.serve();
    let client = pair.client_of(&server);
    let unread = client.start::<i64>("add", (1, 2)).expect("a call");
    // Once its answer is there, further requests wait for each other: nobody comes back for it.
    eventually("the first call was answered", || {
        thread::sleep(Duration::from_millis(1));
        client.call::<u64>("count", ()).is_ok()
    });
    for _ in 0..20 {
        let before = seen.counted.load(Ordering::SeqCst);
        let call = client.start::<u64>("count", ()).expect("a call");
        eventually("it has arrived", || seen.counted.load(Ordering::SeqCst) > before);
        drop(call);
    }
    assert_eq!(unread.wait(), Ok(3));
}

fn calls_that_are_dropped_are_forgotten(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    for n in 0..1000 {
        drop(client.start::<i64>("add", (n, n)).expect("a call"));
    }
    assert_eq!(client.call("add", (1, 1)), Ok(2));
}

fn losses_and_errors_come_with_the_answer(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    let failing = client.start::<()>("fail", ("key",)).expect("a call");
    assert!(matches!(failing.wait(), Err(Error::Remote { error, .. }) if error.name == "KeyError"));
    let stream = client.start::<u64>("numbers", (3,)).expect("a call");
    assert!(matches!(stream.wait(), Err(Error::IsStream { .. })));
    let options = CallOptions::new().timeout(Duration::from_millis(100));
    let late = client.with(options).start::<()>("sleep", (1.0,)).expect("a call");
    assert!(matches!(block_on(late), Err(Error::Timeout { .. })));
    let beat = Duration::from_millis(50);
    let hasty = pair.client_with(&server, |builder| builder.heartbeat(beat));
    let lost = hasty.start::<()>("sleep", (1.0,)).expect("a call");
    let lost = block_on(lost).expect_err("the server beats every five seconds");
    assert!(
        matches!(lost, Error::LostRemote { loss: Loss::Silent { after }, .. } if after == 2 * beat)
    );
}

fn numbers(client: &Client, count: u64) -> PendingStream<u64> {
    client.start_stream("numbers", (count,)).expect("a call")
}

fn items_are_awaited(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    thread::scope(|scope| {
        // Two streams in one task, of different lengths, while a thread calls and another one streams.
        scope.spawn(|| {
            block_on(async {
                let (mut long, mut short) = (numbers(&client, 10_000), numbers(&client, 300));
                for number in 0..10_000 {
                    assert_eq!(long.next().await, Some(Ok(number)));
                    assert_eq!(short.next().await, (number < 300).then_some(Ok(number)));
                }
                assert_eq!(long.next().await, None);
                assert_eq!(long.next().await, None, "it has ended");
            });
        });
        scope.spawn(|| {
            let items = client.stream::<u64>("numbers", (5_000,)).expect("a stream");
            assert!(items.map(|item| item.expect("no error")).eq(0..5_000));
        });
        for n in 0..200 {
            assert_eq!(client.call("add", (n, n)), Ok(2 * n));
        }
    });
    assert_eq!(block_on(numbers(&client, 0).next()), None);
}

fn errors_end_awaited_streams(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    block_on(async {
        let mut failing = client.start_stream::<u64>("failing_stream", (150,)).expect("a call");
        for number in 0..150 {
            assert_eq!(failing.next().await, Some(Ok(number)));
        }
        let error = failing.next().await.expect("an error").expect_err("no item");
        assert!(matches!(error, Error::Remote { error, .. } if error.name == "RuntimeError"));
        assert_eq!(failing.next().await, None);
        let mut value = client.start_stream::<u64>("add", (1, 2)).expect("a call");
        assert!(
            matches!(value.next().await, Some(Err(Error::NotStream { method })) if method == "add")
        );
        assert_eq!(value.next().await, None);
    });
}

fn awaited_streams_that_are_dropped_end_their_producers(pair: Pair) {
    let beat = Duration::from_millis(200);
    let (server, seen) = pair.serve_with(|builder| builder.heartbeat(beat));
    let client = pair.client_with(&server, |builder| builder.heartbeat(beat));
    block_on(async {
        let mut watched = client.start_stream::<u64>("watched", (1_000_000,)).expect("a call");
        for number in 0..120 {
            assert_eq!(watched.next().await, Some(Ok(number)));
        }
        assert_eq!(seen.alive.load(Ordering::SeqCst), 1);
    });
    eventually("the iterator is dropped", || seen.alive.load(Ordering::SeqCst) == 0);
    assert_eq!(client.call("add", (1, 2)), Ok(3));
}

fn answers_of_either_kind_are_awaited(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    let request =
        |method: &str, args: Args| block_on(client.start::<Answer>(method, args).expect("a call"));
    for round in 0..50_i64 {
        let sum = request("add", Args::encode(&(round, 1)).expect("encodes"));
        assert!(matches!(sum, Ok(Answer::Value(sum)) if sum.decode() == Ok(round + 1)));
    }
    for count in [0, 1, 5_000_u64] {
        let Ok(Answer::Stream(mut items)) =
            request("numbers", Args::encode(&(count,)).expect("encodes"))
        else {
            panic!("it is a stream")
        };
        block_on(async {
            for number in 0..count {
                let item = std::future::poll_fn(|context| items.poll_next(context)).await;
                let item = item.expect("no end").expect("no error");
                assert_eq!(item.decode(), Ok(number));
            }
            assert!(std::future::poll_fn(|context| items.poll_next(context)).await.is_none());
        });
    }
    let failing = request("no_such_method", Args::NONE);
    assert!(matches!(failing, Err(Error::Remote { error, .. }) if error.name == "NameError"));
    let slow = Args::encode(&("late", 60)).expect("encodes");
    drop(client.start::<Answer>("slow_echo", slow));
    assert_eq!(client.call("add", (1, 2)), Ok(3));
}
