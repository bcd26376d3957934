//! Values of every msgpack type, there and back, with their exact types.

use std::time::Duration;

use rmpv::Value;
use serde_json::{Value as Json, json};
use zerorpc::{CallOptions, Client, Error, TransportKind};
use zerorpc_tests::peers::{Call, Peer, PeerClient};

use crate::support::{Ours, Theirs, is_python, with_each_peer};

zerorpc_tests::over_each_transport![
    from_our_clients_to_their_servers_and_back,
    from_their_clients_to_our_server_and_back,
    text_and_bytes_are_told_apart,
    node_turns_wide_integers_into_floats,
    integer_keys_go_as_far_as_the_peer_lets_them,
];

/// A value as we write it, as the peers' programs write it, and the type it must arrive as.
type Case = (Value, Json, &'static str);

/// What every peer can carry without a change.
fn common() -> Vec<Case> {
    let mut cases = scalars();
    for length in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
        cases.push(text(&"x".repeat(length)));
        cases.push(bin(vec![0xa5; length]));
    }
    cases.extend(["naïve ☃ 失敗", "🦀", "\0", "\u{10ffff}", "é\u{301}"].map(text));
    cases.push(bin(vec![0, 255, 128, 0xc1]));
    for length in [0_u32, 1, 15, 16, 70_000] {
        let numbers = (0..length).map(Value::from).collect();
        cases.push((Value::Array(numbers), json!((0..length).collect::<Vec<_>>()), "array"));
    }
    for length in [0_u32, 1, 15, 16, 70_000] {
        let pairs = (0..length).map(|key| (format!("k{key}").into(), Value::from(key))).collect();
        let json = (0..length).map(|key| (format!("k{key}"), json!(key))).collect();
        cases.push((Value::Map(pairs), Json::Object(json), "map"));
    }
    for length in [0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65_536] {
        cases.push(ext(42, vec![7; length]));
    }
    cases.push(nested());
    cases
}

fn scalars() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![
        (Value::Nil, json!(null), "nil"),
        (true.into(), json!(true), "bool"),
        (false.into(), json!(false), "bool"),
        (f64::NAN.into(), json!({"$float": "nan"}), "float"),
        (f64::INFINITY.into(), json!({"$float": "inf"}), "float"),
        (f64::NEG_INFINITY.into(), json!({"$float": "-inf"}), "float"),
    ];
    let widths = [0, 1, 31, 32, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2_147_483_647];
    let negative = widths.iter().map(|number| -number - 1_i64);
    cases.extend(widths.iter().copied().chain(negative).map(integer));
    cases.extend([0.5, -0.1, 1e300, f64::MAX, f64::MIN_POSITIVE, 5e-324].map(float));
    cases
}

/// What JavaScript's numbers and objects cannot hold, but Python can.
fn python_only() -> Vec<Case> {
    let wide = [1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) + 1, i64::MAX, -(1 << 31) - 1, i64::MIN];
    let mut cases: Vec<Case> = wide.map(integer).into();
    cases.push((u64::MAX.into(), json!(u64::MAX), "int"));
    cases.extend([0.0, -0.0, 1.0, -3.0, 9_007_199_254_740_992.0].map(float));
    cases.extend([0, 18, 127].map(|code| ext(code, vec![1, 2])));
    // A timestamp is an extension of 4, 8 or 12 bytes, whichever is the least that holds it.
    let timestamp = |bytes: &[u8], json| (Value::Ext(-1, bytes.to_vec()), json, "ext");
    cases.push(timestamp(&[0, 0, 0, 5], json!({"$timestamp": [5, 0]})));
    let nanoseconds = ((2_u64 << 34) | 1).to_be_bytes();
    cases.push(timestamp(&nanoseconds, json!({"$timestamp": [1, 2]})));
    let before_1970 = [&[0; 4][..], &(-1_i64).to_be_bytes()].concat();
    cases.push(timestamp(&before_1970, json!({"$timestamp": [-1, 0]})));
    let keys = Value::Map(vec![(Value::Binary(b"k".to_vec()), 1.into()), ("k".into(), 2.into())]);
    cases.push((keys, json!({"$map": [[{"$bin": "6b"}, 1], ["k", 2]]}), "map"));
    cases
}

fn integer(number: i64) -> Case {
    (number.into(), json!(number), "int")
}

fn float(number: f64) -> Case {
    (number.into(), json!(number), "float")
}

fn text(text: &str) -> Case {
    (text.into(), json!(text), "str")
}

fn bin(bytes: Vec<u8>) -> Case {
    let json = json!({"$bin": hex(&bytes)});
    (Value::Binary(bytes), json, "bin")
}

fn ext(code: i8, bytes: Vec<u8>) -> Case {
    let json = json!({"$ext": [code, hex(&bytes)]});
    (Value::Ext(code, bytes), json, "ext")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Twenty levels of maps in arrays, with one of everything inside.
fn nested() -> Case {
    let mut value = Value::Array(vec![Value::Nil, Value::Binary(vec![]), "".into(), (-1).into()]);
    let mut json = json!([null, {"$bin": ""}, "", -1]);
    for _ in 0..20 {
        value = Value::Array(vec![Value::Map(vec![("in".into(), value), ("".into(), 0.5.into())])]);
        json = json!([{"in": json, "": 0.5}]);
    }
    (value, json, "array")
}

/// The bytes of a value: unlike values themselves, those of NaN are equal, and those of 0.0 and -0.0 are not.
fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("memory takes everything");
    bytes
}

