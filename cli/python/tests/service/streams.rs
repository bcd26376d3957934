//! Streams: what streams, how far it runs ahead, and how it ends.

use std::thread;

use rmpv::Value;
use zerorpc::Failure;
use zerorpc_python::{PythonItems, PythonService};

use crate::support::{begin, call, decode, serve, serve_both, serve_in_threads, stream, until};

fn all(items: PythonItems) -> Result<Vec<Value>, Failure> {
    items.map(|item| item.map(|item| decode(&item))).collect()
}

fn numbers(n: u64) -> Vec<Value> {
    (0..n).map(Value::from).collect()
}

fn assert_closed(service: &PythonService) {
    assert_eq!(call(service, "wait_closed", &[]), Ok(true.into()));
    assert_eq!(service.open_calls(), 0);
}

#[test]
fn iterators_stream_and_containers_do_not() {
    for service in serve_both("streams") {
        let methods = ["numbers", "iterator", "marked", "async_numbers", "async_marked"];
        for method in methods {
            for n in [0, 1, 100, 1000] {
                assert_eq!(
                    all(stream(&service, method, &[n.into()])),
                    Ok(numbers(n)),
                    "{method} {n}"
                );
            }
        }
        assert_eq!(call(&service, "container", &[3.into()]), Ok(Value::Array(numbers(3))));
        let failure = call(&service, "kept", &[3.into()]).expect_err("an iterator is no value");
        assert!(failure.message.contains("can not serialize"), "{failure}");
        assert_eq!(service.open_calls(), 0);
    }
}

#[test]
fn a_long_stream_arrives_in_order() {
    for service in serve_both("streams") {
        let items = stream(&service, "numbers", &[100_000.into()]);
        for (expected, item) in items.enumerate() {
            assert_eq!(decode(&item.expect("never fails")), Value::from(expected));
        }
    }
}

#[test]
fn a_generator_runs_ahead_by_its_window_and_no_further() {
    for service in serve_both("streams") {
        let made = || call(&service, "made_so_far", &[]).expect("answers").as_u64();
        let mut items = stream(&service, "endless", &[]);
        let mut taken = 0;
        // It opens as items are taken, from one to 64, and more are made when half of it is left.
        for (take, ahead) in
            [(0, 1), (1, 2), (2, 4), (31, 17), (32, 64), (63, 33), (64, 64), (96, 64)]
        {
            for _ in taken..take {
                items.next().expect("is endless").expect("never fails");
            }
            taken = take;
            until("the window to fill", || made() == Some(take + ahead));
            for _ in 0..20 {
                assert_eq!(made(), Some(take + ahead));
            }
        }
        drop(items);
        assert_closed(&service);
        assert_eq!(made(), Some(96 + 64));
    }
}

#[test]
fn what_was_yielded_is_not_held_back_while_the_next_item_is_made() {
    let service = serve_in_threads("streams", 64);
    for method in ["burst", "async_burst"] {
        for n in [1, 2, 7, 50] {
            let mut items = stream(&service, method, &[n.into()]);
            for number in numbers(n) {
                let item = items.next().expect("yields").expect("never fails");
                assert_eq!(decode(&item), number, "{method}");
            }
            call(&service, "open_gate", &[]).expect("answers");
            let opened = items.next().expect("yields").expect("never fails");
            assert_eq!(decode(&opened), true.into(), "{method} {n}");
            assert!(items.next().is_none());
        }
    }
}

#[test]
fn a_window_is_bounded_in_bytes_too() {
    for service in serve_both("streams") {
        let made = || call(&service, "made_so_far", &[]).expect("answers").as_u64();
        let mut items = stream(&service, "wide", &[(600 << 10).into()]);
        for _ in 0..10 {
            items.next().expect("is endless").expect("never fails");
        }
        until("the window to move", || made() == Some(12));
        for _ in 0..50 {
            assert_eq!(made(), Some(12));
        }
        // Larger than the whole window: one at a time.
        let mut items = stream(&service, "wide", &[(3 << 20).into()]);
        for _ in 0..3 {
            items.next().expect("is endless").expect("never fails");
        }
    }
}

#[test]
fn dropped_streams_are_closed() {
    for service in serve_both("streams") {
        for method in ["endless", "async_endless", "async_stuck"] {
            let mut items = stream(&service, method, &[]);
            items.next().expect("yields once").expect("never fails");
            drop(items);
            assert_closed(&service);
        }
        // Before the first item was asked for.
        drop(stream(&service, "endless", &[]));
        drop(begin(&service, "endless", &[]));
        until("both to end", || service.open_calls() == 0);
        // An error while closing is nobody's answer.
        drop(stream(&service, "bad_close", &[]));
        assert_eq!(call(&service, "made_so_far", &[]).map(|_| ()), Ok(()));
    }
}

#[test]
fn a_lost_caller_ends_a_stream_that_has_nothing_to_give() {
    let service = serve_in_threads("streams", 64);
    let lose = |method: &str| {
        let call = begin(&service, method, &[]);
        let cancel = call.cancel_handle();
        let zerorpc_python::PythonAnswer::Stream(mut items) = call.wait().expect("streams") else {
            panic!("a stream was expected");
        };
        items.next().expect("yields once").expect("never fails");
        let waiting = thread::spawn(move || items.next().is_none());
        cancel.cancel();
        assert!(waiting.join().expect("does not panic"));
    };
    lose("async_stuck");
    assert_closed(&service);
    // A plain generator is closed as soon as it comes to its next yield.
    lose("gated");
    call(&service, "open_gate", &[]).expect("answers");
    assert_closed(&service);
}

#[test]
fn many_abandoned_streams_leave_no_thread() {
    for service in serve_both("streams") {
        for _ in 0..200 {
            let mut items = stream(&service, "endless", &[]);
            items.next().expect("is endless").expect("never fails");
        }
        until("the threads to end", || {
            let threads = call(&service, "thread_count", &[]).expect("answers");
            threads.as_u64().expect("is a number") < 40
        });
        assert_eq!(service.open_calls(), 0);
    }
}

#[test]
fn failures_end_streams() {
    for service in serve_both("streams") {
        let mut items = stream(&service, "fails_after", &[100.into()]);
        assert_eq!(items.by_ref().take(100).filter(Result::is_ok).count(), 100);
        let failure = items.next().expect("says so").expect_err("fails");
        assert_eq!((&*failure.name, &*failure.message), ("ValueError", "after 100"));
        assert!(failure.traceback.contains("streams.py"), "{}", failure.traceback);
        assert!(items.next().is_none());

        let mut items = stream(&service, "unpackable", &[]);
        assert!(items.next().expect("yields").is_ok());
        assert_eq!(items.next().expect("says so").expect_err("fails").name, "TypeError");
        assert!(items.next().is_none());
        let failure = all(stream(&service, "fails_after", &[0.into()])).expect_err("fails at once");
        assert_eq!(failure.message, "after 0");
    }
}

#[test]
fn a_stream_whose_turn_and_window_end_together_goes_on() {
    let service = serve("pauses");
    let process = call(&service, "process", &[]);
    for count in (1..80).chain([200]) {
        let items = stream(&service, "items", &[count.into()]);
        assert_eq!(all(items).map(|items| items.len()), Ok(count as usize));
        assert_eq!(call(&service, "process", &[]), process, "it is another process");
    }
}
