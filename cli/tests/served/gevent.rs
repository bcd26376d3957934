//! Modules that use gevent, with its patches and without: calls are greenlets of the main thread's hub.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zerorpc_tests::peers::{Interpreter, Packages};

use crate::support::{MANY, Served, each_python, until, with};

each_python!(
    a_patched_module_naps_side_by_side,
    a_patched_modules_threads_locks_and_programs_work,
    calls_are_greenlets_of_the_main_hub,
    background_greenlets_run,
    every_item_of_a_subscription_arrives,
    a_subscription_is_closed_when_its_caller_goes,
    a_greenlet_whose_caller_is_gone_is_killed,
    the_pool_bounds_greenlets,
    forks_of_greenlets_are_their_own,
    flags_overrule_what_is_found,
    failures_and_async_methods_of_a_patched_module_are_answered,
    a_patched_server_stops,
);

fn serve(python: &Interpreter, flags: &[&str], module: &str) -> Option<Served> {
    // Where the package is installed as well, and where it is not.
    let python = with(python, Packages::Data)?;
    Some(Served::with(&python, flags, module))
}

fn a_patched_module_naps_side_by_side(python: &Interpreter) {
    let Some(server) = serve(python, &[], "patched") else { return };
    let began = Instant::now();
    let naps = [(); 6].map(|()| server.begin("nap", json!([1])));
    for nap in naps {
        assert_eq!(nap.value(), json!(1));
    }
    assert!(began.elapsed() < Duration::from_secs(4), "six naps took {:?}", began.elapsed());
    // However long the others take.
    let waiting = [(); 3].map(|()| server.begin("crowd", json!([2])));
    until("all are inside", || server.call("most_inside", json!([])) == json!(3));
    for waited in waiting {
        assert_eq!(waited.value(), json!(3));
    }
}

fn a_patched_modules_threads_locks_and_programs_work(python: &Interpreter) {
    let Some(server) = serve(python, &[], "patched") else { return };
    server.many(|client, number| {
        for round in 0..10 {
            let number = number * 100 + round;
            assert_eq!(client.call::<usize>("guarded", (number,)), Ok(number));
            assert_eq!(client.call::<usize>("doubled_by_thread", (number,)), Ok(number * 2));
            assert_eq!(client.call::<Value>("own_thread", (number,)), Ok(json!([number])));
        }
        assert_eq!(client.call::<String>("program", ()), Ok("hello".to_owned()));
        let items = client.stream::<usize>("numbers", (50,)).expect("it streams");
        assert!(items.map(|item| item.expect("an item")).eq(0..50));
    });
}

fn calls_are_greenlets_of_the_main_hub(python: &Interpreter) {
    let Some(server) = serve(python, &[], "patched") else { return };
    assert_eq!(server.call("in_main_hub", json!([])), json!([true, true]));
    let talked = server.client().call::<rmpv::Value>("talk", ());
    assert_eq!(talked, Ok(rmpv::Value::Binary(b"hi".to_vec())));
    let error = server.failure("limited", json!([0.1, 60]));
    assert_eq!(error.name, "Timeout");
}

fn background_greenlets_run(python: &Interpreter) {
    let Some(server) = serve(python, &[], "greens") else { return };
    let more = |read: &dyn Fn() -> Value| {
        let before = read().as_u64();
        until("it ticks", || read().as_u64() > before);
    };
    // Nobody calls meanwhile.
    let before = server.call("ticked", json!([])).as_u64();
    std::thread::sleep(Duration::from_millis(500));
    let after = server.call("ticked", json!([])).as_u64();
    assert!(after.zip(before).is_some_and(|(after, before)| after > before + 5), "{after:?}");
    let number = server.call("start_counter", json!([]));
    more(&|| server.call("counted", json!([number])));

    let Some(counter) = serve(python, &[], "greens.Counter") else { return };
    more(&|| counter.call("ticked", json!([])));
}

fn every_item_of_a_subscription_arrives(python: &Interpreter) {
    let Some(server) = serve(python, &[], "greens") else { return };
    std::thread::scope(|scope| {
        let readers = [(); MANY].map(|()| {
            let client = server.new_client();
            scope.spawn(move || {
                let stream = client.stream::<usize>("subscribe", ()).expect("it streams");
                assert!(stream.take(200).map(|item| item.expect("an item")).eq(0..200));
            })
        });
        until("all are there", || server.call("subscribers", json!([])) == json!(MANY));
        for item in 0..200 {
            // Who has got all that it wants may have gone.
            server.call("publish", json!([item]));
        }
        for reader in readers {
            reader.join().expect("it reads");
        }
    });
}

