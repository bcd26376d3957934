//! Floods and slow peers: others are served meanwhile, and memory stays bounded.

use std::time::{Duration, Instant};

use rmpv::Value;

use super::served::{others_are_served, serves};
use crate::{
    case::{Case, Level, Sharing},
    event::Event,
    failure::{Failure, ensure},
    memory::{Before, descriptors},
    raw::{Handshake, Peer},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    alone(
        Level::Must,
        "flood.connections.silent",
        "ZRPC-14.39",
        "Two hundred connections say nothing at all; calls on others are answered meanwhile.",
        &["echo"],
        |trial| held(trial, 200, b""),
    ),
    alone(
        Level::Must,
        "flood.connections.half-open",
        "ZRPC-14.39",
        "Two hundred connections stop behind their greeting; calls on others are answered meanwhile.",
        &["echo"],
        |trial| held(trial, 200, &Handshake::new("DEALER").greeting()),
    ),
    alone(
        Level::Must,
        "flood.connections.many",
        "ZRPC-14.39",
        "Two hundred callers are connected and call one after the other, twice.",
        &["echo"],
        many_connections,
    ),
    alone(
        Level::Must,
        "flood.connections.gone",
        "ZRPC-14.39",
        "Five hundred connections are ended at once by who made them, silent or half-open; descriptors are given back.",
        &["echo"],
        gone_connections,
    ),
    alone(
        Level::Must,
        "flood.callers.vanish",
        "ZRPC-2.10",
        "A hundred callers vanish while their calls run; others are served, and memory comes back.",
        &["echo", "sleep"],
        vanishing_callers,
    ),
    alone(
        Level::Must,
        "flood.requests",
        "ZRPC-14.39",
        "Four times 500 requests come with one write each; all are answered, and another caller meanwhile.",
        &["echo"],
        requests,
    ),
    alone(
        Level::Must,
        "flood.beats",
        "ZRPC-11.1",
        "Twenty thousand beats come on the channel of a call that runs; it is answered, and another caller meanwhile.",
        &["echo", "sleep"],
        |trial| events(trial, "_zpc_hb", Value::Array(vec![Value::from(0)])),
    ),
    alone(
        Level::Must,
        "flood.grants",
        "ZRPC-11.1",
        "Twenty thousand grants come on the channel of a plain call that runs; it is answered, and another caller meanwhile.",
        &["echo", "sleep"],
        |trial| events(trial, "_zpc_more", Value::Array(vec![Value::from(1)])),
    ),
    alone(
        Level::Must,
        "flood.unknown-channels",
        "ZRPC-4.8",
        "Twenty thousand events come on channels that do not exist; they take no memory, and others are served.",
        &["echo"],
        unknown_channels,
    ),
    alone(
        Level::Must,
        "flood.garbage",
        "ZRPC-11.1",
        "Twenty thousand messages come that are no events; calls behind them are answered, and others meanwhile.",
        &["echo"],
        garbage,
    ),
    alone(
        Level::Must,
        "flood.unread.others",
        "ZRPC-14.39",
        "A caller asks for 64 blobs of 1 MiB and reads none; others are served meanwhile.",
        &["echo", "blob"],
        |trial| {
            let _peer = unread_blobs(trial, 64, 1)?;
            for _ in 0..20 {
                others_are_served(trial)?;
            }
            Ok(())
        },
    ),
    alone(
        Level::Must,
        "flood.unread.whole",
        "ZRPC-14.39",
        "A caller asks for 32 blobs of 1 MiB and reads them late: all of them come, or the connection ends.",
        &["echo", "blob"],
        read_late,
    ),
    alone(
        Level::Should,
        "flood.unread.memory",
        "ZRPC-14.45",
        "A caller asks for a thousand blobs of 2 MiB and reads none: what waits for it is bounded, below 1 GiB.",
        &["echo", "blob"],
        unread_memory,
    ),
    alone(
        Level::Must,
        "flood.unread.stream",
        "ZRPC-14.45",
        "A caller grants a stream without end all it could want, and does not read: others are served, memory is bounded.",
        &["echo", "forever"],
        unread_stream,
    ),
    alone(
        Level::Must,
        "flood.half-requests",
        "ZRPC-14.39",
        "Fifty callers send half of a request of 1 MiB and then nothing; others are served.",
        &["echo"],
        half_requests,
    ),
];

