//! Plain calls run in the main thread, one after the other, each in a context of its own.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use zerorpc_tests::peers::Interpreter;

use crate::support::{Served, Setup, each_python, folder, newest, until};

each_python!(
    a_shared_connection_serves_many,
    nothing_changes_between_check_and_act,
    each_call_has_a_context_of_its_own,
    each_stream_keeps_its_context,
    what_the_import_set_is_every_calls_context,
    everything_runs_in_the_main_thread,
    nothing_of_ours_is_there_while_importing,
    calls_run_in_the_order_in_which_they_came,
    streams_and_calls_take_turns,
    async_methods_run_side_by_side_but_not_beside_plain_ones,
    a_call_whose_caller_gave_up_never_runs,
    a_dying_worker_takes_only_what_it_had_begun,
);

/// A server that gives back each line; its port.
fn line_echo() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut writer = connection.try_clone().expect("a descriptor");
                for line in BufReader::new(connection).lines().map_while(Result::ok) {
                    if writer.write_all(format!("{line}\n").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port.to_string()
}

fn a_shared_connection_serves_many(python: &Interpreter) {
    let server = Setup::new(python, &[], "one_line").env("LINE_ECHO", &line_echo()).start();
    let next = AtomicUsize::new(0);
    server.many(|client, _| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= 10_000 {
                return;
            }
            let answer = match number % 50 {
                0 => client.stream::<usize>("ask_twice", (number,)).and_then(|items| {
                    let items: Vec<_> = items.collect::<Result<_, _>>()?;
                    assert_eq!(items, [number, number]);
                    Ok(items[0])
                }),
                1 => client.call::<usize>("ask_later", (number,)),
                _ => client.call::<usize>("ask", (number,)),
            };
            assert_eq!(answer, Ok(number));
        }
    });
}

fn nothing_changes_between_check_and_act(python: &Interpreter) {
    let server = Served::start(python, "bank");
    let left = AtomicUsize::new(1000);
    server.many(|client, _| {
        let one = |left: usize| left.checked_sub(1);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one).is_ok() {
            client.call::<Value>("slow_inc", json!([])).expect("it counts");
        }
        for _ in 0..20 {
            client.call::<Value>("pay", json!([30])).expect("it pays");
        }
    });
    assert_eq!(server.call("counted", json!([])), json!(1000));
    assert_eq!(server.call("left", json!([])), json!([10, 10]));
}

const THIRD: &str = "0.3333333333333333333333333333";

fn each_call_has_a_context_of_its_own(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "4"]] {
        let server = Served::with(python, flags, "bank");
        for _ in 0..10 {
            assert_eq!(server.call("third", json!([])), json!(THIRD));
            assert_eq!(server.call("rough", json!([])), json!("0.333"));
            assert_eq!(server.call("rough_later", json!([])), json!("0.33333"));
            assert_eq!(server.call("login", json!(["root"])), json!("root"));
            assert_eq!(server.call("login_later", json!(["root"])), json!("root"));
            assert_eq!(server.call("third", json!([])), json!(THIRD));
            assert_eq!(server.call("whoami", json!([])), json!("anonymous"));
            assert_eq!(server.call("whoami_later", json!([])), json!("anonymous"));
            assert_eq!(server.items("who_streams", json!([])), [json!("anonymous")]);
        }
    }
}

fn each_stream_keeps_its_context(python: &Interpreter) {
    let server = Served::start(python, "bank");
    let open = |method: &str, name: &str| {
        server.client().stream::<String>(method, (name,)).expect("it streams")
    };
    let mut streams = [
        ("ann", open("session", "ann")),
        ("bob", open("session", "bob")),
        ("eve", open("session_later", "eve")),
        ("joe", open("session_later", "joe")),
    ];
    let mut thirds = server.client().stream::<String>("rough_thirds", ()).expect("it streams");
    for _ in 0..500 {
        for (name, stream) in &mut streams {
            assert_eq!(stream.next(), Some(Ok((*name).to_owned())));
        }
        assert_eq!(thirds.next(), Some(Ok("0.3333".to_owned())));
    }
    assert_eq!(server.call("whoami", json!([])), json!("anonymous"));
    assert_eq!(server.call("third", json!([])), json!(THIRD));
}

