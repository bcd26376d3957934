//! Captures of which the beginning was not seen.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind::{self, Dealer, Pub, Router};
use zerorpc_zmtp::{Engine, Violation, ZmtpEvent, ZmtpVersion};

use crate::support::{command, config, events, feed, frame, message};

fn resumed(kind: SocketKind, version: ZmtpVersion) -> Engine {
    Engine::resume(Arc::new(config(kind)), version, Instant::now())
}

#[test]
fn every_version_is_read_from_any_frame_on() {
    let v3 = [frame(1, b""), command("PING", b"\0\0x"), frame(0, &[7; 300])].concat();
    let v2 = [frame(1, b""), frame(0, &[7; 300])].concat();
    let v1 = [b"\x01\x01\xff\0\0\0\0\0\0\x01\x2d\0", &[7; 300][..]].concat();
    let table = [
        (ZmtpVersion::V3_1, v3.clone()),
        (ZmtpVersion::V3_0, v3),
        (ZmtpVersion::V2_0, v2),
        (ZmtpVersion::V1_0, v1.clone()),
        (ZmtpVersion::Unversioned, v1),
    ];
    for (version, script) in table {
        for size in [1, 7, script.len()] {
            let mut engine = resumed(Router, version);
            for piece in script.chunks(size) {
                feed(&mut engine, piece).expect("sound");
            }
            let expected = ZmtpEvent::Message(message(&[b"", &[7; 300]]));
            assert_eq!(events(&mut engine), [expected], "{version:?} in pieces of {size}");
        }
    }
}

#[test]
fn what_is_told_depends_on_whom_it_goes_to() {
    let topic = || Bytes::from("topic");
    let script = [command("SUBSCRIBE", b"topic"), frame(0, b"\0topic")].concat();
    let mut engine = resumed(Pub, ZmtpVersion::V3_1);
    feed(&mut engine, &script).expect("sound");
    let expected = [ZmtpEvent::Subscribe(topic()), ZmtpEvent::Cancel(topic())];
    assert_eq!(events(&mut engine), expected);

    let mut engine = resumed(Dealer, ZmtpVersion::V3_1);
    feed(&mut engine, &[command("GOAWAY", b"\x01"), frame(0, b"last")].concat()).expect("sound");
    let expected = [ZmtpEvent::GoAway { is_last: true }, ZmtpEvent::Message(message(&[b"last"]))];
    assert_eq!(events(&mut engine), expected);
}

#[test]
fn what_is_no_beginning_of_a_frame_is_found_out() {
    let mut engine = resumed(Router, ZmtpVersion::V3_1);
    assert_eq!(feed(&mut engine, b"ello"), Err(Violation::UnknownFlags(b'e')));
}