/// A case that has its process, and the machine, for itself.
const fn alone(
    level: Level,
    name: &'static str,
    rule: &'static str,
    explain: &'static str,
    needs: &'static [&'static str],
    run: crate::case::Run,
) -> Case {
    Case::server(level, name, rule, explain, run).needing(needs).sharing(Sharing::Alone)
}

/// So many connections send these bytes and are held, while others call.
fn held(trial: &mut Trial, count: usize, bytes: &[u8]) -> Result<(), Failure> {
    let mut held = Vec::new();
    for number in 0..count {
        let mut connection = trial.connect_bytes()?;
        connection.offer(bytes, trial.soon());
        held.push(connection);
        if number % 50 == 49 {
            others_are_served(trial)
                .map_err(|failure| failure.during(format!("beside {} of them", number + 1)))?;
        }
    }
    drop(held);
    others_are_served(trial)
}

fn many_connections(trial: &mut Trial) -> Result<(), Failure> {
    let mut peers = Vec::new();
    for _ in 0..200 {
        let mut peer = trial.connect()?;
        serves(trial, &mut peer)?;
        peers.push(peer);
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        serves(trial, peer).map_err(|failure| failure.during(format!("caller {number}")))?;
    }
    Ok(())
}

fn gone_connections(trial: &mut Trial) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = trial.pid().and_then(descriptors);
    let greeting = Handshake::new("DEALER").greeting();
    for number in 0..500_usize {
        let mut connection = trial.connect_bytes()?;
        connection.offer(&greeting[..number % 65], trial.soon());
    }
    others_are_served(trial)?;
    let Some(before) = before else { return Ok(()) };
    let deadline = Instant::now() + trial.soon();
    loop {
        let now = trial.pid().and_then(descriptors).unwrap_or_default();
        if now <= before + 20 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let seen = format!("{now} instead of {before}");
            return Err(Failure::new("descriptors of ended connections to be closed", seen));
        }
        others_are_served(trial)?;
    }
}

fn vanishing_callers(trial: &mut Trial) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    for _ in 0..100 {
        let mut peer = trial.connect()?;
        let padding = Value::Binary(vec![b'x'; 10_000]);
        peer.request("sleep", vec![Value::from(0.2)])?;
        peer.request("echo", vec![padding])?;
    }
    others_are_served(trial)?;
    let mut peer = trial.connect()?;
    let within = trial.soon();
    peer.call("sleep", vec![Value::from(0.5)], within)?;
    before.expect_growth_below(trial, 64)
}

fn requests(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    for _ in 0..4 {
        let mut bytes = Vec::new();
        for number in 0..500 {
            let (_, request) = peer.new_request("echo", vec![Value::from(number)]);
            bytes.extend(peer.message(&[&b""[..], &request.encode()]));
        }
        peer.bytes().send(&bytes)?;
        others_are_served(trial)?;
        let mut missing = 500;
        while missing > 0 {
            let what = format!("500 answers ({missing} are missing)");
            let answer =
                peer.expect_matching(&what, trial.soon() * 2, |event| !event.is_upkeep())?;
            ensure(answer.name() == "OK", "OK", answer.to_string())?;
            missing -= 1;
        }
    }
    Ok(())
}

/// Twenty thousand events on the channel of a call.
fn events(trial: &mut Trial, name: &str, args: Value) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let mut peer = trial.connect()?;
    let channel = peer.request("sleep", vec![Value::from(1.0)])?;
    for _ in 0..20 {
        let mut bytes = Vec::new();
        for _ in 0..1000 {
            let id = peer.fresh_id();
            let event = Event::new(id, name, args.clone()).on(&channel);
            bytes.extend(peer.message(&[&b""[..], &event.encode()]));
        }
        peer.bytes().send(&bytes)?;
        others_are_served(trial)?;
    }
    let answer = peer.expect_answer(&channel, trial.soon() * 3)?;
    ensure(answer.name() == "OK", "OK", answer.to_string())?;
    serves(trial, &mut peer)?;
    before.expect_growth_below(trial, 64)
}

fn unknown_channels(trial: &mut Trial) -> Result<(), Failure> {
    let names = ["_zpc_hb", "_zpc_more", "OK", "STREAM", "echo"];
    flooded(trial, |peer, number| {
        let channel = peer.fresh_id();
        let id = peer.fresh_id();
        Event::new(id, names[number % names.len()], vec![Value::from(0)]).on(&channel).encode()
    })
}

