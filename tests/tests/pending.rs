//! Calls that have begun: many in flight from one thread, and awaited ones.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use zerorpc::{CallOptions, Error, Loss, Pending};
use zerorpc_tests::{service::eventually, transports::Pair};

zerorpc_tests::over_each_pair![
    one_thread_has_many_calls_in_flight,
    answers_are_awaited,
    a_request_does_not_wait_for_others_for_long,
    calls_that_are_dropped_are_forgotten,
    losses_and_errors_come_with_the_answer,
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

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The least of all executors.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
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
    assert!(matches!(failing.wait(), Err(Error::Remote(error)) if error.name == "KeyError"));
    let stream = client.start::<u64>("numbers", (3,)).expect("a call");
    assert!(matches!(stream.wait(), Err(Error::IsStream { .. })));
    let options = CallOptions::new().timeout(Duration::from_millis(100));
    let late = client.start_with::<()>(&options, "sleep", (1.0,)).expect("a call");
    assert!(matches!(block_on(late), Err(Error::Timeout { .. })));
    let beat = Duration::from_millis(50);
    let hasty = pair.client().connect(&server.endpoints()[0]).heartbeat(beat).build();
    let lost = hasty.expect("a client").start::<()>("sleep", (1.0,)).expect("a call");
    let lost = block_on(lost).expect_err("the server beats every five seconds");
    assert!(
        matches!(lost, Error::LostRemote { loss: Loss::Silent { after }, .. } if after == 2 * beat)
    );
}
