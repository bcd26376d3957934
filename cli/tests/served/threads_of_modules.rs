//! Things that belong to the thread in which they were made, or to the main thread alone.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use zerorpc_tests::peers::{Interpreter, Packages};

use crate::support::{Served, each_python, folder, until, with};

each_python!(
    sqlite_belongs_to_whoever_imported,
    object_mappers_keep_a_database_in_memory,
    locals_locks_and_interpreters_stay_with_their_thread,
    an_alarm_ends_the_call_that_set_it,
    an_alarm_between_calls_is_logged,
    a_handler_that_raises_fails_the_running_call,
    signals_between_calls_change_nothing,
    a_method_may_change_handlers,
    loops_run_in_plain_methods,
    one_loop_is_everybodys,
    threads_wake_a_loop_that_rests,
    a_loop_of_the_modules_own_stays,
);

fn threads_wake_a_loop_that_rests(python: &Interpreter) {
    for (method, seen) in [("ask_later", "answered"), ("call_back_later", "called back")] {
        let server = Served::start(python, "woken");
        let folder = folder();
        let path = folder.path().join("seen");
        for (name, args) in [
            ("stamp", json!([path.to_str().expect("text")])),
            (method, json!([])),
            ("nothing", json!([])),
        ] {
            server.call(name, args);
        }
        // Nobody calls meanwhile.
        until(method, || std::fs::read_to_string(&path).is_ok_and(|text| text == seen));
    }
}

fn a_loop_of_the_modules_own_stays(python: &Interpreter) {
    let server = Served::start(python, "woken");
    server.call("take_over", json!([]));
    for _ in 0..2 {
        assert_eq!(server.call("is_own", json!([])), json!(true));
        assert_eq!(server.call("runs_on_own", json!([])), json!(true));
    }
}

fn sqlite_belongs_to_whoever_imported(python: &Interpreter) {
    for flags in [&[][..], &["--pool-size", "1"]] {
        let server = Served::with(python, flags, "databases");
        server.many(|client, number| {
            assert_eq!(client.call::<Value>("add", (number,)), Ok(Value::Null));
        });
        assert_eq!(server.call("total", json!([])), json!(23 * 12));
        assert_eq!(server.call("count_later", json!([])), json!(24));
        let rows: Vec<_> = (0..24).map(|number| json!([number])).collect();
        assert_eq!(server.items("rows", json!([])), rows);
        assert_eq!(server.items("rows_later", json!([])), rows);

        let store = Served::with(python, flags, "databases.Store");
        store.call("add", json!([7]));
        assert_eq!(store.call("total", json!([])), json!(7));
        assert_eq!(store.items("rows", json!([])), [json!([7])]);
    }
    let lazy = Served::start(python, "databases.Lazy");
    lazy.many(|client, _| {
        assert_eq!(client.call::<Value>("total", ()), Ok(Value::Null));
    });
}

fn object_mappers_keep_a_database_in_memory(python: &Interpreter) {
    let Some(python) = with(python, Packages::Data) else { return };
    let server = Served::start(&python, "mapped");
    server.many(|client, number| {
        assert_eq!(client.call::<Value>("add", (number,)), Ok(Value::Null));
    });
    assert_eq!(server.call("totals", json!([])), json!([276, 276]));
    assert_eq!(server.items("entries", json!([])).len(), 24);
}

fn locals_locks_and_interpreters_stay_with_their_thread(python: &Interpreter) {
    let server = Served::start(python, "bound_to_thread");
    assert_eq!(server.call("name", json!([])), json!("filled at import"));
    assert_eq!(server.call("name_later", json!([])), json!("filled at import"));
    assert_eq!(server.items("names", json!([])), [json!("filled at import")]);
    server.call("rename", json!(["changed"]));
    let thread = server.call("thread_id", json!([]));
    server.many(|client, _| {
        assert_eq!(client.call::<String>("name", ()), Ok("changed".to_owned()));
        assert_eq!(client.call::<Value>("thread_id", ()).as_ref(), Ok(&thread));
        assert_eq!(client.call::<i64>("tcl_sum", (1, 2)), Ok(3));
    });
    for _ in 0..20 {
        assert_eq!(server.call("take", json!([])), json!(true));
        assert_eq!(server.call("give_back", json!([])), json!(null));
    }
}

fn an_alarm_ends_the_call_that_set_it(python: &Interpreter) {
    let server = Served::start(python, "alarms");
    let pid = server.pid();
    for method in ["sleep_at_most", "compute_at_most"] {
        let other = server.begin("add", json!([]));
        let error = server.failure(method, json!([0.1, 60]));
        assert_eq!((&*error.name, &*error.message), ("TooLong", "after all"));
        assert!(error.traceback.contains("alarms.py"), "{}", error.traceback);
        other.value();
    }
    let mut items = server.client().stream::<Value>("stream_at_most", (0.1, 60)).expect("streams");
    assert_eq!(items.next(), Some(Ok(json!("first"))));
    let error = crate::support::remote(items.next().expect("it fails"));
    assert_eq!(error.name, "TooLong");
    assert_eq!(server.call("sleep_at_most", json!([60, 0.01])), json!("slept"));
    assert_eq!(server.call("add", json!([])), json!(3));
    assert_eq!(server.pid(), pid);
}

