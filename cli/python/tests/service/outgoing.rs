//! Modules that call other services, with the `zerorpc` that is here where the package is not installed.

use std::{num::NonZeroUsize, sync::mpsc::channel, time::Duration};

use rmpv::Value;
use tempfile::TempDir;
use zerorpc::{Args, CallOptions, Client, Context, Failure, Methods, Reply, Server};
use zerorpc_python::{Concurrency, PythonService};

use crate::support::{modules, options};

/// The service that is called, a module that calls it, and a server of that module.
struct Chain {
    client: Client,
    _front: Server,
    _back: Server,
    _folder: TempDir,
}

fn back() -> Server {
    // Nobody ever sends: `wait` waits until this is dropped with the service.
    let (sender, receiver) = channel::<()>();
    let gate = std::sync::Mutex::new(receiver);
    let service = Methods::new("back")
        .method("add", |a: i64, b: i64| Ok(a + b))
        .stream("numbers", |count: u64| Ok(0..count))
        .method("fail", |message: String| -> Result<(), _> {
            Err(Failure::new("ValueError", message).with_traceback("where"))
        })
        .method("wait", move || {
            let _keep = &sender;
            Ok(gate.lock().map(|gate| gate.recv_timeout(Duration::from_secs(1)).is_ok())?)
        })
        .raw("trace", |request| {
            Ok(Reply::Value(Args::encode(&request.context().get::<String>("trace")?)?))
        });
    Server::builder().service(service).bind("tcp://127.0.0.1:*").build().expect("a server")
}

fn chain(target: &str, threads: usize) -> Chain {
    let back = back();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("address"), &back.endpoints()[0]).expect("a file");
    let module = "calls_others.py";
    std::fs::copy(modules().join(module), folder.path().join(module)).expect("a file");
    let concurrency = NonZeroUsize::new(threads).map_or(Concurrency::Detect, Concurrency::Threads);
    let options = options().directory(folder.path()).concurrency(concurrency);
    let service = PythonService::start_with(target, options).expect("it loads");
    let front = Server::builder().service(service).bind("tcp://127.0.0.1:*").build();
    let front = front.expect("a server");
    let client = Client::builder().connect(&front.endpoints()[0]).timeout(Duration::from_secs(60));
    let client = client.build().expect("a client");
    Chain { client, _front: front, _back: back, _folder: folder }
}

impl Chain {
    fn call(&self, method: &str, args: &[Value]) -> Value {
        self.client.call(method, args).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn numbers(&self, method: &str, count: u64) -> Vec<u64> {
        let items = self.client.stream(method, (count,)).expect("a stream");
        items.collect::<Result<_, _>>().expect("no error")
    }
}

fn array<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
    Value::Array(items.into_iter().map(Into::into).collect())
}

#[test]
fn modules_call_other_services() {
    for threads in [0, 8] {
        let chain = chain("calls_others", threads);
        assert_eq!(chain.call("package", &[]), array([Value::from("zerorpc"), true.into()]));
        assert_eq!(chain.call("at_import", &[]), 3.into());
        for method in ["add", "add_anew"] {
            for n in 0..30 {
                assert_eq!(chain.call(method, &[n.into(), 1.into()]), (n + 1).into());
            }
        }
        let doubles = || array((0..200).map(|n| 2 * n));
        assert_eq!(chain.call("many", &[200.into()]), doubles());
        assert_eq!(chain.call("in_threads", &[20.into()]), array((0..20).map(|n| 2 * n)));
        assert_eq!(chain.numbers("numbers", 1000), (0..1000).collect::<Vec<_>>());
        assert_eq!(chain.numbers("doubled", 300), (0..300).map(|n| 2 * n).collect::<Vec<_>>());
        assert_eq!(chain.call("first", &[1_000_000.into()]), 0.into());
        assert_eq!(chain.call("fail", &[]), array(["ValueError", "no"]));
        let expected = "timeout after 0.1s, when calling remote method wait";
        assert_eq!(chain.call("too_late", &[]), expected.into());
        assert_eq!(chain.call("add_async", &[1.into(), 2.into()]), array([3, 4]));
        let error = chain.client.call::<Value>("pass_on", ()).expect_err("it fails");
        assert!(
            matches!(error, zerorpc::Error::Remote { error, .. } if error.name == "RemoteError")
        );
        let Value::Array(children) = chain.call("in_children", &[]) else { panic!("a list") };
        assert_eq!(children.len(), 2);
        for child in children {
            assert!(child.as_str().is_some_and(|text| text.contains("pip install zerorpc")));
        }
    }
}

#[test]
fn many_callers_at_once() {
    for threads in [0, 8] {
        let chain = chain("calls_others", threads);
        std::thread::scope(|scope| {
            for caller in 0..8 {
                let chain = &chain;
                scope.spawn(move || {
                    for n in 0..50 {
                        assert_eq!(
                            chain.call("add", &[caller.into(), n.into()]),
                            (caller + n).into()
                        );
                    }
                    assert_eq!(chain.numbers("doubled", 100).len(), 100);
                });
            }
        });
    }
}

#[test]
fn header_keys_travel_on() {
    let chain = chain("calls_others", 0);
    let mut context = Context::new();
    context.insert("trace", "t-1").expect("it can be sent");
    let options = CallOptions::new().context(context);
    let seen: Value = chain.client.with(options).call("trace", ()).expect("no error");
    let header = Value::Map(vec![("trace".into(), "t-1".into())]);
    assert_eq!(seen, array([header, "t-1".into()]));
    assert_eq!(chain.call("trace", &[]), array([Value::Map(vec![]), Value::Nil]));
}

#[test]
fn servers_are_served_by_what_they_expose() {
    for (target, name) in [("calls_others.Echo", "Echo"), ("calls_others.server", "named")] {
        let chain = chain(target, 0);
        assert_eq!(chain.call("_zerorpc_name", &[]), name.into());
        assert_eq!(chain.call("_zerorpc_list", &[]), array(["call_on", "echo", "letters"]));
        assert_eq!(chain.call("echo", &["hi".into()]), "hi".into());
        assert_eq!(chain.call("call_on", &[1.into(), 2.into()]), 3.into());
        let letters = chain.client.stream::<String>("letters", ("ab",)).expect("a stream");
        assert_eq!(letters.collect::<Result<Vec<_>, _>>().expect("no error"), ["a", "b"]);
    }
}

#[test]
fn servers_are_not_started_by_an_import() {
    let error = PythonService::start_with("unguarded", options()).expect_err("it is refused");
    assert!(error.to_string().contains("below `if __name__ == \"__main__\":`"), "{error}");
}
