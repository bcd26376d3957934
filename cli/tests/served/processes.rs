//! Child processes, and the end: nothing is left behind, and everything has been given its time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use zerorpc_tests::peers::Interpreter;

use crate::support::{Served, Setup, each_python, folder, newest, until};

each_python!(
    a_computation_can_be_bounded,
    pools_and_executors_work,
    exit_codes_and_tracebacks_of_forks_are_their_own,
    children_treat_signals_as_by_default,
    children_end_with_the_server,
    children_end_with_a_worker_that_dies,
    what_cannot_be_talked_to_is_ended,
    what_is_to_be_done_at_the_end_is_done,
);

fn a_computation_can_be_bounded(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "4"]] {
        let server = Served::with(python, flags, "children");
        for _ in 0..3 {
            assert_eq!(server.call("bounded", json!([])), json!(-15));
        }
        let began = Instant::now();
        assert_eq!(server.call("pool", json!([])), json!("done"));
        assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
        server.stop().expect(0, "");
    }
}

fn pools_and_executors_work(python: &Interpreter) {
    let server = Served::start(python, "children");
    for method in ["fork", "spawn", "forkserver"] {
        assert_eq!(server.call("mapped", json!([method, 3])), json!([3, 2, 1]), "{method}");
        assert_eq!(server.call("executed", json!([method, 3])), json!([3, 2, 1]), "{method}");
        assert_eq!(server.call("process_status", json!([method])), json!(5), "{method}");
    }
    assert_eq!(server.call("executed_later", json!([4])), json!(4));
    server.stop().expect(0, "");
}

fn exit_codes_and_tracebacks_of_forks_are_their_own(python: &Interpreter) {
    let server = Served::start(python, "children");
    for status in [0, 5, 77] {
        assert_eq!(server.call("fork_and_exit", json!([status])), json!(status));
        assert_eq!(server.call("fork_and_exit_later", json!([status])), json!(status));
        assert_eq!(server.items("fork_and_exit_in_stream", json!([status])), [json!(status)]);
    }
    assert_eq!(server.call("fork_and_raise", json!([])), json!(1));
    assert_eq!(server.call("process_fails", json!([])), json!(1));
    assert_eq!(server.call("fork_prints", json!([])), json!(0));
    assert_eq!(server.call("fork_and_return", json!([])), json!(0));
    assert_eq!(server.call("echo", json!([1])), json!(1));
    let ended = server.stop().expect(0, "").tells(&[
        "LookupError: raised in the child",
        "LookupError: in the child",
        "in fork_and_raise",
        "printed by the child",
    ]);
    assert!(!ended.stderr.contains("<zerorpc>"), "{ended}");
    assert_eq!(ended.stderr.matches("before the fork, once").count(), 1, "{ended}");
}

fn children_treat_signals_as_by_default(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "4"]] {
        let server = Served::with(python, flags, "children");
        for (name, status) in [("SIGTERM", -15), ("SIGHUP", -1), ("SIGUSR1", -10)] {
            assert_eq!(server.call("fork_and_terminate", json!([name])), json!(status), "{name}");
        }
        assert_eq!(server.call("handlers_in_child", json!([])), json!([0, 0]));
        assert_eq!(server.call("fork_call_threads", json!([])), json!(1));
    }
}

const LEAVERS: [(&str, &str); 7] = [
    ("leave_behind", "[\"fork\"]"),
    ("leave_behind", "[\"spawn\"]"),
    ("leave_behind", "[\"forkserver\"]"),
    ("leave_program_behind", "[]"),
    ("leave_deaf_behind", "[]"),
    ("leave_pool_behind", "[]"),
    ("leave_deaf_behind", "[]"),
];

/// Has children of all kinds stay behind their calls.
fn leave_behind(server: &Served) {
    for (method, args) in LEAVERS {
        let args: Value = serde_json::from_str(args).expect("it is JSON");
        assert!(server.call(method, args).is_i64());
    }
    // The server, the worker, and the children, some with helpers of their own.
    assert!(server.processes().len() >= 2 + LEAVERS.len());
}

