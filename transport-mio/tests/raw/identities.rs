//! The names by which a ROUTER knows its peers.

use std::time::{Duration, Instant};

use zerorpc_proto::transport::SocketKind::Router;

use crate::target::{
    Of, PATIENCE, Raw, Target, greeting, handshake, is_closed, property, shake, stands, until,
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
    for (mut target, address) in Of::Both.targets(Router) {
        for identity in [&b"x"[..], &[b'x'; 255], b"\xff\0\xff"] {
            let mut raw = named(&address, identity);
            stands("a name", &mut target, &mut raw);
        }
    }
}

#[test]
fn a_name_that_begins_with_zero_meets_no_generated_one() {
    // libzmq takes such a name too, and ends its process when it generates the same one later.
    for (mut target, address) in Of::Both.targets(Router) {
        let mut raws: Vec<_> =
            (0..10_u8).map(|number| named(&address, &[0, 0, 0, 0, number])).collect();
        for raw in &mut raws {
            stands("a name that begins with zero", &mut target, raw);
        }
        if target.name() == "ours" {
            for _ in 0..20 {
                let mut raw = Raw::connect(&address);
                raw.say(&handshake(1, "DEALER"));
                stands("no name", &mut target, &mut raw);
                raws.push(raw);
            }
            assert!(raws.iter().all(|raw| !raw.ended));
        }
    }
}

#[test]
fn a_name_is_its_holders_until_he_goes() {
    for (mut target, address) in Of::Both.targets(Router) {
        let mut holder = named(&address, b"name");
        stands("the holder", &mut target, &mut holder);
        let mut newcomer = named(&address, b"name");
        match &target {
            Target::Ours { .. } => is_closed("a newcomer", &mut target, &mut newcomer),
            // It keeps the newcomer, but reads nothing that he says.
            Target::Libzmq { .. } => {
                shake("a newcomer", &mut target, &mut newcomer);
                let before = target.payloads().len();
                newcomer.say(b"\x01\0\0\x05hello");
                stands("the holder again", &mut target, &mut holder);
                assert_eq!(target.payloads().len(), before + 1, "nothing but the holder's");
            }
        }
        stands("the holder still", &mut target, &mut holder);
        drop((holder, newcomer));
        // The other side notices in its own time: until then whoever comes is refused.
        let start = Instant::now();
        while !inherits(&mut target, &address) {
            assert!(start.elapsed() < PATIENCE, "{}: the name stays taken", target.name());
        }
    }
}

/// Whether somebody new can have the name, and be heard.
fn inherits(target: &mut Target, address: &str) -> bool {
    let mut heir = named(address, b"name");
    shake_or_end(target, &mut heir);
    heir.say(b"\x01\0\0\x04heir");
    let before = target.payloads().len();
    let start = Instant::now();
    // libzmq says nothing to whom it does not hear.
    while target.payloads().len() == before {
        target.turn();
        heir.turn();
        if heir.ended || start.elapsed() > Duration::from_millis(200) {
            return false;
        }
    }
    target.payloads().last() == Some(&&b"heir"[..])
}

/// Waits for the other side's READY, or for it to close.
fn shake_or_end(target: &mut Target, raw: &mut Raw) {
    until("READY or the end", target, raw, |_, raw| raw.ended || raw.heard.len() > 64 + 2);
}
