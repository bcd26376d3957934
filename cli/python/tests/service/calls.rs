//! Values, failures, concurrency.

use std::thread;

use rmpv::Value;
use zerorpc_python::PythonAnswer;

use crate::support::{begin, call, decode, encode, finish, serve, serve_in_threads};

fn array(items: &[Value]) -> Value {
    Value::Array(items.to_vec())
}

#[test]
fn values_survive_both_ways() {
    let service = serve("values");
    let map = Value::Map(vec![
        (1.into(), "int key".into()),
        (Value::Nil, 2.into()),
        (Value::Binary(vec![1]), Value::Nil),
        ("nested".into(), array(&[Value::Map(vec![]), array(&[])])),
    ]);
    let table = [
        (Value::Nil, "NoneType"),
        (true.into(), "bool"),
        (0.into(), "int"),
        (u64::MAX.into(), "int"),
        (i64::MIN.into(), "int"),
        (1.5.into(), "float"),
        (f64::INFINITY.into(), "float"),
        ("grüße \u{1F600}".into(), "str"),
        (Value::Binary(vec![0, 255]), "bytes"),
        (array(&[1.into(), "two".into()]), "list"),
        (map, "dict"),
        (Value::Ext(5, vec![1, 2, 3]), "ExtType"),
        (Value::Ext(-1, vec![0, 0, 0, 1]), "datetime"),
        (Value::Ext(-1, vec![0, 0, 0, 20, 0, 0, 0, 1]), "PreciseDatetime"),
        // Further away than a datetime can be.
        (Value::Ext(-1, vec![0, 0, 0, 5, 127, 0, 0, 0, 0, 0, 0, 0]), "ExtType"),
    ];
    for (value, kind) in table {
        let args = [value.clone()];
        assert_eq!(call(&service, "kind", &args), Ok(kind.into()), "{value}");
        assert_eq!(call(&service, "echo", &args), Ok(value));
    }
    // More nanoseconds than a second has, and a length that no timestamp has.
    for body in [vec![255; 12], vec![255; 8], vec![0; 3]] {
        let failure = call(&service, "echo", &[Value::Ext(-1, body)]).expect_err("is no timestamp");
        assert_eq!(failure.name, "ValueError", "{failure}");
    }
    let nan = call(&service, "echo", &[f64::NAN.into()]).expect("is a float");
    assert!(nan.as_f64().expect("is a float").is_nan());
    let array_key = Value::Map(vec![(array(&[1.into(), array(&[2.into()])]), "v".into())]);
    assert_eq!(call(&service, "echo", std::slice::from_ref(&array_key)), Ok(array_key));
    assert_eq!(call(&service, "year_of", &[Value::Ext(-1, vec![0, 0, 0, 1])]), Ok(1970.into()));
}

#[test]
fn what_python_makes_arrives_or_fails_clearly() {
    let service = serve("values");
    let keys = Value::Map(vec![
        (1.into(), "a".into()),
        (Value::Nil, "b".into()),
        (array(&[1.into(), 2.into()]), "c".into()),
        (Value::Binary(b"d".to_vec()), 1.5.into()),
    ]);
    for (name, value) in [
        ("tuple", array(&[1.into(), array(&[2.into()])])),
        ("bytearray", Value::Binary(b"ab".to_vec())),
        ("memoryview", Value::Binary(b"ac".to_vec())),
        ("ordered", Value::Map(vec![("b".into(), 1.into()), ("a".into(), 2.into())])),
        ("keys", keys),
        ("level", 3.into()),
        ("struct_time", array(&[1970, 1, 1, 0, 0, 0, 3, 1, 0].map(Value::from))),
        ("datetime", Value::Ext(-1, vec![0, 0, 0, 1])),
        ("set", array(&[1.into()])),
    ] {
        assert_eq!(call(&service, "named", &[name.into()]), Ok(value), "{name}");
    }
    for (name, class, message) in [
        ("naive", "TypeError", "time zone"),
        ("date", "TypeError", "can not serialize 'date' object"),
        ("object", "TypeError", "can not serialize 'object' object"),
        ("exception", "TypeError", "can not serialize 'ValueError' object"),
        ("big", "OverflowError", "65 bits"),
        ("surrogate", "UnicodeEncodeError", "surrogates not allowed"),
    ] {
        let failure = call(&service, "named", &[name.into()]).expect_err(name);
        assert_eq!(failure.name, class, "{failure}");
        assert!(failure.message.contains(message), "{failure}");
    }
    // Too deep for the recursion of rmpv in a test's small stack, hence not decoded.
    assert!(begin(&service, "deep", &[500.into()]).wait().is_ok());
    let failure = call(&service, "deep", &[5000.into()]).expect_err("is too deep");
    assert!(failure.message.contains("nested more than"), "{failure}");
    let map_key = Value::Map(vec![(Value::Map(vec![]), 1.into())]);
    let failure = call(&service, "echo", &[map_key]).expect_err("cannot be a dict");
    assert_eq!(failure.name, "TypeError");
}

