//! `docs/protocol.md` holds what it says: its examples of bytes, and the numbers of its rules.

use std::collections::BTreeSet;

use rmpv::Value;
use serde_json::{Value as Json, json};
use zerorpc_tests::{
    specification::{self, Example, bytes},
    vectors::{self, Vector},
};

#[test]
fn recorded_payloads_are_what_they_say_and_what_was_recorded() {
    let examples = specification::examples(&specification::text());
    let recorded: Vec<&Example> = examples.iter().filter(|e| e.label.starts_with("hex ")).collect();
    assert!(recorded.len() >= 8, "few examples were found: {}", recorded.len());
    for example in recorded {
        let vector = vector(&example.label["hex ".len()..]);
        let payload = example.frames.last().expect("an example has a frame");
        assert_eq!(payload, vector.payload(), "{}: the payload that was recorded", example.label);
        let (event, envelope) = example.says.split_last().expect("an example says something");
        assert_eq!(read(payload), value(event), "{}", example.label);
        if let [envelope] = envelope {
            let (_, others) = example.frames.split_last().expect("frames");
            let mut whole: Vec<Vec<u8>> = vector.frames.iter().map(|f| f.to_vec()).collect();
            assert_eq!(example.frames, whole, "{}: all frames", example.label);
            assert!(whole.len() > 2 && others.last().is_some_and(Vec::is_empty), "a delimiter");
            whole.truncate(whole.len() - 2);
            let hex: Vec<String> = serde_json::from_str(envelope).expect("an array of texts");
            let shown: Vec<Vec<u8>> = hex.iter().map(|hex| bytes(hex)).collect();
            assert_eq!(shown, whole, "{}: the envelope", example.label);
        }
    }
}

/// The rows of section 12 show what stands behind the header.
#[test]
fn recorded_names_and_args_are_what_they_say_and_what_was_recorded() {
    let text = specification::text();
    let (_, section) = text.split_once("\n## 12 ").expect("section 12");
    let (section, _) = section.split_once("\n## ").expect("a section behind it");
    let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, says, hex, vector_name] = cells[..] else { panic!("four cells: {row}") };
        let quoted = |cell: &str| cell.split('`').nth(1).expect("a quotation").to_owned();
        let file = vector_name.split_whitespace().next().expect("a file");
        let vector = vector(&format!("{file} {}", quoted(vector_name)));
        let shown = bytes(&quoted(hex));
        let header = header_length(vector.payload());
        assert_eq!(shown, vector.payload()[header..], "{row}: what was recorded");
        let says = quoted(says);
        let (name, args) = says.split_once(' ').expect("a name and args");
        let mut rest = &shown[..];
        assert_eq!(next(&mut rest), Value::from(name), "{row}");
        assert_eq!(next(&mut rest), value(args), "{row}");
        assert!(rest.is_empty(), "{row}: bytes behind the args");
        seen += 1;
    }
    assert!(seen >= 9, "few rows were found: {seen}");
}

#[test]
fn zmtp_examples_are_what_they_say() {
    let examples = specification::examples(&specification::text());
    let zmtp: Vec<&Example> = examples.iter().filter(|e| e.label == "zmtp").collect();
    assert_eq!(zmtp.len(), 9, "greeting, message, READY, PING, PONG, one of PLAIN, three of CURVE");
    for example in zmtp {
        let [bytes] = &example.frames[..] else { panic!("no frames apart: {example:?}") };
        let seen = match bytes[0] {
            0xff => greeting(bytes),
            0x01 => message(bytes),
            _ => command(bytes),
        };
        assert_eq!([seen], example.says[..]);
    }
}

#[test]
fn every_block_of_bytes_is_one_of_those() {
    for example in specification::examples(&specification::text()) {
        let is_known = example.label == "zmtp" || example.label.starts_with("hex ");
        assert!(is_known && !example.says.is_empty(), "nothing compares {example:?}");
    }
}

#[test]
fn numbers_are_given_once_and_in_their_section() {
    let rules = specification::rules(&specification::text());
    assert!(rules.len() > 150, "few rules were found: {}", rules.len());
    let mut names = BTreeSet::new();
    for rule in rules {
        let number = rule.name.trim_start_matches("ZRPC-");
        let (section, number) = number.split_once('.').expect("section.number");
        assert_eq!(section.parse(), Ok(rule.section), "{} stands elsewhere", rule.name);
        assert!(number.parse::<u32>().is_ok_and(|number| number > 0), "{}", rule.name);
        let demands = ["MUST", "SHOULD", "MAY"].iter().any(|word| rule.text.contains(word));
        assert!(demands, "{} demands nothing: {}", rule.name, rule.text);
        assert!(names.insert(rule.name.clone()), "{} is given twice", rule.name);
    }
}

fn vector(label: &str) -> Vector {
    let (file, name) = label.split_once(' ').expect("a file and a name");
    let found = vectors::load(file).into_iter().find(|vector| vector.name == name);
    found.unwrap_or_else(|| panic!("no vector {name} in {file}"))
}