fn what_the_import_set_is_every_calls_context(python: &Interpreter) {
    let server = Served::start(python, "precise");
    for _ in 0..3 {
        assert_eq!(server.call("third", json!([])), json!("0.333333"));
        assert_eq!(server.call("third_later", json!([])), json!("0.333333"));
        assert_eq!(server.items("thirds", json!([])), [json!("0.333333")]);
        assert_eq!(server.call("whose", json!([])), json!("acme"));
        assert_eq!(server.call("change", json!([])), json!(["0.33", "other"]));
    }
}

fn everything_runs_in_the_main_thread(python: &Interpreter) {
    let server = Served::start(python, "thread_facts");
    assert_eq!(server.call("in_main", json!([])), json!(true));
    assert_eq!(server.call("in_main_later", json!([])), json!(true));
    assert_eq!(server.items("in_main_streaming", json!([])), [json!(true)]);
    assert_eq!(server.items("in_main_streaming_later", json!([])), [json!(true)]);
    server.many(|client, _| {
        assert_eq!(client.call::<bool>("in_main", ()), Ok(true));
    });
    assert_eq!(server.call("threads", json!([])), json!([1, 1]));
    assert_eq!(server.call("hooks", json!([])), json!([true, null, null, ["thread_facts"]]));
    let made = Served::start(python, "thread_facts.Made");
    assert_eq!(made.call("made_in_main", json!([])), json!(true));
}

fn nothing_of_ours_is_there_while_importing(python: &Interpreter) {
    let server = Served::start(python, "thread_facts");
    let imported = server.call("imported", json!([]));
    assert_eq!(imported["main"], true);
    assert_eq!(imported["threads"], json!(["MainThread"]));
    for handler in ["int", "term", "chld"] {
        assert_eq!(imported[handler], true, "{handler}");
    }
}

fn calls_run_in_the_order_in_which_they_came(python: &Interpreter) {
    let server = Served::start(python, "order");
    let folder = folder();
    let open = folder.path().join("open");
    let held = server.client().start::<Value>("hold", (open.to_str(),)).expect("it begins");
    let marks: Vec<_> = (0..300)
        .map(|number| server.client().start::<Value>("mark", (number,)).expect("it begins"))
        .collect();
    std::fs::write(&open, "").expect("it can be written");
    assert_eq!(held.wait(), Ok(json!("held")));
    for (number, mark) in marks.into_iter().enumerate() {
        assert_eq!(mark.wait(), Ok(json!(number)));
    }
    let expected: Vec<_> = (0..300).map(Value::from).collect();
    assert_eq!(server.call("marks", json!([])), Value::from(expected));
}

