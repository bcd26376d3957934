//! Somebody accepts connections, and that is all.

use std::time::Instant;

use zerorpc::{CallOptions, Error};
use zerorpc_tests::proxy::{Cut, Proxy, Service};

use crate::support::{PATIENCE, SECOND, builder, note, start};

/// The request cannot have left: it must not be run later, and the caller has to be told that it was not.
#[test]
fn a_call_that_nobody_shook_hands_for_has_never_left() {
    let folder = tempfile::tempdir().expect("a folder");
    for (service, name) in [(Service::Mute, "mute"), (Service::Greet, "greets")] {
        let site = start(&folder, name);
        let proxy = Proxy::before([site.endpoint()]);
        proxy.set_service(service);
        let client = builder().connect(&proxy.endpoint()).build().expect("a client");
        let soon = CallOptions::new().timeout(SECOND);
        for number in 0..3 {
            let began = Instant::now();
            let error = client.with(soon.clone()).call::<String>("note", (number, 0));
            let error = error.expect_err("nobody is there");
            assert!(matches!(error, Error::Unreachable { .. }), "{service:?}: {error:?}");
            let text = error.to_string();
            assert!(text.contains(&proxy.address().to_string()), "{text}");
            assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
        }
        proxy.set_service(Service::Forward);
        proxy.cut(Cut::Close);
        assert!(note(&client, 3).is_ok());
        assert_eq!(site.ran(), [3], "what was given up is never run");
    }
}

/// A dialler does not spend all of a call's time on somebody who says nothing.
#[test]
fn a_slow_handshake_leaves_time_for_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = start(&folder, "one");
    for service in [Service::Mute, Service::Greet] {
        let proxy = Proxy::before([site.endpoint()]);
        proxy.set_service(service);
        let client = builder().connect(&proxy.endpoint()).build().expect("a client");
        std::thread::scope(|scope| {
            let call = scope.spawn(|| note(&client, 1));
            zerorpc_tests::service::eventually("it is dialled", || proxy.accepted() == 1);
            proxy.set_service(Service::Forward);
            let answer = call.join().expect("no panic");
            assert!(answer.is_ok(), "{service:?}: {answer:?}");
        });
        assert_eq!(proxy.accepted(), 2);
    }
}
