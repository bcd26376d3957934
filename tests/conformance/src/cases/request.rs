//! Requests as a server takes them, where other groups do not look.

use rmpv::Value;

use super::steps::{expect_ok, heard, must, should, text};
use crate::{
    case::Case,
    event::encode,
    failure::{Failure, ensure},
    trial::Trial,
};

const ECHO: &[&str] = &["echo"];

pub(super) const CASES: &[Case] = &[
    must(
        "request.header.long-forms",
        "ZRPC-3.15",
        ECHO,
        "A request is served whose header is a map16 or a map32, with keys as str8, str16 and str32.",
        long_header,
    ),
    must(
        "request.args.one-array",
        "ZRPC-7.1",
        ECHO,
        "An argument that is an array is one argument, an empty one too.",
        one_array,
    ),
    should(
        "request.no-grant",
        "ZRPC-6.13",
        ECHO,
        "A server grants nothing: a request is all that it reads.",
        no_grant,
    ),
];

fn long_header(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for map in [&b"\xde\x00\x02"[..], b"\xdf\x00\x00\x00\x02"] {
        for (name, v) in [
            (&b"\xd9\x0amessage_id"[..], &b"\xd9\x01v"[..]),
            (b"\xda\x00\x0amessage_id", b"\xda\x00\x01v"),
            (b"\xdb\x00\x00\x00\x0amessage_id", b"\xdb\x00\x00\x00\x01v"),
        ] {
            let id = peer.fresh_id();
            let rest = &b"\x03\xa4echo\x91\xa1x"[..];
            peer.send_payload(&[b"\x93", map, name, &encode(&id), v, rest].concat())?;
            expect_ok(&mut peer, &id, &text("x"), trial.soon())?;
        }
    }
    Ok(())
}

fn one_array(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let array = |items: &[i64]| Value::Array(items.iter().map(|item| Value::from(*item)).collect());
    for argument in [array(&[1]), array(&[1, 2]), array(&[]), Value::Array(vec![array(&[1])])] {
        let channel = peer.request("echo", vec![argument.clone()])?;
        expect_ok(&mut peer, &channel, &argument, trial.soon())?;
    }
    Ok(())
}

fn no_grant(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    peer.request("echo", vec![text("x")])?;
    let heard = heard(&mut peer, trial.moment())?;
    let grant = heard.iter().find(|event| event.name() == "_zpc_more");
    let seen = grant.map_or(String::new(), ToString::to_string);
    ensure(grant.is_none(), "no grant", seen)
}
