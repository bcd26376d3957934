//! Requests that cannot be read, or not be run, but have an id that an answer can name: each must do no harm, and should be
//! answered by ERR.

use super::super::steps::{must, short_str, should};
use super::{NEEDS, Reaction, request};
use crate::{Trial, case::Case, failure::Failure};

/// Two cases of the same request: it does no harm (a MUST), and its caller is told (a SHOULD).
macro_rules! request_cases {
    ($(($name:literal, $harm:literal, $told:literal, $explain:literal, $parts:expr)),* $(,)?) => {
        &[$(
            must(concat!("broken.", $name), $harm, NEEDS, $explain, |trial| {
                with(trial, harmless($harm), $parts)
            }),
            should(
                concat!("broken.", $name, ".told"),
                $told,
                NEEDS,
                concat!($explain, " Its id can be read: the caller is told at once, instead of waiting."),
                |trial| with(trial, Reaction::Err, $parts),
            ),
        )*]
    };
}

pub(super) const CASES: &[Case] = request_cases![
    (
        "args-missing",
        "ZRPC-11.1",
        "ZRPC-11.4",
        "A request that ends where its args are due.",
        (echo(), vec![])
    ),
    (
        "args-truncated",
        "ZRPC-11.1",
        "ZRPC-11.4",
        "A request that ends within its args.",
        (echo(), b"\x91\xd9\x28xxx".to_vec())
    ),
    (
        "args-bad-utf8",
        "ZRPC-11.1",
        "ZRPC-11.4",
        "An argument that is a str, but no UTF-8.",
        (echo(), b"\x91\xa2\xff\xfe".to_vec())
    ),
    (
        "args-surrogate",
        "ZRPC-11.1",
        "ZRPC-11.4",
        "An argument that is a str with half a surrogate pair.",
        (echo(), b"\x91\xa3\xed\xa0\x80".to_vec())
    ),
    (
        "args-never-used-byte",
        "ZRPC-11.1",
        "ZRPC-11.4",
        "The byte that msgpack never uses as argument.",
        (echo(), b"\x91\xc1".to_vec())
    ),
    (
        "args-array-lie",
        "ZRPC-3.23",
        "ZRPC-11.4",
        "Args that announce four thousand million elements.",
        (echo(), b"\xdd\xff\xff\xff\xff".to_vec())
    ),
    (
        "args-map-lie",
        "ZRPC-3.23",
        "ZRPC-11.4",
        "An argument that announces four thousand million pairs.",
        (echo(), b"\x91\xdf\xff\xff\xff\xff".to_vec())
    ),
    (
        "args-bin-lie",
        "ZRPC-3.23",
        "ZRPC-11.4",
        "An argument that announces 4 GiB of bytes.",
        (echo(), b"\x91\xc6\xff\xff\xff\xff".to_vec())
    ),
    (
        "args-ext-lie",
        "ZRPC-3.23",
        "ZRPC-11.4",
        "An argument that announces an extension of 4 GiB.",
        (echo(), b"\x91\xc9\xff\xff\xff\xff\x01".to_vec())
    ),
    (
        "args-nested",
        "ZRPC-3.22",
        "ZRPC-11.4",
        "An argument that is nested a hundred thousand deep.",
        (echo(), [vec![0x91; 100_000], vec![0xc0]].concat())
    ),
    (
        "name-lie",
        "ZRPC-3.23",
        "ZRPC-11.4",
        "A name that announces 4 GiB of text.",
        (b"\xdb\xff\xff\xff\xffecho".to_vec(), vec![])
    ),
    (
        "name-bad-utf8",
        "ZRPC-11.1",
        "ZRPC-11.4",
        "A name that is a str, but no UTF-8.",
        (b"\xa2\xff\xfe".to_vec(), one())
    ),
    (
        "name-nil",
        "ZRPC-11.8",
        "ZRPC-11.8",
        "A request whose name is nil.",
        (b"\xc0".to_vec(), one())
    ),
    (
        "name-int",
        "ZRPC-11.8",
        "ZRPC-11.8",
        "A request whose name is a number.",
        (b"\x07".to_vec(), one())
    ),
    (
        "name-array",
        "ZRPC-11.8",
        "ZRPC-11.8",
        "A request whose name is an array.",
        (b"\x91\xa4echo".to_vec(), one())
    ),
    (
        "name-map",
        "ZRPC-11.8",
        "ZRPC-11.8",
        "A request whose name is a map.",
        (b"\x81\xa1a\x01".to_vec(), one())
    ),
    (
        "name-with-nul",
        "ZRPC-11.1",
        "ZRPC-7.12",
        "A name with a NUL in it: nobody has such a method.",
        (b"\xa5echo\0".to_vec(), one())
    ),
    (
        "name-long",
        "ZRPC-11.1",
        "ZRPC-7.12",
        "A name of 60,000 characters: nobody has such a method.",
        (long_name(), one())
    ),
];

/// What is expected of a request that is only to do no harm. Some readers take text for what it is not.
fn harmless(rule: &str) -> Reaction {
    if rule == "ZRPC-11.8" { Reaction::ErrOrIgnored } else { Reaction::AtMostOne }
}

fn with(
    trial: &mut Trial,
    reaction: Reaction,
    (name, args): (Vec<u8>, Vec<u8>),
) -> Result<(), Failure> {
    request(trial, reaction, &name, &args)
}

fn echo() -> Vec<u8> {
    short_str("echo")
}

fn one() -> Vec<u8> {
    b"\x91\x01".to_vec()
}

fn long_name() -> Vec<u8> {
    short_str(&"n".repeat(60_000))
}