/// Two streams without end, of each kind, and calls: everybody gets on.
fn streams_and_calls_take_turns(python: &Interpreter) {
    let server = Served::start(python, "order");
    let names = ["a", "b"];
    let read = |method: &'static str, name: &'static str, stop: &AtomicUsize| {
        let client = server.new_client();
        let items = client.stream::<String>(method, (name,)).expect("it streams");
        let mut count = 0;
        for item in items {
            assert_eq!(item, Ok(name.to_owned()));
            count += 1;
            if stop.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
        count
    };
    for method in ["flow", "async_flow"] {
        let stop = AtomicUsize::new(0);
        let counts = thread::scope(|scope| {
            let (read, stop) = (&read, &stop);
            let readers = names.map(|name| scope.spawn(move || read(method, name, stop)));
            for number in 0..200 {
                assert_eq!(server.call("echo", json!([number])), json!(number));
            }
            stop.store(1, Ordering::Relaxed);
            readers.map(|reader| reader.join().expect("it reads"))
        });
        let [less, more] = if counts[0] < counts[1] { counts } else { [counts[1], counts[0]] };
        assert!(less > 50 && more < 20 * less, "{method}: {counts:?} items beside 200 calls");
    }
}

fn async_methods_run_side_by_side_but_not_beside_plain_ones(python: &Interpreter) {
    let server = Served::start(python, "order");
    server.many(|client, _| {
        assert_eq!(client.call::<usize>("meet", (24,)), Ok(24));
    });
    let ticking = server.begin("tick", json!([2.5]));
    until("it ticks", || server.call("ticks_so_far", json!([])) != json!(0));
    for _ in 0..3 {
        assert_eq!(server.call("ticks_meanwhile", json!([0.2])), json!(0));
    }
    let before = server.call("ticks_so_far", json!([]));
    assert!(ticking.value().as_i64() > before.as_i64());
}

fn a_call_whose_caller_gave_up_never_runs(python: &Interpreter) {
    let server = Served::start(python, "order");
    let folder = folder();
    let open = folder.path().join("open");
    let mut holding =
        server.new_client().stream::<String>("hold_stream", (open.to_str(),)).expect("it streams");
    assert_eq!(holding.next(), Some(Ok("begun".to_owned())));
    let held = thread::spawn(move || holding.next());
    until("it holds", || folder.path().join("open.begun").exists());

    // One that drops its call, one that drops its connection, one that dies, and one that stays.
    let dropping = server.new_client();
    drop(dropping.start::<Value>("mark", ("dropped",)).expect("it begins"));
    let closing = server.new_client();
    let closed = closing.start::<Value>("mark", ("closed",)).expect("it begins");
    let dying = server.server.start_client(&["-d", "mark", "died"]);
    dying.wait_for_stderr("_zpc_hb");
    drop((closed, closing));
    dying.signal(Signal::KILL);
    dying.wait();
    let staying = server.begin("mark", json!(["stayed"]));
    // Dropped calls are known by their silence only, after two heartbeats.
    thread::sleep(Duration::from_secs(3));

    std::fs::write(&open, "").expect("it can be written");
    assert_eq!(staying.value(), json!("stayed"));
    assert_eq!(server.call("marks", json!([])), json!(["stayed"]));
    assert_eq!(held.join().expect("it does not panic"), Some(Ok("held".to_owned())));
}

fn a_dying_worker_takes_only_what_it_had_begun(python: &Interpreter) {
    let server = Served::start(python, "order");
    let pid = server.pid();
    let client = server.client();
    let folder = folder();
    let never = folder.path().join("never");
    let running = client.start::<Value>("hold", (never.to_str(),)).expect("it begins");
    until("it has begun", || never.with_extension("begun").exists());
    let waiting: Vec<_> = (0..10)
        .map(|number| client.start::<Value>("echo", (number,)).expect("it begins"))
        .collect();
    // They have left this process when a later one, answered beside everything else, is answered.
    assert!(client.call::<Value>("_zerorpc_ping", ()).is_ok());
    kill_process(pid, Signal::KILL).expect("it runs");
    assert_eq!(crate::support::remote(running.wait()).name, "WorkerDied");
    for (number, call) in waiting.into_iter().enumerate() {
        assert_eq!(call.wait(), Ok(json!(number)));
    }
    assert_ne!(server.pid(), pid);
}

/// What waits for long is told, once for each method that makes others wait.
#[test]
fn a_long_wait_is_told_once() {
    let server = Served::start(newest(), "order");
    let folder = folder();
    let round = |method: &'static str, path: &str| {
        let open = folder.path().join(path);
        let holding = server.begin(method, json!([open.to_str()]));
        until("it has begun", || open.with_extension("begun").exists());
        let waiting = [1, 2, 3].map(|number| server.begin("echo", json!([number])));
        (open, holding, waiting)
    };
    let finish = |(open, holding, waiting): (std::path::PathBuf, _, [_; 3])| {
        std::fs::write(open, "").expect("it can be written");
        assert_eq!(crate::support::Begun::value(holding), json!("held"));
        for (waited, number) in waiting.into_iter().zip(1..) {
            assert_eq!(crate::support::Begun::value(waited), json!(number));
        }
    };
    let notices = |said: &str| said.lines().filter(|line| line.contains("--threads")).count();

    let first = round("hold", "first");
    let said = server.server.running.wait_for_stderr("--threads");
    let line = said.lines().find(|line| line.contains("--threads")).expect("it is there");
    assert!(line.contains("hold") && line.contains('3'), "{line}");
    finish(first);

    let again = round("hold", "again");
    thread::sleep(Duration::from_secs(6));
    finish(again);
    let other = round("hold_too", "other");
    let said = server.server.running.wait_for_stderr("hold_too");
    finish(other);
    assert_eq!(notices(&said), 2, "{said}");
}
