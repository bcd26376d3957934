//! Plain calls between our own client and server over real sockets.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use rmpv::Value;
use zerorpc::{
    CallOptions, Client, Context, Error, Loss, Methods, Server, SocketConfig, TransportKind,
};
use zerorpc_tests::{
    service::{eventually, methods},
    transports::Pair,
};

zerorpc_tests::over_each_pair![
    values_and_errors,
    built_in_methods_have_the_references_shapes,
    many_threads_share_one_client,
    slow_methods_delay_neither_calls_nor_heartbeats,
    requests_that_wait_for_a_worker_keep_their_caller,
    time_limits,
    a_server_that_vanishes_is_noticed,
    a_client_may_be_there_before_its_server,
    a_request_whose_caller_gave_up_is_never_run,
    context_reaches_the_method,
    shutdown_lets_running_calls_finish_and_refuses_new_ones,
    sockets_and_threads_are_given_back,
    links_are_checked,
    links_come_and_go_while_calls_go_on,
];

const SECOND: Duration = Duration::from_secs(1);

fn values_and_errors(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    assert_eq!(client.call("add", (2, 3)), Ok(5));
    assert_eq!(client.call("add", (2.0, 3.0)), Ok(5), "integral floats are integers");
    assert_eq!(client.call("none", ()), Ok(()));
    let nested =
        Value::Array(vec![Value::Nil, Value::Map(vec![(1.into(), Value::Binary(vec![0, 255]))])]);
    assert_eq!(client.call("echo", (nested.clone(),)), Ok(nested));

    let failures = [
        ("fail", vec!["key"], "KeyError", "'missing'"),
        ("fail", vec!["unicode"], "ValueError", "schlecht: ☂"),
        ("nothing", vec![], "NameError", "nothing"),
        ("_private", vec![], "NameError", "_private"),
        ("panic", vec![], "Panic", "at the disco"),
        ("add", vec!["1", "2"], "TypeError", "add() argument 1: "),
        ("add", vec![], "TypeError", "add() is missing argument 1"),
        ("none", vec!["x"], "TypeError", "none() takes 0 arguments but 1 were given"),
    ];
    for (method, args, name, message) in failures {
        match client.call::<Value>(method, args) {
            Err(Error::Remote { error, .. }) => {
                assert_eq!(error.name, name, "{method}");
                assert!(error.message.starts_with(message), "{method}: {}", error.message);
            }
            other => panic!("{method} gave {other:?}"),
        }
    }
    assert!(matches!(client.call::<String>("add", (1, 2)), Err(Error::Decode { .. })));
    assert!(matches!(client.call::<Value>("numbers", (5,)), Err(Error::IsStream { .. })));
    assert!(matches!(client.stream::<Value>("add", (1, 2)), Err(Error::NotStream { .. })));
    assert!(matches!(client.call::<Value>("add", 5), Err(Error::Encode(_))));
    assert_eq!(client.call("add", (1, 1)), Ok(2), "errors end nothing but their call");
}

fn built_in_methods_have_the_references_shapes(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    let call = |method: &str, args: Vec<&str>| -> serde_json::Value {
        client.call(method, args).expect(method)
    };
    assert_eq!(call("_zerorpc_ping", vec![]), serde_json::json!(["pong", "Tested"]));
    assert_eq!(call("_zerorpc_name", vec![]), "Tested");
    let names = call("_zerorpc_list", vec![]);
    assert_eq!(names.get(0).and_then(|name| name.as_str()), Some("add"), "{names}");
    assert_eq!(call("_zerorpc_help", vec!["documented"]), "Does what it says.\n\nAnd more.");
    assert_eq!(call("_zerorpc_help", vec!["add"]), serde_json::Value::Null);
    assert_eq!(
        call("_zerorpc_args", vec!["documented"]),
        serde_json::json!([["a", "b", "c"], null, null, null])
    );
    let inspected = call("_zerorpc_inspect", vec![]);
    assert_eq!(inspected["name"], "Tested");
    assert_eq!(
        inspected["methods"]["documented"],
        serde_json::json!({
            "args": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
            "doc": "Does what it says.\n\nAnd more.",
        })
    );
    match client.call::<Value>("_zerorpc_help", ("x",)) {
        Err(Error::Remote { error, .. }) => {
            assert_eq!((error.name.as_str(), error.message.as_str()), ("KeyError", "'x'"));
        }
        other => panic!("{other:?}"),
    }
}

fn many_threads_share_one_client(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    std::thread::scope(|scope| {
        for thread in 0..16_i64 {
            let client = client.clone();
            scope.spawn(move || {
                for call in 0..200 {
                    assert_eq!(client.call("add", (thread, call)), Ok(thread + call));
                }
            });
        }
    });
}

