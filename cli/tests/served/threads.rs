//! `--threads N`: for modules that are safe for it.

use serde_json::{Value, json};
use zerorpc_tests::peers::Interpreter;

use crate::support::{Served, Setup, each_python};

each_python!(
    calls_run_side_by_side,
    no_more_run_than_there_may,
    without_the_flag_none_run_side_by_side,
    calls_wait_for_threads_that_the_system_does_not_give,
);

fn calls_run_side_by_side(python: &Interpreter) {
    let server = Served::with(python, &["--threads", "8"], "crowds");
    for _ in 0..10 {
        let calls = [(); 8].map(|()| server.begin("meet", json!([])));
        for call in calls {
            assert_eq!(call.value(), json!(true));
        }
    }
    let streams = std::thread::scope(|scope| {
        let streams = [(); 8].map(|()| {
            let client = server.new_client();
            scope.spawn(move || {
                let items = client.stream::<bool>("meet_streaming", ()).expect("it streams");
                items.collect::<Result<Vec<_>, _>>()
            })
        });
        streams.map(|stream| stream.join().expect("it reads"))
    });
    assert!(streams.iter().all(|items| *items == Ok(vec![true])), "{streams:?}");
}

fn no_more_run_than_there_may(python: &Interpreter) {
    for flags in [&["--threads", "3"][..], &["--threads", "8", "--pool-size", "3"]] {
        let server = Served::with(python, flags, "crowds");
        let calls = [(); 12].map(|()| server.begin("crowd", json!([0.1])));
        let most = calls.map(|call| call.value());
        assert!(most.iter().all(|most| most.as_u64() <= Some(3)), "{most:?}");
        assert!(most.contains(&json!(3)), "{most:?}");
    }
}

fn without_the_flag_none_run_side_by_side(python: &Interpreter) {
    for flags in [&[][..], &["--pool-size", "3"]] {
        let server = Served::with(python, flags, "crowds");
        let calls = [(); 6].map(|()| server.begin("crowd", json!([0.05])));
        assert_eq!(calls.map(|call| call.value()), [(); 6].map(|()| json!(1)));
    }
}

/// With an address space that has room for a few of the threads only.
fn calls_wait_for_threads_that_the_system_does_not_give(python: &Interpreter) {
    let setup = Setup::new(python, &["--threads", "64"], "crowds");
    let server = setup.after("ulimit -v 600000").start();
    let client = server.client();
    for _ in 0..2 {
        let calls: Vec<_> =
            (0..100).map(|_| client.start::<Value>("crowd", (0.05,)).expect("it begins")).collect();
        for call in calls {
            let most = call.wait();
            assert!(most.as_ref().is_ok_and(|most| most.as_u64() <= Some(64)), "{most:?}");
        }
    }
    assert_eq!(server.call("echo", json!([5])), json!(5));
}
