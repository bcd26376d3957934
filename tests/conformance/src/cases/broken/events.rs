//! What is no event, or has no id that an answer could name: it is ignored.

use rmpv::Value;

use super::super::steps::{must, own, short_str};
use super::{NEEDS, Reaction, answering, frames, on_channel, request, sent, with_id, with_pair};
use crate::{case::Case, event::encode};

use Reaction::{AtMostOne, Ignored};

/// A case of what is no event: it is to be ignored.
macro_rules! no_event {
    ($name:literal, $explain:literal, $payload:expr) => {
        must(concat!("broken.", $name), "ZRPC-11.3", NEEDS, $explain, |trial| {
            sent(trial, Ignored, $payload)
        })
    };
}

/// A case of a request that says of its version what is none.
macro_rules! odd_version {
    ($name:literal, $explain:literal, $pair:literal) => {
        must(concat!("broken.", $name), "ZRPC-11.6", NEEDS, $explain, |trial| {
            with_pair(trial, AtMostOne, $pair)
        })
    };
}

pub(super) const CASES: &[Case] = &[
    no_event!("empty-payload", "A payload without bytes.", b""),
    no_event!("noise", "Bytes that are no msgpack event.", b"\x94\x22\x62\xc3\x5d\xdc\xb6\xfb\xb0"),
    no_event!("http", "A line of HTTP as payload.", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    no_event!("never-used-byte", "The one byte that msgpack never uses.", b"\xc1"),
    no_event!("integer", "An integer as event.", b"\x05"),
    no_event!("nil", "nil as event.", b"\xc0"),
    no_event!("string-of-three", "A str of three characters as event.", b"\xa3abc"),
    no_event!("map-of-three", "A map of three pairs as event.", b"\x83\xa1a\x01\xa1b\x02\xa1c\x03"),
    no_event!("ext", "A value of an extension type as event.", b"\xc7\x03\x01abc"),
    no_event!("array-of-none", "An empty array as event.", b"\x90"),
    no_event!("array-of-two", "An event without args.", two()),
    no_event!("array-of-four", "An event with something behind its args.", four()),
    no_event!("header-nil", "nil as header.", b"\x93\xc0\xa4echo\x91\x01"),
    no_event!("header-array", "An array as header.", b"\x93\x92\x01\x02\xa4echo\x91\x01"),
    no_event!("header-string", "A str as header.", b"\x93\xa1x\xa4echo\x91\x01"),
    no_event!("header-empty", "A header without keys.", b"\x93\x80\xa4echo\x91\x01"),
    no_event!(
        "header-without-id",
        "A header without message_id.",
        b"\x93\x81\xa1v\x03\xa4echo\x91\x01"
    ),
    must(
        "broken.header-bin-keys",
        "ZRPC-11.1",
        NEEDS,
        "A header whose keys are bin: there is no message_id to be found, or, by readers that are lenient, one.",
        |trial| {
            let payload = b"\x93\x82\xc4\x0amessage_id\xc4\x01i\xc4\x01v\x03\xa4echo\x91\x01";
            sent(trial, AtMostOne, payload)
        },
    ),
    no_event!(
        "truncated-header",
        "A payload that ends within its header.",
        b"\x93\x82\xaamessage_id"
    ),
    no_event!(
        "truncated-id",
        "A payload that ends within its id.",
        b"\x93\x82\xaamessage_id\xc4\x20abc"
    ),
    no_event!(
        "map-length-lie",
        "A map that announces four thousand million pairs.",
        b"\xdf\xff\xff\xff\xff"
    ),
    no_event!(
        "event-length-lie",
        "An array that announces four thousand million elements.",
        b"\xdd\xff\xff\xff\xff"
    ),
    no_event!(
        "header-length-lie",
        "A header that announces four thousand million pairs.",
        b"\x93\xdf\xff\xff\xff\xff\xaamessage_id\xc4\x01i"
    ),
    no_event!(
        "nested-event",
        "A hundred thousand arrays, each in the one before.",
        [vec![0x91; 100_000], vec![0xc0]].concat()
    ),
    no_event!(
        "nested-header",
        "A header that is nested a hundred thousand deep, before its id.",
        nested_header()
    ),
    must("broken.id-nil", "ZRPC-11.5", NEEDS, "A request whose message_id is nil.", |trial| {
        with_id(trial, Ignored, b"\xc0")
    }),
    must(
        "broken.id-array",
        "ZRPC-11.5",
        NEEDS,
        "A request whose message_id is an array.",
        |trial| with_id(trial, Ignored, b"\x91\x01"),
    ),
    must("broken.id-map", "ZRPC-11.5", NEEDS, "A request whose message_id is a map.", |trial| {
        with_id(trial, Ignored, b"\x81\xa1a\x01")
    }),
    must(
        "broken.id-huge",
        "ZRPC-11.1",
        NEEDS,
        "A request whose id has 1,000,000 bytes.",
        |trial| with_id(trial, AtMostOne, &encode(&Value::Binary(vec![b'i'; 1_000_000]))),
    ),
    must("broken.id-empty", "ZRPC-11.1", NEEDS, "A request whose id has no bytes.", |trial| {
        with_id(trial, AtMostOne, b"\xc4\x00")
    }),
    must("broken.id-twice", "ZRPC-11.1", NEEDS, "A header with two ids.", |trial| {
        with_pair(trial, AtMostOne, b"\xaamessage_id\xa5other")
    }),
    odd_version!("version-str", "v is a str.", b"\xa1v\xa13"),
    odd_version!("version-nil", "v is nil.", b"\xa1v\xc0"),
    odd_version!("version-array", "v is an array.", b"\xa1v\x91\x03"),
    odd_version!("version-map", "v is a map.", b"\xa1v\x80"),
    odd_version!("version-negative", "v is below 0.", b"\xa1v\xf9"),
    odd_version!("version-float", "v is a float.", b"\xa1v\xcb\x40\x04\0\0\0\0\0\0"),
    must(
        "broken.response-to-unknown",
        "ZRPC-4.8",
        NEEDS,
        "An OK for a channel that is not there.",
        |trial| answering(trial, "OK", b"\xc4\x06nobody"),
    ),
    own(must(
        "broken.response-to-array",
        "ZRPC-11.7",
        NEEDS,
        "A response_to that is an array. (A Python server is deaf from then on.)",
        |trial| answering(trial, "OK", b"\x91\x01"),
    )),
    own(must(
        "broken.response-to-map",
        "ZRPC-11.7",
        NEEDS,
        "A response_to that is a map. (A Python server is deaf from then on.)",
        |trial| answering(trial, "OK", b"\x81\xa1a\x01"),
    )),
    must(
        "broken.response-to-int",
        "ZRPC-11.7",
        NEEDS,
        "A response_to that is a number.",
        |trial| answering(trial, "OK", b"\x05"),
    ),
    own(must(
        "broken.response-to-array.beat",
        "ZRPC-11.7",
        NEEDS,
        "A beat whose response_to is an array.",
        |trial| answering(trial, "_zpc_hb", b"\x91\x01"),
    )),
    must("broken.frames.empty-one", "ZRPC-11.3", NEEDS, "A message of one empty frame.", |trial| {
        frames(trial, Ignored, &[b""])
    }),
    must(
        "broken.frames.behind-the-payload",
        "ZRPC-11.3",
        NEEDS,
        "A frame behind the payload: it stands where the payload is due.",
        |trial| {
            let payload = super::payload(b"\xa6broken", b"\xa4echo", b"\x91\x01");
            frames(trial, Ignored, &[b"".as_slice(), &payload, b"tail"])
        },
    ),
    must(
        "broken.frames.five-hundred",
        "ZRPC-11.1",
        NEEDS,
        "A message of five hundred empty frames.",
        |trial| frames(trial, Ignored, &vec![b""; 500]),
    ),
    own(must(
        "broken.channel.thousand-beats",
        "ZRPC-11.9",
        NEEDS,
        "A thousand beats on one channel at once.",
        |trial| on_channel(trial, "_zpc_hb", b"\x91\x00", 1000),
    )),
    own(must(
        "broken.channel.thousand-grants",
        "ZRPC-11.9",
        NEEDS,
        "A thousand grants for a call that is no stream.",
        |trial| on_channel(trial, "_zpc_more", b"\x91\x01", 1000),
    )),
    own(must(
        "broken.channel.thousand-items",
        "ZRPC-11.9",
        NEEDS,
        "A thousand items from a caller, which nobody reads. (A Python server is deaf from then on.)",
        |trial| on_channel(trial, "STREAM", b"\x91\x01", 1000),
    )),
    must(
        "broken.channel.bad-beat",
        "ZRPC-11.1",
        NEEDS,
        "Beats whose args are no msgpack.",
        |trial| on_channel(trial, "_zpc_hb", b"\xc1", 5),
    ),
    must(
        "broken.name-known",
        "ZRPC-11.1",
        NEEDS,
        "An OK that is a request: without response_to.",
        |trial| request(trial, AtMostOne, &short_str("OK"), b"\x91\x05"),
    ),
];

fn two() -> Vec<u8> {
    b"\x92\x82\xaamessage_id\xa6broken\xa1v\x03\xa4echo".to_vec()
}

fn four() -> Vec<u8> {
    b"\x94\x82\xaamessage_id\xa6broken\xa1v\x03\xa4echo\x91\x01\x02".to_vec()
}

fn nested_header() -> Vec<u8> {
    let nested = [vec![0x91; 100_000], vec![0xc0]].concat();
    [b"\x93\x82\xa1x", &nested[..], b"\xaamessage_id\x07\xa4echo\x90"].concat()
}