fn slow_methods_delay_neither_calls_nor_heartbeats(pair: Pair) {
    let interval = SECOND / 4;
    for pool_size in [None, Some(2)] {
        let (server, _) =
            pair.serve_with(|builder| builder.heartbeat(interval).pool_size(pool_size));
        let client = pair.client_with(&server, |builder| builder.heartbeat(interval));
        std::thread::scope(|scope| {
            let burning = scope.spawn(|| client.call::<bool>("burn", (2.0,)));
            let start = Instant::now();
            for call in 0..50 {
                assert_eq!(client.call("add", (call, 1)), Ok(call + 1));
            }
            assert!(start.elapsed() < 2 * SECOND, "short calls waited for the long one");
            assert_eq!(burning.join().expect("no panic"), Ok(true), "it lasted 8 intervals");
        });
    }
}

fn requests_that_wait_for_a_worker_keep_their_caller(pair: Pair) {
    let interval = SECOND / 5;
    let (server, _) = pair.serve_with(|builder| builder.heartbeat(interval).pool_size(Some(1)));
    let client = pair.client_with(&server, |builder| builder.heartbeat(interval));
    std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..3).map(|_| scope.spawn(|| client.call::<()>("sleep", (0.7,)))).collect();
        for call in calls {
            assert_eq!(call.join().expect("no panic"), Ok(()));
        }
    });
}

fn time_limits(pair: Pair) {
    let (server, _) = pair.serve();
    let client = pair.client_of(&server);
    let options = CallOptions::new().timeout(SECOND / 5);
    let error = client.with(options).call::<()>("sleep", (1.0,)).expect_err("too slow");
    assert_eq!(
        error.to_string(),
        format!(
            "timeout after 0.2s, when calling remote method sleep at {}: the server is slow or not there",
            server.endpoints()[0]
        )
    );
    assert_eq!(client.call("add", (1, 2)), Ok(3));
}

/// By the end of the connection where that shows, otherwise by silence.
fn a_server_that_vanishes_is_noticed(pair: Pair) {
    let is_expected = |loss: &Loss| match pair.client {
        TransportKind::Mio => matches!(loss, Loss::Disconnected { .. }),
        _ => *loss == Loss::Silent { after: SECOND / 2 },
    };
    let (server, seen) = pair.serve();
    let client = pair.client_with(&server, |builder| builder.heartbeat(SECOND / 4));
    assert_eq!(client.call("add", (1, 2)), Ok(3));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| client.call::<()>("sleep", (2.0,)));
        let mut stream = client.stream::<u64>("numbers", (1_000_000,)).expect("a stream");
        assert_eq!(stream.next(), Some(Ok(0)));
        eventually("the call is running", || seen.slept.load(Ordering::SeqCst) == 1);
        drop(server);
        match call.join().expect("no panic") {
            Err(Error::LostRemote { method, loss, .. }) => {
                assert!(method == "sleep" && is_expected(&loss), "{method}: {loss}");
            }
            other => panic!("{other:?}"),
        }
        assert!(stream.any(|item| matches!(item, Err(Error::LostRemote { .. }))));
    });
}

fn a_client_may_be_there_before_its_server(pair: Pair) {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = format!("ipc://{}", folder.path().join("late").display());
    let client = pair.connect(&endpoint);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| client.call::<i64>("add", (1, 2)));
        let (_server, _) = pair.serve_with(|builder| builder.bind(&endpoint));
        assert_eq!(call.join().expect("no panic"), Ok(3));
    });
}

fn a_request_whose_caller_gave_up_is_never_run(pair: Pair) {
    let client = pair.client().bind("tcp://127.0.0.1:*").build().expect("a client");
    let options = CallOptions::new().timeout(SECOND / 5);
    let given_up = client.with(options).call::<u64>("count", ());
    assert!(matches!(given_up, Err(Error::Unreachable { .. })), "{given_up:?}");
    let (_worker, seen) = pair.serve_with(|builder| builder.connect(&client.endpoints()[0]));
    assert_eq!(client.call("count", ()), Ok(1), "the first request was withdrawn");
    assert_eq!(seen.counted.load(Ordering::SeqCst), 1);
}

fn context_reaches_the_method(pair: Pair) {
    let service = Methods::new("traced").raw("trace", |request| {
        let trace: Option<String> = request.context().get("trace_id")?;
        Ok(zerorpc::Reply::Value(zerorpc::Args::encode(&trace)?))
    });
    let server =
        pair.server().service(service).bind("tcp://127.0.0.1:*").build().expect("a server");
    let mut context = Context::new();
    context.insert("trace_id", "abc-123").expect("encodes");
    let options = CallOptions::new().context(context);
    let traced = pair.client_of(&server).with(options).call::<String>("trace", ());
    assert_eq!(traced.as_deref(), Ok("abc-123"));
}

