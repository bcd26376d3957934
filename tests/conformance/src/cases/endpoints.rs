//! Several endpoints at a time, bound and connected ones, of servers and of clients.

use std::time::Duration;

use rmpv::Value;
use serde_json::json;

use super::{
    client::{case, channel, expect_ok, listen},
    served::serves,
};
use crate::{
    case::{Case, Level, Sharing},
    event::Event,
    failure::{Failure, ensure},
    raw::Peer,
    trial::Trial,
};

pub(super) const CASES: &[Case] = &[
    Case::server(
        Level::Should,
        "endpoints.bound-twice",
        "ZRPC-1.3",
        "A server that binds two endpoints serves callers at both, in turn and at the same time.",
        bound_twice,
    )
    .sharing(Sharing::Own),
    Case::server(
        Level::Should,
        "endpoints.worker",
        "ZRPC-1.2",
        "A server that binds one endpoint and connects to a caller at another answers calls at both.",
        worker,
    )
    .sharing(Sharing::Own),
    Case::server(
        Level::Must,
        "endpoints.worker-again",
        "ZRPC-14.37",
        "A server whose connection to a caller ends connects again, three times, and answers calls.",
        worker_again,
    )
    .sharing(Sharing::Own),
];

pub(super) const OF_CLIENTS: &[Case] = &[
    case(
        "client.endpoints.both",
        "ZRPC-1.3",
        Level::Should,
        "A client of two servers connects to both, and its calls are answered by whichever has them.",
        both,
    ),
    case(
        "client.endpoints.sent-once",
        "ZRPC-1.4",
        Level::Must,
        "Each of ten requests of a client with two servers reaches one of them.",
        sent_once,
    ),
    case(
        "client.endpoints.stays",
        "ZRPC-1.4",
        Level::Should,
        "All beats of a call go to the one of two servers that got its request.",
        stays,
    ),
    case(
        "client.endpoints.bound",
        "ZRPC-1.2",
        Level::Should,
        "A client that binds has calls answered by a server that connects to it, beside one that it connects to.",
        bound,
    ),
    case(
        "client.endpoints.bound-again",
        "ZRPC-1.2",
        Level::Should,
        "When the server that has connected to a client leaves, the next one that connects gets calls, three times.",
        bound_again,
    ),
];

fn bound_twice(trial: &mut Trial) -> Result<(), Failure> {
    trial.also_binds()?;
    let mut first = trial.connect()?;
    let mut second = trial.connect_to_more()?.shake_hands("DEALER")?;
    serves(trial, &mut first)?;
    serves(trial, &mut second).map_err(|failure| failure.during("the second endpoint"))?;
    let text = Value::from("side by side");
    let one = first.request("echo", vec![text.clone()])?;
    let other = second.request("echo", vec![text])?;
    first.expect_answer(&one, trial.soon())?;
    second.expect_answer(&other, trial.soon())?;
    Ok(())
}

fn worker(trial: &mut Trial) -> Result<(), Failure> {
    trial.also_connects()?;
    let mut bound = trial.connect()?;
    let mut connected = trial.accept_more()?.shake_hands("DEALER")?;
    serves(trial, &mut connected).map_err(|failure| failure.during("where it connects to"))?;
    serves(trial, &mut bound)?;
    serves(trial, &mut connected)
}

fn worker_again(trial: &mut Trial) -> Result<(), Failure> {
    trial.also_connects()?;
    for _ in 0..3 {
        let mut connected = trial.accept_more()?.shake_hands("DEALER")?;
        serves(trial, &mut connected)?;
    }
    Ok(())
}

/// The connections that a client makes to two servers.
fn two_servers(trial: &mut Trial) -> Result<[Peer; 2], Failure> {
    trial.also_connects()?;
    let first = trial.accept()?;
    let second = trial.accept_more().map_err(|failure| failure.during("the second endpoint"))?;
    Ok([first, second.shake_hands("ROUTER")?])
}

/// The requests that come to either server for a moment behind the latest one, each answered.
fn requests(trial: &Trial, servers: &mut [Peer; 2]) -> Result<Vec<(usize, Event)>, Failure> {
    let mut requests = Vec::new();
    let mut silent = 0;
    let slice = Duration::from_millis(50);
    let patience = trial.soon().as_millis() / slice.as_millis() / 2;
    while silent < patience && (requests.is_empty() || silent < 6) {
        silent += 1;
        for (place, server) in servers.iter_mut().enumerate() {
            for (_, event) in listen(server, slice)? {
                if event.response_to().is_none() && !event.is_upkeep() {
                    server.answer(&event, "OK", vec![Value::from("done")])?;
                    requests.push((place, event));
                    silent = 0;
                }
            }
        }
    }
    Ok(requests)
}

