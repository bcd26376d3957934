//! Requests as a server takes them, where other groups do not look.

use rmpv::Value;

use super::steps::{expect_ok, heard, text};
use crate::{
    case::{Case, Failure, Level, Role, Sharing, ensure},
    event::encode,
    trial::Trial,
};

const fn case(
    name: &'static str,
    rule: &'static str,
    level: Level,
    explain: &'static str,
    run: fn(&mut Trial) -> Result<(), Failure>,
) -> Case {
    let (role, needs, sharing): (_, &[&str], _) = (Role::Server, &["echo"], Sharing::Shared);
    Case { name, rule, level, role, needs, sharing, explain, run }
}

pub(super) const CASES: &[Case] = &[
    case(
        "request.header.long-forms",
        "ZRPC-3.15",
        Level::Must,
        "A request is served whose header is a map16 or a map32, with keys as str8, str16 and str32.",
        long_header,
    ),
    case(
        "request.args.one-array",
        "ZRPC-7.1",
        Level::Must,
        "An argument that is an array is one argument, an empty one too.",
        one_array,
    ),
    case(
        "request.no-grant",
        "ZRPC-6.13",
        Level::Should,
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
