//! Push/pull and publish/subscribe with Python, in both directions, whoever binds.

use std::{
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use rmpv::Value;
use serde_json::{Map, json};
use tempfile::TempDir;
use zerorpc::{
    Context, Methods, Publisher, Puller, Pusher, SocketConfig, Subscriber, TransportKind,
};
use zerorpc_tests::peers::{self, Call, DialOptions, Message, endpoints};

zerorpc_tests::over_each_transport![
    python_pushes_to_us,
    python_pulls_from_us,
    python_publishes_to_us,
    python_subscribes_to_us,
    senders_may_connect,
];

/// How long a message may take before the next one is published.
const MOMENT: Duration = Duration::from_millis(50);
/// How long a message that cannot be lost may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a check with a place to bind, over tcp and over ipc.
fn everywhere(check: impl Fn(&str)) {
    let folder = TempDir::new().expect("a folder");
    // The port 0 is one of the system's choice, for them as for us.
    check("tcp://127.0.0.1:0");
    check(&endpoints::ipc(&folder));
}

/// A service that passes on the arguments and the trace id of each `note`.
fn notes() -> (Methods, Receiver<(Value, Option<String>)>) {
    let (sender, notes) = channel();
    let service = Methods::new("notes").raw("note", move |request| {
        let trace_id = request.context().get("trace_id")?;
        sender.send((request.args().decode()?, trace_id))?;
        Ok(zerorpc::Reply::Value(zerorpc::Args::NIL))
    });
    (service, notes)
}

fn message() -> (Value, serde_json::Value) {
    let value = Value::Array(vec![1.into(), Value::Binary(vec![2]), "☃".into(), Value::Nil]);
    (value, json!([1, {"$bin": "02"}, "☃", null]))
}

fn traced(method: &str, args: serde_json::Value) -> Call {
    let headers = Map::from_iter([("trace_id".to_owned(), json!("t-1"))]);
    Call { headers, ..Call::of(method, args) }
}

fn python_pushes_to_us(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    everywhere(|place| {
        let (service, notes) = notes();
        let puller = Puller::open(&SocketConfig::new().transport(kind).bind(place), service)
            .expect("a puller");
        let pusher = python.pusher(DialOptions::to(&puller.endpoints()[0]));
        let (value, json) = message();
        pusher.send("nothing", json!(["unknown methods are skipped"]));
        pusher.send("note", json.clone());
        pusher.send_call(&traced("note", json));
        assert_eq!(notes.recv_timeout(PATIENCE), Ok((value.clone(), None)));
        assert_eq!(notes.recv_timeout(PATIENCE), Ok((value, Some("t-1".to_owned()))));
    });
}

fn python_pulls_from_us(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    everywhere(|place| {
        let pusher =
            Pusher::open(&SocketConfig::new().transport(kind).bind(place)).expect("a pusher");
        let puller = python.puller(DialOptions::to(&pusher.endpoints()[0]));
        let (value, json) = message();
        let mut context = Context::new();
        context.insert("trace_id", "t-1").expect("it can be encoded");
        pusher.push("note", &value).expect("it leaves");
        pusher.with(context.clone()).push("other", &value).expect("it leaves");
        for number in 0..1_000 {
            pusher.push("count", (number,)).expect("it leaves");
        }
        let received = |method: &str, args| Message { method: method.to_owned(), args };
        assert_eq!(puller.take(2), [received("note", json.clone()), received("other", json)]);
        let counted = (0..1_000).map(|number| received("count", json!([number])));
        assert!(puller.take(1_000).into_iter().eq(counted));
    });
}

fn python_publishes_to_us(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    everywhere(|place| {
        let publisher = python.publisher(DialOptions::bound(place));
        let (service, notes) = notes();
        let links = SocketConfig::new().transport(kind).connect(publisher.process().endpoint());
        let _subscriber = Subscriber::open(&links, service).expect("a subscriber");
        let (value, json) = message();
        // What is published before the subscription arrives is lost, so it is repeated.
        let note = loop {
            publisher.send_call(&traced("note", json.clone()));
            if let Ok(note) = notes.recv_timeout(MOMENT) {
                break note;
            }
        };
        assert_eq!(note, (value, Some("t-1".to_owned())));
    });
}

fn python_subscribes_to_us(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    everywhere(|place| {
        let publisher =
            Publisher::open(&SocketConfig::new().transport(kind).bind(place)).expect("a publisher");
        let subscribers =
            [(); 2].map(|()| python.subscriber(DialOptions::to(&publisher.endpoints()[0])));
        let (value, json) = message();
        for subscriber in &subscribers {
            let mut pending = subscriber.start_take(1);
            let messages = loop {
                publisher.publish("note", &value).expect("it leaves");
                match pending.wait_for(MOMENT) {
                    Ok(messages) => break messages,
                    Err(early) => pending = early,
                }
            };
            assert_eq!(messages, [Message { method: "note".to_owned(), args: json.clone() }]);
        }
    });
}

/// The side that sends connects to the one that receives, for both patterns.
fn senders_may_connect(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    everywhere(|place| {
        let (value, json) = message();
        let bound = DialOptions::bound(place);

        let puller = python.puller(bound.clone());
        let pusher =
            Pusher::open(&SocketConfig::new().transport(kind).connect(puller.process().endpoint()));
        pusher.expect("a pusher").push("note", &value).expect("it leaves");
        assert_eq!(puller.take(1), [Message { method: "note".to_owned(), args: json.clone() }]);
        // The same place is bound again.
        drop(puller);

        let (service, notes) = notes();
        let subscriber =
            Subscriber::open(&SocketConfig::new().transport(kind).bind(place), service)
                .expect("a subscriber");
        let publisher = python.publisher(DialOptions::to(&subscriber.endpoints()[0]));
        let note = loop {
            publisher.send("note", json.clone());
            if let Ok(note) = notes.recv_timeout(MOMENT) {
                break note;
            }
        };
        assert_eq!(note, (value, None));
    });
}
