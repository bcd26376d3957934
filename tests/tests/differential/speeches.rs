//! Any speech, made and made smaller by proptest; and those that show the rows of the table.

use proptest::{collection::vec, option, prelude::*, sample::select};

use zerorpc_proto::transport::SocketKind::{self, Router, Sub};

use crate::speech::{Body, Opening, Part, Ready, Speech};

fn body() -> BoxedStrategy<Body> {
    let length = prop_oneof![
        6 => 0..20_usize,
        1 => select(&[0, 1, 253, 254, 255, 256, 257, 8191, 8192, 8193, 20_000][..]),
    ];
    (length, any::<u8>()).prop_map(|(length, byte)| Body { length, byte }).boxed()
}

fn part() -> BoxedStrategy<Part> {
    let name =
        select(&["PING", "PONG", "READY", "ERROR", "SUBSCRIBE", "CANCEL", "HELLO", "ping", ""][..]);
    // No short time to live: the connection would end in the middle.
    let ttl = prop_oneof![4 => Just(0_u16), 1 => 6000..u16::MAX];
    let ping = (ttl, vec(any::<u8>(), 0..20)).prop_map(|(ttl, context)| {
        Part::Command("PING", [&ttl.to_be_bytes()[..], &context].concat())
    });
    let flags = prop_oneof![4 => select(&[0, 1, 2, 3, 4, 5, 6, 7][..]), 1 => any::<u8>()];
    let length = prop_oneof![
        2 => Just(1_u64 << 63),
        1 => Just(u64::MAX),
        1 => Just((1 << 63) - 1),
        1 => Just(1 << 40),
    ];
    prop_oneof![
        20 => vec(body(), 1..5).prop_map(Part::Message),
        12 => ping,
        6 => (flags.clone(), body()).prop_map(|(flags, body)| Part::Frame(flags, body)),
        6 => (name, vec(any::<u8>(), 0..12)).prop_map(|(name, data)| Part::Command(name, data)),
        3 => vec(any::<u8>(), 0..8).prop_map(Part::Broken),
        1 => (flags, length).prop_map(|(flags, length)| Part::Announced(flags, length)),
    ]
    .boxed()
}

fn ready(kinds: &'static [&'static str]) -> BoxedStrategy<Ready> {
    let kind = prop_oneof![
        20 => select(kinds).prop_map(Some),
        1 => Just(None),
        1 => select(&["DEALER", "ROUTER", "PUSH", "PULL", "PUB", "SUB", "REQ", "REP", "PAIR", "XPUB", "dealer", "odd", ""][..])
            .prop_map(Some),
    ];
    let name =
        prop_oneof![30 => Just("READY"), 1 => select(&["ready", "ERROR", "PING", "HELLO", ""][..])];
    let property = (
        select(&["X-Strange", "Resource", "socket-type", "identity", "IDENTITY", "", "Zone"][..]),
        vec(any::<u8>(), 0..9),
    );
    let properties = prop_oneof![3 => Just(vec![]), 1 => vec(property, 1..4)];
    let length =
        prop_oneof![2 => Just(0_usize), 4 => 8..40_usize, 1 => select(&[254, 255, 256, 300][..])];
    let identity = prop_oneof![2 => Just(None), 1 => length.prop_map(Some)];
    let flags = prop_oneof![20 => Just(4_u8), 1 => select(&[0, 1, 5, 6, 12][..])];
    let tail = prop_oneof![20 => Just(0_i8), 1 => -8..8_i8];
    (flags, name, kind, properties, identity, tail)
        .prop_map(|(flags, name, kind, properties, identity, tail)| Ready {
            flags,
            name,
            kind,
            properties,
            identity,
            tail,
        })
        .boxed()
}

/// Any speech to a socket that goes with these kinds: their names, and the numbers that they have in ZMTP 2.0.
pub(crate) fn speech(
    kinds: &'static [&'static str],
    numbers: &'static [u8],
) -> BoxedStrategy<Speech> {
    let version = prop_oneof![
        8 => Just([3, 1]),
        4 => Just([3, 0]),
        1 => (2..255_u8, any::<u8>()).prop_map(|(major, minor)| [major, minor]),
    ];
    let mechanism =
        prop_oneof![30 => Just("NULL"), 1 => select(&["PLAIN", "CURVE", "null", "", "NULLS"][..])];
    let spoilt =
        option::weighted(0.1, (select(&[1, 5, 8, 9, 16, 31, 32, 33, 63][..]), any::<u8>()));
    let modern = (version, mechanism, spoilt, ready(kinds)).prop_map(
        |(version, mechanism, spoilt, ready)| Opening::Modern {
            version,
            mechanism,
            // A clear last bit of byte 9 makes a peer of ZMTP 1.0 of it.
            spoilt: spoilt.map(|(at, byte)| (at, if at == 9 { byte | 1 } else { byte })),
            ready,
        },
    );
    let length = || prop_oneof![Just(0_usize), 8..30_usize];
    let kind = prop_oneof![8 => select(numbers), 1 => 0..12_u8];
    let opening = prop_oneof![
        12 => modern,
        1 => (kind, length()).prop_map(|(kind, identity)| Opening::Two { kind, identity }),
        1 => length().prop_map(|identity| Opening::One { identity }),
    ];
    let piece = prop_oneof![4 => Just(100_000_usize), 1 => 1..100_usize];
    (opening, vec(part(), 0..6), piece, proptest::bool::weighted(0.02))
        .prop_map(|(opening, parts, piece, is_early)| Speech { opening, parts, piece, is_early })
        .boxed()
}

/// The speech of each row, by its name, in the order of the table; a socket of that kind
/// hears it.
pub(crate) fn shown() -> Vec<(&'static str, SocketKind, Speech)> {
    let dealer = || Ready::of("DEALER");
    let after = |part| Speech::new(Opening::modern(dealer()), vec![part]);
    let opened = |ready| Speech::new(Opening::modern(ready), vec![]);
    let body = Body { length: 3, byte: 7 };
    vec![
        ("reserved-bits", Router, after(Part::Frame(8, body))),
        ("ready-with-flags", Router, opened(Ready { flags: 12, ..dealer() })),
        ("ping-without-ttl", Router, after(Part::Command("PING", vec![]))),
        ("subscription-elsewhere", Router, after(Part::Command("SUBSCRIBE", b"topic".to_vec()))),
        (
            "type-in-small-letters",
            Router,
            opened(Ready { properties: vec![("socket-type", b"PUSH".to_vec())], ..dealer() }),
        ),
        ("long-identity", Router, opened(Ready { identity: Some(256), ..dealer() })),
        ("value-without-end", Router, opened(Ready { tail: 6, ..dealer() })),
        ("early-message", Router, Speech { is_early: true, ..after(Part::Message(vec![body; 3])) }),
        (
            "subscription-of-1.0",
            Sub,
            Speech::new(Opening::One { identity: 0 }, vec![Part::Message(vec![body])]),
        ),
        ("announced-size", Router, after(Part::Announced(4, (1 << 63) - 1))),
    ]
}