fn children_end_with_the_server(python: &Interpreter) {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let server = Served::start(python, "children");
        leave_behind(&server);
        server.server.running.signal(signal);
        // Nothing is left behind.
        server.ended();
    }
}

fn children_end_with_a_worker_that_dies(python: &Interpreter) {
    let server = Served::start(python, "children");
    let before = server.processes().len();
    leave_behind(&server);
    let pid = server.pid();
    kill_process(pid, Signal::KILL).expect("it runs");
    until("there is another worker", || {
        server.client().call::<i32>("pid", ()).is_ok_and(|new| Pid::from_raw(new) != Some(pid))
    });
    until("nothing else is there", || server.processes().len() <= before);
    server.stop().expect(0, "");
}

/// Starts a call that makes its process deaf, and comes back when it has begun.
fn make_stuck(server: &Served, method: &str, begun: &Path) -> zerorpc::Pending<Value> {
    let args = if method.starts_with("hold") {
        json!([begun.to_str(), 60])
    } else {
        json!([begun.to_str()])
    };
    let call = server.client().start::<Value>(method, &args).expect("it begins");
    until("it has begun", || begun.exists());
    call
}

fn what_cannot_be_talked_to_is_ended(python: &Interpreter) {
    let folder = folder();
    let mut servers = Vec::new();
    for signal in [Signal::TERM, Signal::KILL] {
        for method in ["hold_gil", "hold_gil_with_child", "stop", "ignore_all"] {
            let server = Served::start(python, "stuck");
            let begun = folder.path().join(format!("{method}-{}", signal.as_raw()));
            let call = make_stuck(&server, method, &begun);
            server.server.running.signal(signal);
            servers.push((server, call));
        }
    }
    // All at the same time: the grace period is the same for each.
    let began = Instant::now();
    for (server, call) in servers {
        assert!(call.wait().is_err());
        server.ended();
    }
    assert!(began.elapsed() < Duration::from_secs(40), "it took {:?}", began.elapsed());
}

/// Stopped from outside, in the middle of nothing.
#[test]
fn a_stopped_worker_ends_with_its_server() {
    for signal in [Signal::TERM, Signal::KILL, Signal::INT] {
        let server = Served::start(newest(), "stuck");
        kill_process(server.pid(), Signal::STOP).expect("it runs");
        server.server.running.signal(signal);
        server.ended();
    }
}

fn what_is_to_be_done_at_the_end_is_done(python: &Interpreter) {
    for round in 0..20 {
        let folder = folder();
        let place = folder.path();
        let server =
            Setup::new(python, &[], "tidy").env("PLACE", place.to_str().expect("text")).start();
        let helper = server.call("helper_pid", json!([])).as_i64().map(|pid| pid as i32);
        let helper = helper.and_then(Pid::from_raw).expect("a process id");
        let mut streams = Vec::new();
        if round % 2 == 1 {
            for method in ["stream", "stream_later"] {
                let mut items = server.client().stream::<Value>(method, ()).expect("it streams");
                assert_eq!(items.next(), Some(Ok(json!("item"))));
                streams.push(items);
            }
            server.client().start::<Value>("wait", ()).map(drop).expect("it begins");
        }
        // Streams end when their time is over, or with a second signal.
        if round == 1 {
            server.server.running.signal(Signal::TERM);
        } else {
            drop(streams);
            server.server.running.signal(Signal::TERM);
        }
        server.ended();
        let done = |name: &str| place.join(name).exists();
        assert!(done("at_exit"), "round {round}");
        if round % 2 == 1 {
            for name in ["finally", "finally_later", "cancelled"] {
                let never_began = name == "cancelled" && !done("waiting");
                assert!(done(name) || never_began, "round {round}: {name}");
            }
        }
        let left: Vec<_> = std::fs::read_dir(place)
            .expect("it is there")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("scratch-"))
            .collect();
        assert_eq!(left, [""; 0], "round {round}");
        assert!(test_kill_process(helper).is_err(), "round {round}");
    }
}