fn both(trial: &mut Trial) -> Result<(), Failure> {
    let mut servers = two_servers(trial)?;
    for _ in 0..4 {
        let id = trial.command(json!({ "call": "echo", "args": ["x"] }))?;
        let come = requests(trial, &mut servers)?.len();
        ensure(come == 1, "a request at one of two servers", format!("{come} requests"))?;
        expect_ok(trial, id, &json!("done"))?;
    }
    Ok(())
}

fn sent_once(trial: &mut Trial) -> Result<(), Failure> {
    let mut servers = two_servers(trial)?;
    let (mut ids, mut come) = (Vec::new(), Vec::new());
    // By the second half, the client has heard of both servers.
    for half in [0..5, 5..10] {
        for number in half {
            ids.push(trial.command(json!({ "call": "echo", "args": [number] }))?);
        }
        come.extend(requests(trial, &mut servers)?);
    }
    let number =
        |(_, request): &(usize, Event)| request.args.as_array()?.first().map(ToString::to_string);
    let mut come: Vec<String> = come.iter().filter_map(number).collect();
    come.sort();
    let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    ensure(come == expected, "each of the requests 0 to 9 once", come.join(", "))?;
    ids.into_iter().try_for_each(|id| expect_ok(trial, id, &json!("done")))
}

fn stays(trial: &mut Trial) -> Result<(), Failure> {
    let mut servers = two_servers(trial)?;
    let id = trial.command(json!({ "call": "sleep", "args": [60] }))?;
    let moment = Duration::from_millis(50);
    let mut owner = None;
    for turn in 0..100 {
        let heard = listen(&mut servers[turn % 2], moment)?;
        let mut events = heard.into_iter().map(|(_, event)| event);
        if let Some(request) = events.find(|event| event.response_to().is_none()) {
            owner = Some((turn % 2, request));
            break;
        }
    }
    let (owner, request) =
        owner.ok_or_else(|| Failure::new("a request at one of two servers", "none"))?;
    let call = channel(&request);
    let mut beats = [0, 0];
    for _ in 0..4 {
        for (place, server) in servers.iter_mut().enumerate() {
            let events = listen(server, trial.interval() / 2)?;
            let of_call = |event: &Event| event.response_to() == Some(&call);
            beats[place] += events.iter().filter(|(_, event)| of_call(event)).count();
        }
        servers[owner].send_on(&call, "_zpc_hb", vec![Value::from(0)])?;
    }
    servers[owner].answer(&request, "OK", vec![Value::from("done")])?;
    let seen = format!("{} there, {} at the other server", beats[owner], beats[1 - owner]);
    ensure(beats[1 - owner] == 0, "beats at the server that has the request", seen)?;
    expect_ok(trial, id, &json!("done"))
}

/// A server that has connected to the endpoint that a client has bound.
fn connects(trial: &mut Trial) -> Result<Peer, Failure> {
    let connected = trial.connect_to_more().and_then(|bytes| bytes.shake_hands("ROUTER"));
    connected.map_err(|failure| failure.during("the endpoint that it binds"))
}

/// Has a client make calls, two at a time, until one comes to the second server; each is answered.
fn second_is_asked(trial: &mut Trial, servers: &mut [Peer; 2]) -> Result<(), Failure> {
    // It may take a client a moment to know that a server is there.
    for _ in 0..10 {
        let ids = [(); 2].map(|()| trial.command(json!({ "call": "echo", "args": ["x"] })));
        let come = requests(trial, servers)?;
        for id in ids {
            expect_ok(trial, id?, &json!("done"))?;
        }
        if come.iter().any(|(place, _)| *place == 1) {
            return Ok(());
        }
    }
    Err(Failure::new("a request at the server that has connected", "20 requests at the other one"))
}

fn bound(trial: &mut Trial) -> Result<(), Failure> {
    trial.also_binds()?;
    let mut servers = [trial.accept()?, connects(trial)?];
    second_is_asked(trial, &mut servers)
}

fn bound_again(trial: &mut Trial) -> Result<(), Failure> {
    trial.also_binds()?;
    let mut servers = [trial.accept()?, connects(trial)?];
    for _ in 0..3 {
        second_is_asked(trial, &mut servers)?;
        // What is sent before the client knows that this one has gone is lost.
        servers[1].bytes().finish();
        servers[1].bytes().ends(trial.soon());
        servers[1] = connects(trial)?;
    }
    second_is_asked(trial, &mut servers)
}