fn read(payload: &[u8]) -> Value {
    let mut rest = payload;
    let value = next(&mut rest);
    assert!(rest.is_empty(), "bytes behind {value}");
    value
}

fn next(rest: &mut &[u8]) -> Value {
    sorted(rmpv::decode::read_value(rest).expect("msgpack"))
}

fn value(text: &str) -> Value {
    let json: Json = serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    sorted(vectors::value(&json))
}

/// The value with the pairs of its maps in one order: JSON has none.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Map(pairs) => {
            let sort = |(key, value)| (key, sorted(value));
            let mut pairs: Vec<(Value, Value)> = pairs.into_iter().map(sort).collect();
            pairs.sort_by_key(|(key, _)| key.to_string());
            Value::Map(pairs)
        }
        other => other,
    }
}

/// Where the name begins.
fn header_length(payload: &[u8]) -> usize {
    let mut rest = &payload[1..];
    assert!(matches!(next(&mut rest), Value::Map(_)), "a header");
    payload.len() - rest.len()
}

fn greeting(bytes: &[u8]) -> String {
    assert_eq!(bytes.len(), 64);
    assert_eq!((bytes[0], bytes[9]), (0xff, 0x7f), "the signature");
    let mechanism: Vec<u8> = bytes[12..32].iter().copied().take_while(|byte| *byte != 0).collect();
    assert!(bytes[12 + mechanism.len()..].iter().all(|byte| *byte == 0), "padding and filler");
    format!("greeting {}.{} {}", bytes[10], bytes[11], String::from_utf8_lossy(&mechanism))
}

/// A message of two short frames: a recorded request behind its delimiter.
fn message(bytes: &[u8]) -> String {
    let [0x01, first, rest @ ..] = bytes else { panic!("a short frame: {bytes:02x?}") };
    let (delimiter, rest) = rest.split_at(usize::from(*first));
    let [0x00, second, payload @ ..] = rest else { panic!("a last short frame: {rest:02x?}") };
    assert_eq!(usize::from(*second), payload.len());
    assert_eq!(payload, vector("calls echo-str/01-echo").payload(), "what was recorded");
    format!("message of a frame of {} bytes and one of {}", delimiter.len(), payload.len())
}

fn command(bytes: &[u8]) -> String {
    let [flags @ (0x00 | 0x04), length, body @ ..] = bytes else {
        panic!("a short command: {bytes:02x?}")
    };
    assert_eq!(usize::from(*length), body.len());
    let (name, data) = body[1..].split_at(usize::from(body[0]));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    assert_eq!(name == b"MESSAGE", *flags == 0, "libzmq sends MESSAGE as no command");
    match &*text(name) {
        "HELLO" if bytes.len() < 100 => {
            let (name, password) = data[1..].split_at(usize::from(data[0]));
            assert_eq!(usize::from(password[0]), password.len() - 1);
            format!("HELLO {} {}", json!(text(name)), json!(text(&password[1..])))
        }
        "HELLO" | "WELCOME" | "MESSAGE" => curve(bytes, &text(name), data),
        "PING" => {
            let ttl = u16::from_be_bytes([data[0], data[1]]);
            format!("PING {ttl} {}", json!(text(&data[2..])))
        }
        "PONG" => format!("PONG {}", json!(text(data))),
        "READY" => {
            let (mut rest, mut pairs) = (data, Vec::new());
            while let [length, more @ ..] = rest {
                let (name, more) = more.split_at(usize::from(*length));
                let (length, more) = more.split_first_chunk::<4>().expect("four bytes of length");
                let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length");
                let (value, more) = more.split_at(length);
                pairs.push(format!("{}: {}", json!(text(name)), json!(text(value))));
                rest = more;
            }
            format!("READY {{{}}}", pairs.join(", "))
        }
        other => panic!("a command {other}"),
    }
}

/// A command of CURVE, which is one of the recorded ones.
fn curve(frame: &[u8], name: &str, data: &[u8]) -> String {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../transport-mio/zmtp/tests/vectors/curve.json");
    let recorded = std::fs::read_to_string(path).expect("the vectors are there");
    let recorded: Json = serde_json::from_str(&recorded).expect("they are JSON");
    let wire = recorded[0]["wire"].as_array().expect("a list");
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(wire.iter().any(|unit| unit["bytes"] == *hex), "{name} was not recorded");
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    match name {
        "HELLO" => {
            assert!(data[2..74].iter().all(|byte| *byte == 0), "filler");
            let key: String = data[74..78].iter().map(|byte| format!("{byte:02x}")).collect();
            let (version, sealed) = (&data[..2], data.len() - 114);
            let number = number(&data[106..114]);
            format!(
                "HELLO {}.{}, key {key}, number {number}, box of {sealed}",
                version[0], version[1]
            )
        }
        "WELCOME" => format!("WELCOME random of 16, box of {}", data.len() - 16),
        _ => format!("MESSAGE number {}, box of {}", number(&data[..8]), data.len() - 8),
    }
}
