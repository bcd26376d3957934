//! Connections in masses, from many addresses, that never become peers.

use std::{
    net::SocketAddrV4,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use zerorpc::{AcceptLimits, AcceptStats, KeyPair, SecretKey, Security, SocketOptions};
use zerorpc_tests::{
    flood::{Calls, Flood, OPEN, hello},
    service::eventually,
};
use zerorpc_zmtp::key_pair;

use crate::harness::{AttackHarness, MIB, Noise, files, memory};

/// How long one of six rounds takes; `examples/flood.rs` is for measuring.
const ROUND: Duration = Duration::from_millis(100);

/// How many connections may be in their handshake: fewer than the flood keeps open.
const HANDSHAKES: usize = 200;

/// How many connections a flood makes in a second, at most.
const PER_SECOND: usize = 2000;

/// Serves others while a flood lasts; what became of those in it.
fn withstand(what: &str, harness: &AttackHarness, flood: &Flood) -> AcceptStats {
    let target: SocketAddrV4 = harness.address().parse().expect("an address");
    let stats = || harness.server.links().accept_stats().expect("it works").expect("over mio");
    let (before, known) = (files(), stats());
    let (mut quiet, mut beside) = (Calls::default(), Calls::default());
    let (mut come, mut memory_before) = (0, 0);
    for round in 0..6 {
        if round == 3 {
            // Whatever is kept for the next is there by now.
            memory_before = memory();
        }
        quiet.go_on(harness.client(), ROUND);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let flooding = scope.spawn(|| flood.run(target, PER_SECOND, &over));
            beside.go_on(harness.client(), ROUND);
            assert!(files() < before + OPEN + HANDSHAKES + 100, "{} files", files());
            over.store(true, Ordering::Relaxed);
            come += flooding.join().expect("it does not panic");
        });
        eventually("all but the client are gone", || stats().connections == 1);
    }
    let [quiet, beside] = [quiet, beside].map(|calls| (calls.per_second(), calls.quantile(0.5)));
    let median = beside.1.as_secs_f64() / quiet.1.as_secs_f64();
    println!(
        "{what}: {come} have come; {:.0} calls a second instead of {:.0} (× {:.2}), each {:?} instead of {:?} (× {median:.2})",
        beside.0,
        quiet.0,
        beside.0 / quiet.0,
        beside.1,
        quiet.1,
    );
    eventually("their files are closed", || files() <= before + 2);
    let growth = memory().saturating_sub(memory_before);
    assert!(growth < 8 * MIB, "{} KiB more after half of it", growth >> 10);
    harness.serves_others();
    let now = stats();
    assert!(now.accepted - known.accepted > 100, "there was a flood: {now:?}");
    println!("  {}", now.failed.since(&known.failed));
    now
}

fn options() -> SocketOptions {
    SocketOptions::new().accept_limits(AcceptLimits::new().handshakes(HANDSHAKES))
}

fn plain() -> AttackHarness {
    AttackHarness::with(|builder| builder.socket_options(options()))
}

#[test]
fn who_says_nothing() {
    withstand("silence", &plain(), &Flood::Say(Vec::new()));
}

#[test]
fn who_says_it_a_byte_at_a_time() {
    withstand("drops", &plain(), &Flood::Drip(crate::harness::handshake()));
}

#[test]
fn who_says_what_makes_no_sense() {
    let garbage = Noise(0xbad).bytes(1000);
    let stats = withstand("garbage", &plain(), &Flood::Say(garbage));
    assert!(stats.failed.broken + stats.failed.foreign > 0, "{stats:?}");
}

#[test]
fn who_goes_at_once() {
    let stats = withstand("visits", &plain(), &Flood::Leave);
    assert!(stats.failed.left > 0, "{stats:?}");
}

/// The pair of keys that comes from this byte.
fn keys(byte: u8) -> KeyPair {
    key_pair(SecretKey::new([byte; 32]))
}

#[test]
fn who_has_the_server_compute() {
    let server = options().security(Security::CurveServer { keys: keys(1) });
    let client = SocketOptions::new()
        .security(Security::CurveClient { keys: keys(2), server: keys(1).public });
    let hello = hello(&client);
    let harness = AttackHarness::with_clients(|builder| builder.socket_options(server), client);
    let stats = withstand("HELLOs", &harness, &Flood::Say(hello));
    assert_eq!(stats.failed.broken + stats.failed.unfit, 0, "they are good: {stats:?}");
}
