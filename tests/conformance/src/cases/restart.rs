//! Servers that die and come back.

use rmpv::Value;

use super::served::{others_are_served, serves};
use crate::{
    case::{Case, Level, Sharing},
    event::Event,
    failure::Failure,
    raw::{Handshake, Peer},
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Must,
        "restart.same-address",
        "ZRPC-14.39",
        "A server that is killed while callers are connected is started again at the same address, three times, and serves.",
        same_address,
    )
    .sharing(Sharing::Own),
    Case::server(
        Level::Must,
        "restart.connections-end",
        "ZRPC-14.39",
        "When a server dies its connections end, with calls open and without: callers see it.",
        |trial| {
            let mut idle = trial.connect()?;
            let mut busy = trial.connect()?;
            busy.request("sleep", vec![Value::from(60)])?;
            serves(trial, &mut busy)?;
            trial.restart()?;
            idle.expect_close(trial.soon())?;
            busy.expect_close(trial.soon())
        },
    )
    .needing(&["echo", "sleep"])
    .sharing(Sharing::Own),
    Case::server(
        Level::Must,
        "restart.late-events",
        "ZRPC-4.8",
        "Grants, beats and answers on channels of the process before reach the new one: they are ignored, and calls served.",
        late_events,
    )
    .sharing(Sharing::Own),
    Case::server(
        Level::Must,
        "restart.same-identity",
        "ZRPC-14.42",
        "A caller with an identity comes back to a server that was started again, and is served.",
        |trial| {
            let handshake = Handshake::new("DEALER").identity("faithful");
            let mut peer = trial.connect_bytes()?.shake_hands_as(&handshake)?;
            serves(trial, &mut peer)?;
            trial.restart()?;
            let mut peer = trial.connect_bytes()?.shake_hands_as(&handshake)?;
            serves(trial, &mut peer)
        },
    )
    .sharing(Sharing::Own),
];

fn same_address(trial: &mut Trial) -> Result<(), Failure> {
    let mut peers: Vec<Peer> = Vec::new();
    for round in 0..3 {
        for _ in 0..5 {
            let mut peer = trial.connect()?;
            serves(trial, &mut peer)?;
            peers.push(peer);
        }
        trial.restart().map_err(|failure| failure.during(format!("restart {round}")))?;
        others_are_served(trial)?;
    }
    Ok(())
}

fn late_events(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("echo", vec![Value::from("before")])?;
    peer.expect_answer(&channel, trial.soon())?;
    trial.restart()?;
    let mut peer = trial.connect()?;
    for (name, args) in [("_zpc_more", 50), ("_zpc_hb", 0), ("OK", 1), ("echo", 2)] {
        let id = Value::from(format!("late {name}"));
        peer.send(&Event::new(id, name, vec![Value::from(args)]).on(&channel))?;
    }
    peer.expect_silence(trial.moment())?;
    serves(trial, &mut peer)
}