#[test]
fn arguments_that_are_no_array_are_unpacked_as_the_reference_does() {
    let service = serve("values");
    let count = |args: Value| finish(service.begin("count", encode(&args)));
    assert_eq!(count("xyz".into()), Ok(3.into()));
    assert_eq!(count(Value::Binary(vec![1, 2])), Ok(2.into()));
    assert_eq!(count(Value::Map(vec![(1.into(), 2.into())])), Ok(1.into()));
    for bad in [Value::Nil, 7.into()] {
        assert_eq!(count(bad).expect_err("does not iterate").name, "TypeError");
    }
    // What is no msgpack at all fails the call and nothing else.
    let failure = finish(service.begin("count", vec![0xc1])).expect_err("is garbage");
    assert_eq!(failure.name, "ValueError");
    assert_eq!(count(Value::Array(vec![])), Ok(0.into()));
}

#[test]
fn exceptions_become_failures() {
    let service = serve("failures");
    for (method, args, name, message) in [
        ("value_error", vec!["no good".into()], "ValueError", "no good"),
        ("key_error", vec![], "KeyError", "'missing'"),
        ("chained", vec![], "RuntimeError", "outer"),
        ("odd", vec![], "Odd", "<no text: str() of this Odd fails>"),
        ("leave", vec![], "SystemExit", "3"),
        ("interrupt", vec![], "KeyboardInterrupt", ""),
        ("surrogates", vec![], "ValueError", "bad \\udc80 text"),
        ("remote", vec![], "RemoteError", "Far: away"),
        ("late", vec!["async".into()], "LookupError", "async"),
        ("unknown", vec![], "NameError", "unknown"),
        ("_private", vec![], "NameError", "_private"),
        ("__class__", vec![], "NameError", "__class__"),
        ("not_callable", vec![], "NameError", "not_callable"),
        ("two", vec![], "TypeError", "two() missing 1 required positional argument: 'first'"),
    ] {
        let failure = call(&service, method, &args).expect_err(method);
        assert_eq!((&*failure.name, &*failure.message), (name, message));
        assert!(!failure.traceback.contains("<zerorpc>"), "{}", failure.traceback);
    }
    assert_eq!(call(&service, "recurse", &[]).expect_err("never ends").name, "RecursionError");
    assert_eq!(call(&service, "two", &[1.into()]), Ok(array(&[1.into(), 2.into()])));
}

#[test]
fn tracebacks_show_the_module_and_not_the_bridge() {
    let service = serve("failures");
    let failure = call(&service, "chained", &[]).expect_err("fails");
    let lines: Vec<&str> = failure.traceback.lines().collect();
    assert_eq!(lines[0], "Traceback (most recent call last):");
    assert!(failure.traceback.contains("return {}[\"missing\"]"), "{}", failure.traceback);
    assert!(failure.traceback.contains("direct cause"), "{}", failure.traceback);
    assert_eq!(lines.last(), Some(&"RuntimeError: outer"));
    let failure = call(&service, "two", &[]).expect_err("fails");
    assert!(failure.traceback.starts_with("Traceback (most recent call last):\nTypeError: two()"));
}

