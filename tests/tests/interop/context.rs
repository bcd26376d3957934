//! Header keys of the application, such as trace ids, reach the method at the other end.

use serde_json::{Map, json};
use zerorpc::{CallOptions, Context, TransportKind};
use zerorpc_tests::peers::{self, Call, DialOptions, Peer, ServeOptions};

use crate::support::{Ours, connect};

zerorpc_tests::over_each_transport![from_our_client_to_python, from_python_to_our_server,];

fn from_our_client_to_python(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let server = python.serve(ServeOptions::default());
    let client = connect(kind, server.endpoint());
    let mut context = Context::new();
    context.insert("trace_id", "t-1").expect("it can be encoded");
    context.insert("other", &(1, "two")).expect("it can be encoded");
    let options = CallOptions::new().context(context);
    assert_eq!(client.with(options).call("trace_id", ()), Ok(Some("t-1".to_owned())));
    assert_eq!(client.call("trace_id", ()), Ok(None::<String>), "it is not kept");
}

fn from_python_to_our_server(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let ours = Ours::serve(kind);
    let client = python.client(DialOptions::to(ours.endpoint()));
    let headers = Map::from_iter([("trace_id".to_owned(), json!("t-1"))]);
    let traced = Call { headers, ..Call::of("trace_id", json!([])) };
    assert_eq!(client.start_call(&traced).wait(), Ok(json!("t-1")));
    assert_eq!(client.call("trace_id", json!([])), Ok(json!(null)));
}
