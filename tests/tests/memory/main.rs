//! What peers make a server hold: answers that nobody reads are bounded, for each peer and for all of them, while others
//! are served as usual. Real sockets, and a server in a process of its own, whose memory the system tells.

mod one_peer;

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rmpv::Value;
use zerorpc::{Client, TransportKind};
use zerorpc_tests::{
    peers::{PeerProcess, ServeOptions},
    raw_caller::RawCaller,
    service::eventually,
};

const MIB: usize = 1 << 20;

/// What a server may hold for all of its peers, by default.
const TOTAL: usize = 1 << 30;

fn serve() -> PeerProcess {
    serve_by(Command::new(env!("CARGO_BIN_EXE_blobs")))
}

/// A server of whose memory the system tells what is kept: with one arena, glibc uses again what was freed by any thread.
/// With as many as it likes it may keep 100 MiB more of a GiB.
fn serve_with_one_arena() -> PeerProcess {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blobs"));
    command.env("MALLOC_ARENA_MAX", "1");
    serve_by(command)
}

fn serve_by(command: Command) -> PeerProcess {
    PeerProcess::of_program("blobs", command, &ServeOptions::default())
}

fn client(server: &PeerProcess) -> Client {
    let client = Client::builder().transport(TransportKind::Mio).connect(server.endpoint()).build();
    client.expect("a client")
}

/// Bytes of memory that a process has in use.
fn memory(server: &PeerProcess) -> usize {
    let statm = fs::read_to_string(format!("/proc/{}/statm", server.id())).expect("Linux tells");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number") * rustix::param::page_size()
}

/// A connection that asks so often for ten megabytes, and reads none of it.
fn deaf(server: &PeerProcess, times: u32) -> RawCaller {
    let mut caller = RawCaller::connect(server.endpoint());
    caller.ask_for_blobs(times);
    caller
}

/// Makes small calls until it is over, each a moment after the one before; the longest of a hundred, and how many.
fn small_calls(client: &Client, mut is_over: impl FnMut(usize) -> bool) -> (Duration, usize) {
    let mut times = Vec::new();
    while !is_over(times.len()) {
        let start = Instant::now();
        assert_eq!(client.call("add", (times.len(), 1)), Ok(times.len() + 1));
        times.push(start.elapsed());
        thread::sleep(Duration::from_millis(1));
    }
    times.sort_unstable();
    (times[times.len() * 99 / 100], times.len())
}

#[test]
fn eight_peers_that_read_nothing_of_what_they_ask_for() {
    /// What a machine takes for a call when it is busy with other things: the ratio of less says nothing.
    const NOISE: Duration = Duration::from_millis(10);
    let server = serve();
    let client = client(&server);
    let before = memory(&server);
    let (normal, _) = small_calls(&client, |made| made == 1000);
    let deaf: Vec<_> = (0..8).map(|_| deaf(&server, 500)).collect();
    let (start, mut most) = (Instant::now(), 0);
    let (meanwhile, made) = small_calls(&client, |_| {
        most = most.max(memory(&server));
        assert!(start.elapsed() < Duration::from_secs(120), "they are still there");
        deaf.iter().all(RawCaller::is_over)
    });
    println!("{} MiB, {normal:?}, meanwhile {meanwhile:?} in {made} calls", most / MIB);
    // What the methods themselves take is part of it, and what the allocator does not give back.
    assert!(most <= TOTAL, "{} MiB", most / MIB);
    assert!(most > 100 * MIB, "they were answered: {} MiB", most / MIB);
    assert!(meanwhile <= 3 * normal.max(NOISE), "{meanwhile:?} instead of {normal:?}");
    drop(deaf);
    if cfg!(target_env = "gnu") {
        // Other allocators do it as they like.
        eventually("the memory went back", || memory(&server) < before + 64 * MIB);
    }
    let newcomer = self::client(&server);
    assert_eq!(newcomer.call("add", (1, 1)), Ok(2));
}

#[test]
fn one_peer_that_reads_nothing_is_held_to_its_share() {
    let server = serve_with_one_arena();
    let client = client(&server);
    assert_eq!(client.call("add", (1, 1)), Ok(2));
    let before = memory(&server);
    let deaf = deaf(&server, 500);
    let mut most = before;
    eventually("it is cut off", || {
        most = most.max(memory(&server));
        assert_eq!(client.call("add", (1, 1)), Ok(2));
        deaf.is_over()
    });
    println!("{} MiB", (most - before) / MIB);
    // What waits in the connection, and the few that are made at a time, each of which is a value and encoded for a moment.
    // 38 to 55 were measured, with two and with eight methods that begin at a time.
    let bound = 64 * MIB;
    assert!(most - before <= bound, "{} MiB", (most - before) / MIB);
}

#[test]
fn whoever_reads_gets_all_that_it_asks_for() {
    let server = serve();
    let client = client(&server);
    // Six times what may wait for one peer.
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let blob: Value = client.call("blob", (10_000_000,)).expect("its answer");
                assert_eq!(blob.as_slice().map(<[u8]>::len), Some(10_000_000));
            });
        }
    });
    // One answer of three times as much, while others are asked for.
    thread::scope(|scope| {
        scope.spawn(|| {
            let blob: Value = client.call("blob", (200 * MIB,)).expect("its answer");
            assert_eq!(blob.as_slice().map(<[u8]>::len), Some(200 * MIB));
        });
        for number in 0..100 {
            assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
        }
    });
}

/// Methods that were never run begin a few at a time, and all together when they turn out to wait for something.
#[test]
fn many_methods_that_sleep_sleep_at_the_same_time() {
    let server = serve();
    let client = client(&server);
    let calls = 200;
    let times: Vec<Duration> = [(); 2]
        .map(|()| {
            let start = Instant::now();
            let pending: Vec<_> = (0..calls)
                .map(|_| client.start::<()>("sleep", (1.0,)).expect("it is begun"))
                .collect();
            for call in pending {
                call.wait().expect("it has slept");
            }
            start.elapsed()
        })
        .into();
    println!("{times:?}");
    // A tenth of what they would take one after the other.
    assert!(times.iter().all(|time| *time < Duration::from_secs(calls) / 10), "{times:?}");
}