#[test]
fn calls_run_at_the_same_time_and_share_state() {
    let service = serve_in_threads("together", 2);
    for method in ["meet", "async_meet"] {
        let pair = [begin(&service, method, &[]), begin(&service, method, &[])];
        for call in pair {
            assert_eq!(finish(call), Ok(true.into()), "{method}");
        }
    }
    assert_eq!(call(&service, "calls", &[]), Ok(2.into()));
}

#[test]
fn a_method_that_was_always_quick_delays_nobody_when_it_waits() {
    let service = serve_in_threads("together", 64);
    for waiting in 1..=20u64 {
        for _ in 0..100 {
            assert_eq!(call(&service, "rest", &[false.into()]), Ok(Value::Nil));
        }
        // Calls before it, after it and of itself, all under way at once.
        let before = begin(&service, "rest", &[false.into()]);
        let waits: Vec<_> = (0..waiting).map(|_| begin(&service, "rest", &[true.into()])).collect();
        let after = begin(&service, "rest", &[false.into()]);
        assert_eq!(finish(before), Ok(Value::Nil));
        assert_eq!(finish(after), Ok(Value::Nil));
        assert_eq!(call(&service, "release", &[waiting.into()]), Ok(Value::Nil));
        for wait in waits {
            assert_eq!(finish(wait), Ok(true.into()));
        }
    }
}

#[test]
fn a_thousand_calls_at_once() {
    let service = serve_in_threads("together", 1000);
    let calls: Vec<_> = (0..1000).map(|_| begin(&service, "meet_thousand", &[])).collect();
    for call in calls {
        assert_eq!(finish(call), Ok(true.into()));
    }
    assert_eq!(service.open_calls(), 0);
    // Threads are kept for later calls, but not all of them.
    crate::support::until("the threads to end", || {
        let threads = call(&service, "thread_count", &[]).expect("answers");
        threads.as_u64().expect("is a number") < 40
    });
}

#[test]
fn prints_do_not_disturb() {
    let service = serve("together");
    for _ in 0..10 {
        assert_eq!(call(&service, "noise", &["text".into()]), Ok("text".into()));
    }
    let streams = array(&[true.into(), "".into()]);
    assert_eq!(call(&service, "standard_streams", &[]), Ok(streams));
}

#[test]
fn large_values_both_ways_at_once() {
    let service = serve("values");
    let large = Value::Binary(vec![7; 64 << 20]);
    assert_eq!(call(&service, "echo", std::slice::from_ref(&large)), Ok(large));
    thread::scope(|scope| {
        for fill in 0..4 {
            let service = &service;
            scope.spawn(move || {
                let value = Value::Binary(vec![fill; 8 << 20]);
                assert_eq!(call(service, "echo", std::slice::from_ref(&value)), Ok(value));
            });
        }
    });
    let long_text = Value::from("ü".repeat(1 << 20));
    assert_eq!(call(&service, "echo", std::slice::from_ref(&long_text)), Ok(long_text));
}

#[test]
fn an_abandoned_async_method_is_cancelled() {
    let service = serve("streams");
    let forever = begin(&service, "async_forever", &[]);
    let cancel = forever.cancel_handle();
    assert_eq!(call(&service, "made_so_far", &[]), Ok(0.into()), "both have come");
    let waiting = thread::spawn(move || forever.wait().map(|_| ()));
    cancel.cancel();
    let failure = waiting.join().expect("does not panic").expect_err("was cancelled");
    assert_eq!(failure.name, "CancelledError");
    // An abandoned function runs to its end, and its answer still comes.
    let service = serve_in_threads("together", 2);
    let running = begin(&service, "announce_then_rest", &[]);
    assert_eq!(call(&service, "wait_started", &[]), Ok(true.into()));
    running.cancel_handle().cancel();
    assert_eq!(call(&service, "release", &[1.into()]), Ok(Value::Nil));
    match running.wait().expect("answers") {
        PythonAnswer::Value(value) => assert_eq!(decode(&value), true.into()),
        PythonAnswer::Stream(_) => panic!("it does not stream"),
    }
    assert_eq!(service.open_calls(), 0);
}
