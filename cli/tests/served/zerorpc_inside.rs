//! `import zerorpc` in served code: the package where it is installed, ours where it is not.

use std::sync::mpsc;

use serde_json::{Value, json};
use zerorpc::{CallOptions, Context, Methods, Puller, SocketConfig};
use zerorpc_tests::peers::{Interpreter, Packages};

use crate::support::{MANY, Served, Setup, each_python, free_port, newest, oldest, with};

each_python!(
    clients_call_without_the_package,
    a_client_for_nobody_delays_nothing,
    clients_offer_more_than_the_packages,
    clients_work_beside_each_other,
    a_client_may_be_used_under_gevent,
    a_pusher_pushes,
    servers_are_served_by_what_they_expose,
    an_unguarded_server_is_told_where_it_belongs,
    children_by_spawn_and_forkserver_may_import_it_too,
    headers_travel_on,
    callers_are_known,
);

fn backend(python: &Interpreter) -> Served {
    Served::with(python, &["--threads", "8"], "backend")
}

fn front(python: &Interpreter, backend: &Served, flags: &[&str], module: &str) -> Served {
    Setup::new(python, flags, module).env("BACKEND", backend.endpoint()).start()
}

/// What programs do with a client of the package.
fn use_clients(front: &Served) {
    for method in ["per_call", "per_call_connecting", "at_import", "without_address", "from_async"]
    {
        for value in [json!(1), json!("text"), json!({"a": [null, 1.5]})] {
            assert_eq!(front.call(method, json!([value])), value, "{method}");
        }
    }
    assert_eq!(front.call("by_name", json!([1, 2])), json!(3));
    assert_eq!(front.call("error", json!([])), json!(["ValueError", "bad value", true, true]));
    assert_eq!(front.call("error_of_module", json!([])), json!("again"));
    assert_eq!(front.call("unknown", json!([])), json!("NameError"));
    let error = front.failure("passed_on", json!([]));
    assert!(error.name == "RemoteError" && error.traceback.contains("passed on"), "{error:?}");
    let expired = front.call("expired", json!([]));
    assert!(expired.as_str().is_some_and(|text| text.contains("0.2")), "{expired}");
    assert_eq!(front.call("expired_client", json!([])), json!("expired"));
    assert_eq!(front.call("nobody", json!([])), json!(true));

    let numbers: Vec<_> = (0..1000).map(Value::from).collect();
    assert_eq!(front.call("read", json!([1000])), json!(numbers));
    assert_eq!(front.call("read", json!([0])), json!([]));
    assert_eq!(front.call("marked", json!([3])), json!([[0, 1, 2], [0, 1, 2]]));
    assert_eq!(front.call("failing", json!([5])), json!([[0, 1, 2, 3, 4], "KeyError"]));
    let doubled: Vec<_> = (0..300).map(|number| json!(number * 2)).collect();
    assert_eq!(front.items("through", json!([300])), doubled);
    let answers: Vec<_> = (0..50).map(Value::from).collect();
    assert_eq!(front.call("at_once", json!([50])), json!(answers));
    assert_eq!(front.call("slow", json!([2.5])), json!("slow"));
    assert_eq!(front.call("patient", json!([0.5])), json!("slow"));
    assert_eq!(front.call("inspect", json!([])), json!(["add", "echo"]));
}

fn clients_call_without_the_package(python: &Interpreter) {
    let backend = backend(python);
    let server = front(python, &backend, &[], "front");
    use_clients(&server);
    // A client of the package would hang.
    for _ in 0..3 {
        assert_eq!(server.call("read_some", json!([100_000])), json!([0, 1, 2]));
    }
    let object = front(python, &backend, &[], "front.Front");
    assert_eq!(object.call("ask", json!([5])), json!(5));
    // What is open when the server ends keeps nobody waiting.
    server.stop().expect(0, "");
}

/// In threads as well.
#[test]
fn clients_call_from_threads() {
    let backend = backend(newest());
    let front = front(newest(), &backend, &["--threads", "8"], "front");
    use_clients(&front);
    front.many(|client, number| {
        for round in 0..20 {
            let value = number * 100 + round;
            assert_eq!(client.call::<usize>("at_import", (value,)), Ok(value));
        }
    });
}

#[test]
fn clients_of_the_package_call() {
    for python in [oldest(), newest()] {
        let backend = backend(python);
        let Some(python) = with(python, Packages::Zerorpc) else { return };
        let server = front(&python, &backend, &[], "front");
        use_clients(&server);
        server.many(|client, number| {
            assert_eq!(client.call::<usize>("per_call", (number,)), Ok(number));
        });
        server.stop().expect(0, "");
    }
}

