//! Results that are more than JSON, the same for results and for items of streams.

use rmpv::Value as Msgpack;
use serde_json::{Value, json};
use zerorpc_tests::peers::{Interpreter, Packages};

use crate::support::{Served, described, each_python, remote, with};

each_python!(
    values_of_the_standard_library_have_a_form,
    values_of_packages_have_a_form,
    extensions_of_the_installed_msgpack_are_recognised,
    timestamps_keep_their_nanoseconds,
    what_cannot_be_sent_says_where_and_what,
    what_packages_make_and_cannot_be_sent_says_where_and_what,
);

fn values_of_the_standard_library_have_a_form(python: &Interpreter) {
    let server = Served::start(python, "standard_values");
    let point = json!({"x": 1, "y": 2.5, "tags": [{"x": 3, "y": 0.5, "tags": []}]});
    for (name, expected) in [
        ("dataclass", point),
        ("enum", json!("red")),
        ("enum_of_tuple", json!([0, 0, 255])),
        ("int_enum", json!(3)),
        ("flag", json!(3)),
        ("set", json!([7])),
        ("frozenset", json!([7])),
        ("sets_in_map", json!({"a": [1], "b": [[]]})),
        ("uuid", json!("12345678-1234-5678-1234-567812345678")),
        ("path", json!("/tmp/file.txt")),
        ("pure_path", json!("a/b")),
        ("decimal", json!("1.10")),
        ("namedtuple", json!([1, "b"])),
        (
            "map_of_all",
            json!({
                "point": {"x": 1, "y": 0.5, "tags": []},
                "color": "red",
                "id": "00000000-0000-0000-0000-000000000001",
            }),
        ),
        ("tuple_of_all", json!([3, "NaN", ["red"]])),
    ] {
        assert_eq!(server.call("get", json!([name])), expected, "{name}");
        assert_eq!(server.call("later", json!([name])), expected, "{name}");
        assert_eq!(server.items("stream", json!([name])), [expected], "{name}");
    }
}

fn values_of_packages_have_a_form(python: &Interpreter) {
    let Some(python) = with(python, Packages::Data) else { return };
    let server = Served::start(&python, "data_values");
    for (name, expected) in [
        ("int64", json!(7)),
        ("uint8", json!(255)),
        ("float32", json!(0.5)),
        ("float64", json!(0.1)),
        ("bool", json!(true)),
        ("str", json!("text")),
        ("array", json!([[0, 1, 2], [3, 4, 5]])),
        ("empty", json!([])),
        ("scalar_array", json!(5)),
        ("bools", json!([true, false])),
        ("texts", json!(["a", "bc"])),
        ("transposed", json!([[0, 2], [1, 3]])),
        ("sliced", json!([0, 3, 6, 9])),
        ("in_map", json!({"mean": 1.5, "n": [-1], "k": null})),
        ("pydantic", json!({"a": 1, "b": [{"a": 2, "b": []}]})),
        ("attrs", json!({"x": 1, "y": "y"})),
        ("objects", json!([1, "a", null])),
    ] {
        assert_eq!(server.call("get", json!([name])), expected, "{name}");
        assert_eq!(server.items("stream", json!([name])), [expected], "{name}");
    }
    let raw = server.client().call::<Msgpack>("get", ("bytes",));
    assert_eq!(raw, Ok(Msgpack::Binary(b"raw".to_vec())));
    server.server.ask(&["--json", "get", "\"timestamp\""]).expect(0, "{\"$timestamp\":[1,0]}\n");
    assert_eq!(server.call("square", json!([3])), json!([9, "int"]));
}

fn extensions_of_the_installed_msgpack_are_recognised(python: &Interpreter) {
    let Some(python) = with(python, Packages::Data) else { return };
    let server = Served::start(&python, "data_values");
    let ext = "{\"$ext\":[5,\"YWJj\"]}";
    let ask = |words: &[&str]| server.server.ask(&[&["--json"], words].concat());
    ask(&["get", "\"ext\""]).expect(0, &format!("{ext}\n"));
    ask(&["stream", "\"ext\""]).expect(0, &format!("{ext}\n"));
    ask(&["is_ext", ext]).expect(0, "true\n");
    ask(&["echo", ext]).expect(0, &format!("{ext}\n"));
    ask(&["get", "\"msgpack_timestamp\""]).expect(0, "{\"$timestamp\":[1,5]}\n");
    ask(&["stream", "\"msgpack_timestamp\""]).expect(0, "{\"$timestamp\":[1,5]}\n");
}

fn timestamps_keep_their_nanoseconds(python: &Interpreter) {
    let server = Served::start(python, "standard_values");
    let ask = |word: &str| server.server.ask(&["--json", "echo", word]);
    for stamp in ["[1,0]", "[1,5000]", "[1700000000,999999000]", "[-1,500000000]"] {
        let form = format!("{{\"$timestamp\":{stamp}}}");
        ask(&form).expect(0, &format!("{form}\n"));
    }
    // Kept, or refused with a word.
    let form = "{\"$timestamp\":[1,5]}";
    let ended = ask(form);
    if ended.stdout.is_empty() {
        ended.expect(1, "").tells(&["nanoseconds"]);
    } else {
        ended.expect(0, &format!("{form}\n"));
    }
    // No peer can read such a timestamp: it is not to be sent on.
    let over = Msgpack::Ext(-1, [&1_000_000_000_u32.to_be_bytes()[..], &[0; 8]].concat());
    let echoed = server.client().call::<Msgpack>("echo", (over,));
    assert!(!remote(echoed).message.is_empty());
    assert_eq!(server.call("echo", json!([1])), json!(1));
}

#[track_caller]
fn refusal(server: &Served, name: &str, parts: &[&str]) {
    let error = server.client().call::<Value>("refused", (name,)).expect_err("it is refused");
    let said = described(&error);
    for part in parts {
        assert!(said.contains(part), "{name}: {part:?} is missing from {said}");
    }
}

fn what_cannot_be_sent_says_where_and_what(python: &Interpreter) {
    let server = Served::start(python, "standard_values");
    for (name, parts) in [
        ("object", &["standard_values.Thing", "['a'][0]['b']"][..]),
        ("function", &["builtin_function_or_method", "[0]"]),
        ("exception", &["ValueError", "['error']"]),
        ("module", &["module", "[0]"]),
        ("naive", &["datetime", "time zone", "[0]"]),
        ("big", &["71 bits", "['n'][0]"]),
        ("text", &["surrogate", "[0]"]),
    ] {
        refusal(&server, name, parts);
        let mut items = server.client().stream::<Value>("refused_item", (name,)).expect("streams");
        assert_eq!(items.next(), Some(Ok(json!(1))), "{name}");
        let error = remote(items.next().expect("it fails"));
        assert!(error.message.contains(parts[0]), "{error}");
    }
}

fn what_packages_make_and_cannot_be_sent_says_where_and_what(python: &Interpreter) {
    let Some(python) = with(python, Packages::Data) else { return };
    let server = Served::start(&python, "data_values");
    for (name, parts) in [
        ("nat", &["pandas", "NaT", "['rows'][0]['when']"][..]),
        ("objects", &["'object' object", "[0][1]"]),
        ("frame", &["pandas", "DataFrame", "['frame']"]),
        ("deep", &["complex", "[1]['a'][0]['b'][1]['c']"]),
        ("numpy_time", &["numpy.datetime64", "[0]"]),
    ] {
        refusal(&server, name, parts);
    }
}
