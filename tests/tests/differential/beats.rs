//! When servers beat, beside each other: not by the clock, but by the beats that another channel of the same server hears.

use std::time::{Duration, Instant};

use rmpv::Value;
use zerorpc_tests::{
    peers::{self, PythonPeer},
    world::raw_event::encode,
};

use crate::{servers::reference, service, table::Table};

/// So many beats of the other channel, which is beaten back to, are the time of one comparison.
const TIME: usize = 6;

/// The heartbeat interval of both servers, and what it is multiplied by where a machine was too busy for it.
const INTERVAL: Duration = Duration::from_millis(400);
const SCALES: [u32; 3] = [1, 2, 4];

/// How long the other channel may be silent before its server counts as too busy.
const MOST_SILENT: u32 = 8;

/// What a caller does.
struct Manner {
    name: &'static str,
    method: &'static str,
    version: Option<u8>,
    /// When it beats.
    beats: Beats,
    /// With which beat of the other channel it takes its stream to the end.
    ends: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Beats {
    Never,
    /// Whenever it hears a beat.
    Back,
    /// Whenever the other channel hears one, so often.
    Itself(usize),
}

const MANNERS: [Manner; 8] = [
    manner("beats back", Some(3), Beats::Back),
    manner("beats", Some(3), Beats::Itself(TIME)),
    manner("beats twice and then never", Some(3), Beats::Itself(2)),
    manner("never beats", Some(3), Beats::Never),
    manner("version 2, beats back", Some(2), Beats::Back),
    manner("version 1, never beats", None, Beats::Never),
    Manner { ends: Some(3), ..manner("beats back, and takes all", Some(3), Beats::Back) },
    Manner { method: "none", ..manner("has its answer", Some(3), Beats::Never) },
];

const fn manner(name: &'static str, version: Option<u8>, beats: Beats) -> Manner {
    Manner { name, method: "numbers", version, beats, ends: None }
}

/// A channel on a connection of its own. Its stream waits for credit.
struct Line {
    socket: zmq::Socket,
    id: String,
    version: Option<u8>,
    events: usize,
    heard: usize,
}

impl Line {
    fn begin(context: &zmq::Context, endpoint: &str, manner: &Manner) -> Self {
        let socket = context.socket(zmq::DEALER).expect("a socket");
        socket.set_linger(0).expect("an option");
        socket.connect(endpoint).expect("an endpoint");
        // In the reference, ids of all callers are in one table.
        let id = format!("beats of {}", manner.name);
        let line = Self { socket, id, version: manner.version, events: 0, heard: 0 };
        let args = if manner.method == "none" { vec![] } else { vec![10.into()] };
        let id = line.id.clone();
        line.send(vec![("message_id".into(), id.into())], manner.method, args);
        line
    }

    fn send(&self, mut header: Vec<(Value, Value)>, name: &str, args: Vec<Value>) {
        header.extend(self.version.map(|version| ("v".into(), version.into())));
        let event = Value::Array(vec![Value::Map(header), name.into(), Value::Array(args)]);
        self.socket.send_multipart([&[], &encode(&event)[..]], 0).expect("there is room");
    }

    fn say(&mut self, name: &str, number: i64) {
        self.events += 1;
        let id = format!("{} {}", self.events, self.id);
        let header =
            vec![("message_id".into(), id.into()), ("response_to".into(), (&*self.id).into())];
        self.send(header, name, vec![number.into()]);
    }

    /// Whether a beat comes before nothing has come for that time.
    fn hears_beat(&mut self, milliseconds: i64) -> bool {
        while self.socket.poll(zmq::POLLIN, milliseconds).expect("it can wait") > 0 {
            let frames = self.socket.recv_multipart(0).expect("a message");
            let payload = frames.last().expect("a message has a frame");
            let event = rmpv::decode::read_value(&mut &payload[..]).expect("servers send events");
            if event[1].as_str() == Some("_zpc_hb") {
                self.heard += 1;
                return true;
            }
        }
        false
    }
}

/// How many beats each manner of caller hears while the other channel hears its number; nothing where that is not beaten for.
fn heard(endpoint: &str, interval: Duration) -> Option<Vec<usize>> {
    let context = zmq::Context::new();
    let mut other =
        Line::begin(&context, endpoint, &manner("the other channel", Some(3), Beats::Back));
    let mut lines: Vec<_> =
        MANNERS.iter().map(|manner| Line::begin(&context, endpoint, manner)).collect();
    let mut latest = Instant::now();
    while other.heard < TIME {
        if latest.elapsed() > interval * MOST_SILENT {
            return None;
        }
        let is_tick = other.hears_beat(5);
        if is_tick {
            latest = Instant::now();
            other.say("_zpc_hb", 0);
        }
        for (line, manner) in lines.iter_mut().zip(&MANNERS) {
            let is_heard = line.hears_beat(0);
            let beats = match manner.beats {
                Beats::Never => false,
                Beats::Back => is_heard,
                Beats::Itself(most) => is_tick && other.heard <= most,
            };
            if beats {
                line.say("_zpc_hb", 0);
            }
            if is_tick && manner.ends == Some(other.heard) {
                line.say("_zpc_more", 100);
            }
        }
    }
    Some(lines.iter().map(|line| line.heard).collect())
}

/// What differs by more than the beat that may just come or not, and is in no row; the rows that were seen.
fn compared(python: &PythonPeer, interval: Duration, table: &Table) -> Result<Vec<String>, String> {
    let theirs = reference(python, interval);
    let ours = service::serve(interval);
    let endpoints = [theirs.endpoint(), &*ours.endpoints()[0]];
    let counts = std::thread::scope(|scope| {
        endpoints
            .map(|endpoint| scope.spawn(move || heard(endpoint, interval)))
            .map(|heard| heard.join().expect("it was heard to the end"))
    });
    let [Some(theirs), Some(ours)] = counts else {
        return Err(format!("a caller that beats back was lost with {interval:?}: {counts:?}"));
    };
    let (mut seen, mut unknown) = (Vec::new(), String::new());
    for (manner, (theirs, ours)) in MANNERS.iter().zip(theirs.iter().zip(&ours)) {
        println!("{}: {theirs} beats of theirs, {ours} of ours", manner.name);
        if theirs.abs_diff(*ours) <= 1 {
            continue;
        }
        let told = [theirs, ours].map(|count| format!("{count} beats"));
        match table.find([manner.name, &told[0], &told[1]]) {
            Some(row) => seen.push(row.to_owned()),
            None => {
                let [theirs, ours] = told;
                unknown += &format!("\n  {}: {theirs} of theirs, {ours} of ours", manner.name);
            }
        }
    }
    if unknown.is_empty() { Ok(seen) } else { Err(unknown) }
}

#[test]
fn servers_beat_alike() {
    let Some(python) = peers::python() else { return };
    let table = Table::below("Heartbeats");
    let rows: Vec<_> = table.names().collect();
    let mut told = String::new();
    for scale in SCALES {
        match compared(&python, INTERVAL * scale, &table) {
            Ok(seen) if seen == rows => return,
            Ok(seen) => told = format!("{seen:?} were seen, of the rows {rows:?}"),
            Err(words) => told = words,
        }
    }
    panic!("{told}");
}