fn shutdown_lets_running_calls_finish_and_refuses_new_ones(pair: Pair) {
    let (server, seen) = pair.serve();
    let client = pair.client_of(&server);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| client.call::<()>("sleep", (1.0,)));
        eventually("the call is running", || seen.slept.load(Ordering::SeqCst) == 1);
        let stopping = scope.spawn(|| server.shutdown(30 * SECOND));
        // There is no other server: the call waits for one.
        let options = CallOptions::new().timeout(SECOND / 10);
        let mut refused = false;
        while !refused && !running.is_finished() {
            let called = client.with(options.clone()).call::<u64>("count", ());
            refused = matches!(called, Err(Error::Unreachable { .. }));
        }
        assert_eq!(running.join().expect("no panic"), Ok(()));
        assert!(stopping.join().expect("no panic").is_complete(), "all calls finished");
        assert!(refused, "a new call was not taken");
    });
    let endpoint = server.endpoints()[0].clone();
    let (_next, _) = pair.serve_with(|builder| builder.bind(&endpoint));
}

fn sockets_and_threads_are_given_back(pair: Pair) {
    let count = || {
        let entries = |path| std::fs::read_dir(path).expect("procfs").count();
        (entries("/proc/self/fd"), entries("/proc/self/task"))
    };
    let round = || {
        let (server, _) = pair.serve();
        let client = pair.client_of(&server);
        assert_eq!(client.call("add", (1, 2)), Ok(3));
    };
    round();
    let (files, threads) = count();
    for _ in 0..30 {
        round();
    }
    // Other tests of this process open some at the same time.
    eventually("descriptors and threads are given back", || {
        let (now, tasks) = count();
        now < files + 60 && tasks < threads + 60
    });
}

fn links_are_checked(pair: Pair) {
    assert!(matches!(pair.client().build(), Err(Error::NoEndpoint)));
    assert!(matches!(pair.server().bind("tcp://127.0.0.1:*").build(), Err(Error::NoService)));
    let error =
        pair.client().connect("tcp://127.0.0.1").build().err().expect("no port").to_string();
    assert!(error.contains("\"tcp://127.0.0.1\""), "{error}");
    assert!(zerorpc::Pusher::open(&SocketConfig::new()).is_err());
}

/// Within a process, where nothing has to be bound first. libzmq's sockets have a context each, so it cannot.
#[test]
fn over_inproc() {
    let endpoint = "inproc://zerorpc-tests-calls";
    let mio = TransportKind::Mio;
    let client = Client::builder().transport(mio).connect(endpoint).build().expect("a client");
    thread::scope(|scope| {
        let early = scope.spawn(|| client.call::<u64>("add", (20, 22)));
        let (service, _) = methods();
        let server = Server::builder().transport(mio).service(service).bind(endpoint).build();
        let server = server.expect("a server");
        assert_eq!(server.endpoints(), [endpoint]);
        assert_eq!(early.join().expect("no panic"), Ok(42));
        let stream = client.stream::<u64>("numbers", (1_000,)).expect("a stream");
        assert!(stream.map(|item| item.expect("an item")).eq(0..1_000));
        drop(server);
    });
    let soon = CallOptions::new().timeout(Duration::from_millis(100));
    assert!(client.with(soon).call::<u64>("add", (1, 2)).is_err(), "nobody is there any more");
}

fn links_come_and_go_while_calls_go_on(pair: Pair) {
    let (server, seen) = pair.serve();
    let client = pair.client_of(&server);
    let more = server.links().bind("tcp://127.0.0.1:*").expect("a free port");
    assert_ne!(more, server.endpoints()[0]);
    let other = pair.connect(&more);
    assert_eq!(other.call("add", (1, 2)), Ok(3));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| client.call::<()>("sleep", (0.5,)));
        eventually("the call is running", || seen.slept.load(Ordering::SeqCst) == 1);
        server.links().unbind(&more).expect("it is bound there");
        assert_eq!(running.join().expect("no panic"), Ok(()), "the other link goes on");
    });
    assert!(matches!(server.links().unbind(&more), Err(Error::Endpoint(_))));
    assert!(matches!(client.links().connect("tcp://127.0.0.1"), Err(Error::Endpoint(_))));

    let (next, next_seen) = pair.serve();
    client.links().connect(&next.endpoints()[0]).expect("a good endpoint");
    client.links().disconnect(&server.endpoints()[0]).expect("it is connected there");
    assert_eq!(client.call("count", ()), Ok(1));
    assert_eq!(next_seen.counted.load(Ordering::SeqCst), 1);
    server.shutdown(Duration::ZERO);
    assert!(matches!(server.links().bind("tcp://127.0.0.1:*"), Err(Error::Closed { .. })));
}
