//! The same bytes to our sockets and to libzmq's.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::SocketKind;

use crate::{
    ends::{End, Patience},
    search,
    speech::Speech,
    speeches,
    table::Table,
};

/// How many connections each kind of socket hears, unless `ZERORPC_CONNECTIONS` says otherwise.
const CONNECTIONS: u64 = 60;

/// A difference counts if it lasts.
const PATIENCES: [Patience; 3] = [patience(150, 4), patience(500, 30), patience(3000, 200)];

const fn patience(long: u64, short: u64) -> Patience {
    Patience { long: Duration::from_millis(long), short: Duration::from_millis(short) }
}

/// A socket of each.
struct Pair {
    ours: End,
    theirs: End,
    _context: zmq::Context,
    heard: Cell<u64>,
}

impl Pair {
    fn bind(kind: SocketKind) -> Self {
        let context = zmq::Context::new();
        let theirs = End::libzmq(&context, kind);
        Self { ours: End::ours(kind), theirs, _context: context, heard: Cell::new(0) }
    }

    /// What was said, what libzmq makes of it, and what ours does.
    fn hear(&mut self, speech: &Speech, patience: Patience) -> [String; 3] {
        let number = self.heard.replace(self.heard.get() + 1);
        let (ours, theirs) = (&mut self.ours, &mut self.theirs);
        let (ours, theirs) = std::thread::scope(|scope| {
            let theirs = scope.spawn(|| theirs.hear(speech, number, patience));
            (ours.hear(speech, number, patience), theirs.join().expect("it was heard"))
        });
        [speech.to_string(), theirs, ours]
    }
}

/// Says something until it shows no difference without a row, or has shown one each time.
fn judge(pair: &mut Pair, table: &mut Table, speech: &Speech) -> Result<(), String> {
    let mut unknown = String::new();
    for patience in PATIENCES {
        let told = pair.hear(speech, patience);
        let [said, theirs, ours] = &told;
        if theirs == ours {
            return Ok(());
        }
        let name = table.find([said, theirs, ours]).map(str::to_owned);
        if let Some(name) = name {
            if search::number("ZERORPC_SURVEY") == Some(2) {
                println!("{name}: {told:?}");
            }
            table.count(&name);
            return Ok(());
        }
        unknown = format!("\n  said:   {said}\n  theirs: {theirs}\n  ours:   {ours}");
    }
    Err(unknown)
}

/// Of sockets of a kind, and peers that go with them: by their names in READY, and by their numbers in ZMTP 2.0.
fn connections(kind: SocketKind, kinds: &'static [&'static str], numbers: &'static [u8]) {
    let begun = Instant::now();
    let (mut pair, mut table) = (Pair::bind(kind), Table::below("Connections"));
    let count = search::number("ZERORPC_CONNECTIONS").unwrap_or(CONNECTIONS);
    let strategy = speeches::speech(kinds, numbers);
    search::all(count, &strategy, |speech| judge(&mut pair, &mut table, speech));
    println!("{kind:?}, {count} connections in {:.1?}: {}", begun.elapsed(), table.told());
}

#[test]
fn routers_differ_as_the_table_says() {
    connections(SocketKind::Router, &["DEALER", "DEALER", "REQ", "ROUTER"], &[5, 3, 6]);
}

#[test]
fn dealers_differ_as_the_table_says() {
    connections(SocketKind::Dealer, &["ROUTER", "REP", "DEALER"], &[6, 4, 5]);
}

#[test]
fn pullers_differ_as_the_table_says() {
    connections(SocketKind::Pull, &["PUSH"], &[8]);
}

#[test]
fn subscribers_differ_as_the_table_says() {
    connections(SocketKind::Sub, &["PUB", "XPUB"], &[1]);
}

#[test]
fn each_row_has_a_speech_that_shows_it() {
    let table = Table::below("Connections");
    let shown = speeches::shown();
    let rows: Vec<_> = table.names().collect();
    let names: Vec<_> = shown.iter().map(|(name, ..)| *name).collect();
    assert_eq!(rows, names, "each row has a speech of its own, in the same order");
    let mut stale = Vec::new();
    for (name, kind, speech) in &shown {
        let mut pair = Pair::bind(*kind);
        let mut told = Default::default();
        let is_shown = PATIENCES.into_iter().chain(PATIENCES).any(|patience| {
            let heard = pair.hear(speech, patience);
            let [said, theirs, ours] = &heard;
            let shows = theirs != ours && table.is(name, [said, theirs, ours]);
            told = heard;
            shows
        });
        if !is_shown {
            stale.push(format!("{name}: {told:#?}"));
        }
    }
    assert!(stale.is_empty(), "these rows are not shown by their speeches: {}", stale.join("\n"));
}
