//! The names by which a ROUTER knows its peers.

use std::time::{Duration, Instant};

use zerorpc_proto::SocketKind::Router;

use crate::judge::{
    Judge, Of, PATIENCE, Raw, greeting, handshake, is_closed, property, shake, stands, until,
};

/// A peer that says what it is called, with its greeting but nothing heard yet.
fn named(address: &str, identity: &[u8]) -> Raw {
    let mut raw = Raw::connect(address);
    let properties = [property("Socket-Type", b"DEALER"), property("Identity", identity)].concat();
    let body = [b"\x05READY", &properties[..]].concat();
    let length = (body.len() as u64).to_be_bytes();
    raw.say(&[&greeting([3, 1], "NULL")[..], &[6], &length, &body].concat());
    raw
}

#[test]
fn names_of_all_lengths() {
    for (mut judge, address) in Of::Both.judges(Router) {
        for identity in [&b"x"[..], &[b'x'; 255], b"\xff\0\xff"] {
            let mut raw = named(&address, identity);
            stands("a name", &mut judge, &mut raw);
        }
    }
}

#[test]
fn a_name_that_begins_with_zero_meets_no_generated_one() {
    // libzmq takes such a name too, and ends its process when it generates the same one later.
    for (mut judge, address) in Of::Both.judges(Router) {
        let mut raws: Vec<_> =
            (0..10_u8).map(|number| named(&address, &[0, 0, 0, 0, number])).collect();
        for raw in &mut raws {
            stands("a name that begins with zero", &mut judge, raw);
        }
        if judge.name() == "ours" {
            for _ in 0..20 {
                let mut raw = Raw::connect(&address);
                raw.say(&handshake(1, "DEALER"));
                stands("no name", &mut judge, &mut raw);
                raws.push(raw);
            }
            assert!(raws.iter().all(|raw| !raw.ended));
        }
    }
}

#[test]
fn a_name_is_its_holders_until_he_goes() {
    for (mut judge, address) in Of::Both.judges(Router) {
        let mut holder = named(&address, b"name");
        stands("the holder", &mut judge, &mut holder);
        let mut newcomer = named(&address, b"name");
        match &judge {
            Judge::Ours { .. } => is_closed("a newcomer", &mut judge, &mut newcomer),
            // It keeps the newcomer, but reads nothing that he says.
            Judge::Libzmq { .. } => {
                shake("a newcomer", &mut judge, &mut newcomer);
                let before = judge.payloads().len();
                newcomer.say(b"\x01\0\0\x05hello");
                stands("the holder again", &mut judge, &mut holder);
                assert_eq!(judge.payloads().len(), before + 1, "nothing but the holder's");
            }
        }
        stands("the holder still", &mut judge, &mut holder);
        drop((holder, newcomer));
        // The other side notices in its own time: until then whoever comes is refused.
        let start = Instant::now();
        while !inherits(&mut judge, &address) {
            assert!(start.elapsed() < PATIENCE, "{}: the name stays taken", judge.name());
        }
    }
}

/// Whether somebody new can have the name, and be heard.
fn inherits(judge: &mut Judge, address: &str) -> bool {
    let mut heir = named(address, b"name");
    shake_or_end(judge, &mut heir);
    heir.say(b"\x01\0\0\x04heir");
    let before = judge.payloads().len();
    let start = Instant::now();
    // libzmq says nothing to whom it does not hear.
    while judge.payloads().len() == before {
        judge.turn();
        heir.turn();
        if heir.ended || start.elapsed() > Duration::from_millis(200) {
            return false;
        }
    }
    judge.payloads().last() == Some(&&b"heir"[..])
}

/// Waits for the other side's READY, or for it to close.
fn shake_or_end(judge: &mut Judge, raw: &mut Raw) {
    until("READY or the end", judge, raw, |_, raw| raw.ended || raw.heard.len() > 64 + 2);
}