#[test]
fn the_bridge_knows_the_installed_package() {
    for python in [oldest(), newest()] {
        let Some(python) = with(python, Packages::Zerorpc) else { return };
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/python/tests/test_installed_package.py");
        let run = std::process::Command::new(python.executable()).args(["-B", tests]).output();
        let run = run.expect("it runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
}

/// Looking at what is served calls nothing; a call to nobody would never end.
fn starts_without_its_backend(python: &Interpreter) {
    let server = Served::start(python, "absent");
    assert_eq!(server.call("hello", json!([])), json!("hello"));
    let listed = server.server.ask(&["--inspect"]);
    assert!(listed.stdout.contains("hello()"), "{listed}");
}

fn a_client_for_nobody_delays_nothing(python: &Interpreter) {
    starts_without_its_backend(python);
    if let Some(python) = with(python, Packages::Zerorpc) {
        starts_without_its_backend(&python);
    }
}

fn clients_offer_more_than_the_packages(python: &Interpreter) {
    let backends = [backend(python), backend(python)];
    let port = free_port();
    let own = format!("tcp://127.0.0.1:{}", free_port());
    let queue = format!("tcp://127.0.0.1:{port}");
    let front = Setup::new(python, &["--threads", "4", "--bind", &own], "front_more")
        .env("BACKEND", backends[0].endpoint())
        .env("SECOND", backends[1].endpoint())
        .env("QUEUE", &queue)
        .env("SELF", &own)
        .start();
    assert_eq!(front.call("in_with", json!([5])), json!(5));
    assert_eq!(front.call("async_option", json!([4])), json!([0, 1, 2, 3]));
    assert_eq!(front.call("async_error", json!([])), json!("late"));
    assert_eq!(front.call("several", json!([6])), json!([6, 6, 6, 6, 6, 6, 6, 6, 6, 6]));
    let bound = front.begin("bound", json!(["here"]));
    let worker = Setup::new(python, &["--connect", &queue], "backend").start();
    assert_eq!(bound.value(), json!("here"));
    drop(worker);
    let closed = front.call("closed", json!([]));
    assert!(closed.as_str().is_some_and(|text| text.contains("closed")), "{closed}");
    assert_eq!(front.call("in_thread", json!([10])), json!([10, 11, 12, 13, 14, 15, 16, 17]));
    assert_eq!(front.call("held_gil", json!([2.5])), json!("slow"));
    let bad = front.call("bad_address", json!([]));
    assert!(bad.as_str().is_some_and(|text| text.contains("tcp://nonsense")), "{bad}");
    assert_eq!(front.call("itself", json!([7])), json!(7));
    let missing = front.call("missing", json!([]));
    for number in 0..2 {
        let text = missing[number].as_str().unwrap_or_default();
        assert!(text.contains("pip install zerorpc"), "{missing}");
    }
}

fn clients_work_beside_each_other(python: &Interpreter) {
    let backend = backend(python);
    let front = front(python, &backend, &[], "front");
    front.many(|client, number| {
        for round in 0..10 {
            let value = number * 100 + round;
            assert_eq!(client.call::<usize>("at_import", (value,)), Ok(value));
            assert_eq!(client.call::<usize>("per_call", (value,)), Ok(value));
            assert_eq!(client.call::<Value>("at_once", (3,)), Ok(json!([0, 1, 2])));
        }
    });
    // Streams that each read a stream, all at once.
    std::thread::scope(|scope| {
        for _ in 0..MANY {
            let client = front.new_client();
            scope.spawn(move || {
                let items = client.stream::<usize>("through", (300,)).expect("it streams");
                assert!(items.map(|item| item.expect("an item")).eq((0..300).map(|n| n * 2)));
            });
        }
    });
}

fn a_client_may_be_used_under_gevent(python: &Interpreter) {
    let backend = backend(python);
    let Some(python) = with(python, Packages::Data) else { return };
    let front = front(&python, &backend, &["--gevent"], "front");
    front.many(|client, number| {
        for round in 0..5 {
            let value = number * 100 + round;
            assert_eq!(client.call::<usize>("at_import", (value,)), Ok(value));
            assert_eq!(client.call::<usize>("per_call", (value,)), Ok(value));
        }
    });
    // Calls that wait for their answer let others run.
    let began = std::time::Instant::now();
    let slow = [(); 6].map(|()| front.begin("slow", json!([1])));
    for call in slow {
        assert_eq!(call.value(), json!("slow"));
    }
    assert!(began.elapsed().as_secs() < 5, "six took {:?}", began.elapsed());
}

fn a_pusher_pushes(python: &Interpreter) {
    let (sender, received) = mpsc::channel();
    let methods = Methods::new("sink").method("receive", move |value: Value| {
        sender.send(value).map_err(|error| zerorpc::Failure::new("SendError", error.to_string()))
    });
    let links = SocketConfig::default().bind("tcp://127.0.0.1:*");
    let puller = Puller::open(&links, methods).expect("it binds");
    let backend = backend(python);
    let front = Setup::new(python, &[], "front")
        .env("BACKEND", backend.endpoint())
        .env("PULLER", &puller.endpoints()[0])
        .start();
    for number in 0..3 {
        front.call("push", json!([number]));
        assert_eq!(received.recv(), Ok(json!(number)));
    }
}

fn servers_are_served_by_what_they_expose(python: &Interpreter) {
    let own = |server: &Served| {
        let listed = server.server.ask(&[]).stdout;
        let names = listed.lines().skip(1).filter_map(|line| line.split(' ').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let echo = Served::start(python, "inherited.Echo");
    assert_eq!(own(&echo), ["count", "count_too", "echo", "once"]);
    assert_eq!(echo.call("echo", json!([1])), json!(1));
    assert_eq!(echo.items("count", json!([2])), [json!(0), json!(1)]);
    assert_eq!(echo.items("count_too", json!([2])), [json!(0), json!(1)]);
    assert_eq!(echo.call("once", json!([2])), json!([0, 1]));

    let named = Served::start(python, "inherited.Named");
    assert_eq!(named.call("greet", json!([])), json!("hello"));
    assert_eq!(own(&named), ["greet"]);

    let module = Served::start(python, "inherited");
    assert_eq!(module.call("is_main", json!([])), json!(false));
    let object = Served::start(python, "inherited.Object");
    assert_eq!(object.call("hello", json!(["you"])), json!("Hello, you"));
    let error = object.failure("raises", json!([]));
    assert!(error.name == "RemoteError" || error.name == "Far", "{error:?}");

    let made = Served::start(python, "made_server.server");
    assert_eq!(made.call("hello", json!(["you"])), json!("Hello, you"));
    assert_eq!(own(&made), ["hello"]);
}

/// With the package, whose decorators and classes are those that count then.
#[test]
fn servers_of_the_package_are_served_by_what_they_expose() {
    for python in [oldest(), newest()] {
        let Some(python) = with(python, Packages::Zerorpc) else { return };
        servers_are_served_by_what_they_expose(&python);
    }
}

#[test]
fn the_packages_middleware_is_the_packages() {
    for python in [oldest(), newest()] {
        let backend = backend(python);
        let Some(python) = with(python, Packages::Zerorpc) else { return };
        let front = front(&python, &backend, &[], "middleware");
        assert_eq!(front.call("echo", json!([4])), json!([4, ["echo"]]));
        assert_eq!(front.call("echo", json!([5])), json!([5, ["echo", "echo"]]));
        // Requests that come pass through it as well.
        let mut context = Context::new();
        context.insert("trace_id", "ours").expect("it can be encoded");
        let options = CallOptions::new().context(context);
        let loaded = front.client().with(options).call::<Value>("loaded", ());
        assert_eq!(loaded, Ok(json!(["ours", "loaded"])));
    }
}

fn an_unguarded_server_is_told_where_it_belongs(python: &Interpreter) {
    Setup::new(python, &[], "unguarded")
        .run()
        .expect(6, "")
        .tells(&["unguarded.py", "if __name__ == \"__main__\":"]);
}

fn children_by_spawn_and_forkserver_may_import_it_too(python: &Interpreter) {
    let server = Served::start(python, "spawning");
    for method in ["spawn", "forkserver", "fork"] {
        assert_eq!(server.call("pooled", json!([method, 4])), json!([0, 1, 4, 9]), "{method}");
    }
    assert_eq!(server.items("squares", json!([3])), [json!(0), json!(1), json!(4)]);
    server.stop().expect(0, "");
}

fn headers_travel_on(python: &Interpreter) {
    let backend = Served::start(python, "headers");
    let front = front(python, &backend, &[], "headers");
    let traced = |method: &str, id: &str| {
        let mut context = Context::new();
        context.insert("trace_id", id).expect("it can be encoded");
        let options = CallOptions::new().context(context);
        front.client().with(options.clone()).call::<Value>(method, ())
    };
    for method in ["trace", "trace_later", "trace_at_backend"] {
        assert_eq!(traced(method, "ours"), Ok(json!("ours")), "{method}");
        assert_eq!(front.call(method, json!([])), json!(null), "{method}");
    }
    let mut context = Context::new();
    context.insert("trace_id", "streamed").expect("it can be encoded");
    let options = CallOptions::new().context(context);
    let traces = front.client().with(options).stream::<Value>("traces", ()).expect("it streams");
    assert_eq!(traces.collect::<Result<Vec<_>, _>>(), Ok(vec![json!("streamed")]));
}

fn callers_are_known(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "4"]] {
        let server = Served::with(python, flags, "headers");
        let streamed = server.items("peers", json!([])).remove(0);
        let told = ["peer", "peer_later"].map(|method| server.call(method, json!([])));
        for peer in [&streamed, &told[0], &told[1]] {
            assert_eq!((&peer["mechanism"], &peer["name"]), (&json!("NULL"), &json!(null)));
            let remote = peer["remote"].as_str().unwrap_or_default();
            assert!(remote.starts_with("tcp://127.0.0.1:"), "{peer}");
        }
        assert_eq!(server.call("nobody", json!([])), json!([false, null, null]));
        server.stop().expect(0, "");
    }
}