fn our_client_gets_back(client: &Client, cases: &[Case]) {
    for (value, json, _) in cases {
        let echoed: Value = client.call("echo", (value,)).expect("an echo");
        assert_eq!(encoded(&echoed), encoded(value), "{}", shortened(json));
    }
}

fn their_client_gets_back(client: &PeerClient, cases: &[Case]) {
    for (_, json, kind) in cases {
        let shown = shortened(json);
        // As text, in which 0.0 and -0.0 differ, as do 1 and 1.0.
        let echoed = client.call("echo", json!([json])).expect("an echo");
        assert_eq!(shortened(&echoed), shown);
        assert!(echoed == *json, "not the same beyond {shown}");
        assert_eq!(client.call("kind", json!([json])), Ok(json!(kind)), "{shown}");
    }
}

fn shortened(json: &Json) -> String {
    json.to_string().chars().take(100).collect()
}

fn cases(peer: &dyn Peer) -> Vec<Case> {
    let mut cases = common();
    if is_python(peer) {
        cases.extend(python_only());
    }
    cases
}

fn from_our_clients_to_their_servers_and_back(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        for client in server.clients(kind) {
            our_client_gets_back(&client, &cases(peer));
        }
    });
}

fn from_their_clients_to_our_server_and_back(kind: TransportKind) {
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        for client in ours.clients(peer) {
            their_client_gets_back(&client, &cases(peer));
        }
    });
}

/// Text and bytes never turn into each other on the way, and each peer sees them as what it calls them.
fn text_and_bytes_are_told_apart(kind: TransportKind) {
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        let client = &server.clients(kind)[0];
        let kinds = if is_python(peer) { ("str", "bytes") } else { ("String", "Buffer") };
        let kind = |value: Value| client.call::<String>("kind", (value,)).expect("a kind");
        assert_eq!(kind("abc".into()), kinds.0);
        assert_eq!(kind(Value::Binary(b"abc".to_vec())), kinds.1);
        let blob: Value = client.call("blob", (3,)).expect("a blob");
        assert_eq!(blob, Value::Binary(vec![0xa5; 3]));
    });
}

/// JavaScript has no integers beyond 53 bits, and its encoder none beyond 32: they come back as floats, which
/// our client takes for the integers they are.
fn node_turns_wide_integers_into_floats(kind: TransportKind) {
    with_each_peer(|peer| {
        if is_python(peer) {
            return;
        }
        let server = Theirs::serve(peer);
        let client = &server.clients(kind)[0];
        for number in [1_i64 << 40, -(1 << 40)] {
            assert_eq!(client.call::<Value>("echo", (number,)), Ok(Value::F64(number as f64)));
            assert_eq!(client.call::<i64>("echo", (number,)), Ok(number));
        }
        // A float without a fraction is an integer to JavaScript.
        assert_eq!(client.call::<Value>("echo", (3.0,)), Ok(3.into()));
        assert_eq!(client.call::<f64>("echo", (3.0,)), Ok(3.0));
        assert_eq!(client.call::<Value>("echo", (-0.0,)), Ok(0.into()));

        let ours = Ours::serve(kind);
        let client = &ours.clients(peer)[0];
        for (number, kind) in [("18446744073709551615", "int"), ("-9223372036854775808", "int")] {
            let tagged = json!({"$int": number});
            assert_eq!(client.call("kind", json!([tagged])), Ok(json!(kind)));
        }
        assert_eq!(client.call("add", json!([1_i64 << 40, 1])), Ok(json!((1_i64 << 40) + 1)));
    });
}

/// Maps with integers as keys pass through us, become text in Node, and are more than Python can read.
fn integer_keys_go_as_far_as_the_peer_lets_them(kind: TransportKind) {
    let keyed = Value::Map(vec![(1.into(), "one".into())]);
    let ours = Ours::serve(kind);
    with_each_peer(|peer| {
        let server = Theirs::serve(peer);
        let client = &server.clients(kind)[0];
        let soon = CallOptions::new().timeout(Duration::from_secs(1));
        let echoed = client.with(soon).call::<Value>("echo", (&keyed,));
        let their_client = &ours.clients(peer)[0];
        if is_python(peer) {
            assert!(matches!(echoed, Err(Error::Timeout { .. })), "{echoed:?}");
            let timeout = Some(Duration::from_secs(1));
            let call = Call { timeout, ..Call::of("integer_keys", json!([])) };
            let error = their_client.start_call(&call).wait().expect_err("it cannot read that");
            assert_eq!(error.kind, "TimeoutExpired");
        } else {
            assert_eq!(echoed, Ok(Value::Map(vec![("1".into(), "one".into())])));
            let answer = their_client.call("integer_keys", json!([]));
            assert_eq!(answer, Ok(json!({"1": "one"})));
        }
        assert_eq!(client.call("add", (1, 2)), Ok(3), "the server has lost nothing else");
        assert_eq!(their_client.call("add", json!([1, 2])), Ok(json!(3)));
    });
}