fn garbage(trial: &mut Trial) -> Result<(), Failure> {
    let kinds: [&[u8]; 6] = [b"", b"\xc1", b"\x93", b"not msgpack", b"\x93\x80\xa4echo", b"\xc0"];
    flooded(trial, |_, number| kinds[number % kinds.len()].to_vec())
}

/// Twenty thousand messages with such payloads, and calls meanwhile and behind them.
fn flooded(
    trial: &mut Trial,
    mut payload: impl FnMut(&mut Peer, usize) -> Vec<u8>,
) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let mut peer = trial.connect()?;
    for round in 0..20 {
        let mut bytes = Vec::new();
        for number in 0..1000 {
            let payload = payload(&mut peer, round * 1000 + number);
            bytes.extend(peer.message(&[&b""[..], &payload]));
        }
        peer.bytes().send(&bytes)?;
        others_are_served(trial)?;
    }
    serves(trial, &mut peer)?;
    before.expect_growth_below(trial, 64)
}

/// One who asks for so many blobs of so many MiB, and does not read.
fn unread_blobs(trial: &mut Trial, count: usize, size: u32) -> Result<Peer, Failure> {
    let mut peer = trial.connect()?;
    for _ in 0..count {
        let (_, request) = peer.new_request("blob", vec![Value::from(size << 20)]);
        let bytes = peer.message(&[&b""[..], &request.encode()]);
        // A server that waits for its answers to be read, or ends the connection, does right.
        if !peer.bytes().offer(&bytes, Duration::from_millis(500)) {
            break;
        }
    }
    Ok(peer)
}

fn unread_memory(trial: &mut Trial) -> Result<(), Failure> {
    /// How long no more has to come until all has come that will.
    const CALM: Duration = Duration::from_secs(3);
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let _peer = unread_blobs(trial, 1000, 2)?;
    let (mut most, mut grown, start) = (0, Instant::now(), Instant::now());
    while grown.elapsed() < CALM && start.elapsed() < CALM * 10 {
        others_are_served(trial)?;
        before.expect_growth_below(trial, 1024)?;
        let growth = before.growth(trial)?;
        if growth > most + (16 << 20) {
            (most, grown) = (growth, Instant::now());
        }
    }
    Ok(())
}

fn read_late(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = unread_blobs(trial, 32, 1)?;
    let within = trial.soon();
    let mut other = trial.connect()?;
    for _ in 0..10 {
        serves(trial, &mut other)?;
    }
    let mut came = 0;
    while came < 32 {
        match peer.expect_matching("a blob", within * 2, |event| !event.is_upkeep()) {
            Ok(event) => {
                let size = event.first().and_then(Value::as_slice).map(<[u8]>::len);
                ensure(size == Some(1 << 20), "OK with 1 MiB", event.name())?;
                came += 1;
            }
            Err(_) if peer.bytes().ends(trial.moment()) => return Ok(()),
            Err(failure) => return Err(failure.during(format!("blob {came} of 32"))),
        }
    }
    serves(trial, &mut peer)
}

fn unread_stream(trial: &mut Trial) -> Result<(), Failure> {
    others_are_served(trial)?;
    let before = Before::of(trial)?;
    let mut peer = trial.connect()?;
    let channel = peer.request("forever", Vec::new())?;
    peer.expect_answer(&channel, trial.soon())?;
    peer.send_on(&channel, "_zpc_more", vec![Value::from(1_000_000_000)])?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        others_are_served(trial)?;
    }
    before.expect_growth_below(trial, 512)
}

fn half_requests(trial: &mut Trial) -> Result<(), Failure> {
    let mut held = Vec::new();
    let args = vec![Value::Binary(vec![b'x'; 1 << 20])];
    let bytes = trial.connect()?.message(&[&b""[..], &Event::new("half", "echo", args).encode()]);
    for _ in 0..50 {
        let mut peer = trial.connect()?;
        peer.bytes().offer(&bytes[..bytes.len() / 2], trial.soon());
        held.push(peer);
    }
    for _ in 0..10 {
        others_are_served(trial)?;
    }
    for peer in &mut held {
        peer.bytes().finish();
    }
    others_are_served(trial)
}