fn a_subscription_is_closed_when_its_caller_goes(python: &Interpreter) {
    let Some(server) = serve(python, &[], "greens") else { return };
    for round in 1..=20 {
        let client = server.new_client();
        let stream = client.start_stream::<usize>("subscribe", ()).expect("it begins");
        until("it is there", || match round % 2 {
            0 => server.call("publish", json!([7])) == json!(1),
            _ => server.call("subscribers", json!([])) == json!(1),
        });
        // Half of them go before their first item has come; some with their connection, some without.
        drop(stream);
        if round % 5 > 0 {
            drop(client);
        }
        until(&format!("it is closed, {round}"), || {
            server.call("times_closed", json!([])) == json!(round)
        });
        assert_eq!(server.call("subscribers", json!([])), json!(0));
    }
}

fn a_greenlet_whose_caller_is_gone_is_killed(python: &Interpreter) {
    let Some(server) = serve(python, &[], "greens") else { return };
    let client = server.new_client();
    let call = client.start::<Value>("forever", ()).expect("it begins");
    let waiting = server.begin("wait_started", json!([]));
    server.call("start", json!([]));
    assert_eq!(waiting.value(), json!(true));
    until("it has begun", || server.call("now_inside", json!([])) == json!(1));
    drop((call, client));
    until("it is killed", || server.call("times_closed", json!([])) == json!(1));
    assert_eq!(server.call("pooled", json!([5])), json!([0, 2, 4, 6, 8]));
}

fn forks_of_greenlets_are_their_own(python: &Interpreter) {
    let Some(server) = serve(python, &[], "greens") else { return };
    for _ in 0..3 {
        assert_eq!(server.call("fork_that_waits", json!([])), json!(7));
        assert_eq!(server.call("process_that_waits", json!([])), json!(0));
    }
    assert_eq!(server.call("pooled", json!([2])), json!([0, 2]));
}

fn the_pool_bounds_greenlets(python: &Interpreter) {
    let Some(server) = serve(python, &["--pool-size", "2"], "patched") else { return };
    let calls = [(); 8].map(|()| server.begin("crowd", json!([0.05])));
    let most = calls.map(|call| call.value());
    assert!(most.iter().all(|most| most.as_u64() <= Some(2)), "{most:?}");
    assert!(most.contains(&json!(2)), "{most:?}");
}

fn flags_overrule_what_is_found(python: &Interpreter) {
    let most = |flags: &[&str], module: &str| {
        let server = serve(python, flags, module)?;
        let calls = [(); 4].map(|()| server.begin("crowd", json!([0.3])));
        Some(calls.map(|call| call.value().as_u64()).into_iter().max().flatten())
    };
    assert!(most(&["--gevent"], "plain_nap").is_none_or(|most| most > Some(1)));
    assert!(most(&["--no-gevent"], "patched").is_none_or(|most| most == Some(1)));
    assert!(most(&["--no-gevent"], "plain_nap").is_none_or(|most| most == Some(1)));
}

fn failures_and_async_methods_of_a_patched_module_are_answered(python: &Interpreter) {
    let Some(server) = serve(python, &[], "patched") else { return };
    for round in 0..5 {
        let error = server.failure("fail", json!(["no"]));
        assert_eq!((&*error.name, &*error.message), ("ValueError", "no"));
        assert!(error.traceback.contains("patched.py"), "{}", error.traceback);
        assert!(!error.traceback.contains("<zerorpc>"), "{}", error.traceback);
        assert_eq!(server.call("later", json!([round])), json!(round));
    }
}

fn a_patched_server_stops(python: &Interpreter) {
    for module in ["patched", "greens"] {
        let Some(server) = serve(python, &[], module) else { return };
        // Two calls of one client: when the second is answered, the first has come.
        let nap = server.client().start::<Value>("nap", (0.5,)).expect("it begins");
        server.call(if module == "greens" { "ticked" } else { "most_inside" }, json!([]));
        server.server.running.signal(rustix::process::Signal::TERM);
        assert_eq!(nap.wait(), Ok(json!(0.5)));
        server.ended().expect(0, "");
    }
}