fn an_alarm_between_calls_is_logged(python: &Interpreter) {
    let server = Served::start(python, "alarms");
    let pid = server.pid();
    for count in 1..4 {
        server.call("alarm_later", json!([0.05]));
        until("it goes off", || {
            let said = server.server.running.wait_for_stderr("");
            said.matches("TooLong: after all").count() == count
        });
        assert_eq!(server.call("add", json!([])), json!(count));
    }
    assert_eq!(server.pid(), pid);
    let said = server.server.running.wait_for_stderr("too_long");
    assert!(said.contains("alarms.py"), "{said}");
}

fn a_handler_that_raises_fails_the_running_call(python: &Interpreter) {
    let server = Served::start(python, "alarms");
    let folder = folder();
    let pid = server.pid();
    server.call("add", json!([]));
    for number in 0..5 {
        let begun = folder.path().join(number.to_string());
        let call = server.begin("say_and_sleep", json!([begun.to_str(), 60]));
        until("it has begun", || begun.exists());
        let waiting = server.begin("add", json!([]));
        kill_process(pid, Signal::USR1).expect("it runs");
        let error = call.failure();
        assert_eq!((&*error.name, &*error.message), ("RuntimeError", "usr1 was heard"));
        assert_eq!(waiting.value(), json!(number + 2));
    }
    // Nothing runs in Python while async methods wait: none of them is the one that is interrupted.
    let begun = folder.path().join("later");
    let call = server.begin("say_and_sleep_later", json!([begun.to_str(), 1]));
    until("it has begun", || begun.exists());
    kill_process(pid, Signal::USR1).expect("it runs");
    assert_eq!(call.value(), json!("slept"));
    assert_eq!(server.pid(), pid);
}

fn signals_between_calls_change_nothing(python: &Interpreter) {
    let server = Served::start(python, "alarms");
    let pid = server.pid();
    for number in 1..=10 {
        kill_process(pid, Signal::USR1).expect("it runs");
        // Heard at once, not only with the next call.
        until("it is logged", || {
            let said = server.server.running.wait_for_stderr("");
            said.matches("RuntimeError: usr1 was heard").count() == number
        });
        assert_eq!(server.call("add", json!([])), json!(number));
    }
    kill_process(pid, Signal::USR2).expect("it runs");
    until("it is heard", || {
        let heard = server.call("so_far", json!([]));
        heard.as_array().is_some_and(|heard| heard.len() == 11)
    });
    assert_eq!(server.pid(), pid);
}

fn a_method_may_change_handlers(python: &Interpreter) {
    let server = Served::start(python, "alarms");
    let pid = server.pid();
    for name in ["SIGHUP", "SIGALRM", "SIGTERM", "SIGINT", "SIGUSR1"] {
        assert_eq!(server.call("swap", json!([name])), json!("usr2"), "{name}");
    }
    server.call("listen_in_loop", json!([]));
    kill_process(pid, Signal::HUP).expect("it runs");
    until("it is heard", || {
        let heard = server.call("so_far", json!([]));
        heard.as_array().is_some_and(|heard| heard.last() == Some(&json!("hup")))
    });
    assert_eq!(server.call("add", json!([])), json!(1));
    assert_eq!(server.pid(), pid);
}

fn loops_run_in_plain_methods(python: &Interpreter) {
    let server = Served::start(python, "loops");
    for method in ["on_own_loop", "on_current_loop", "run", "method", "chain", "shielded"] {
        server.many(|client, number| {
            for round in 0..8 {
                let value = number * 100 + round;
                assert_eq!(client.call::<usize>(method, (value,)), Ok(value), "{method}");
            }
        });
    }
    assert_eq!(server.call("pair", json!([4])), json!([4, 5]));
    let items: Vec<_> = (0..5).map(Value::from).collect();
    assert_eq!(server.items("items_of_current_loop", json!([5])), items);
    let kept = Served::start(python, "loops.Kept");
    kept.many(|client, number| {
        assert_eq!(client.call::<usize>("ask", (number,)), Ok(number));
        assert_eq!(client.call::<usize>("ask_later", (number,)), Ok(number));
    });
}

fn one_loop_is_everybodys(python: &Interpreter) {
    let server = Served::start(python, "loops");
    assert_eq!(server.call("method", json!([1])), json!(1));
    assert_eq!(server.call("is_same_loop", json!([])), json!(true));
    // `asyncio.run` leaves no loop behind; ours is there all the same.
    assert_eq!(server.call("run", json!([2])), json!(2));
    assert_eq!(server.call("is_same_loop", json!([])), json!(true));
    assert_eq!(server.call("on_current_loop", json!([3])), json!(3));
    // What a plain method leaves on the loop goes on without any further call.
    server.call("spawn", json!([]));
    until("the task is done", || server.call("filled", json!([])) == json!([0, 1, 2]));
}
