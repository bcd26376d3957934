//! Connections in masses, from many addresses, that never become peers.

use std::{
    collections::VecDeque,
    env,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt},
};
use zerorpc::{
    AcceptLimits, AcceptStats, Client, KeyPair, SecretKey, Security, SocketOptions, TransportKind,
};
use zerorpc_tests::service::eventually;
use zerorpc_zmtp::key_pair;

use crate::harness::{AttackHarness, MIB, Noise, files, memory};

/// For how many seconds each flood lasts, where it is to be measured and not only survived.
const SECONDS: &str = "ZERORPC_FLOOD_SECONDS";

/// How many connections may be in their handshake: fewer than the flood keeps open.
const HANDSHAKES: usize = 200;

/// How many connections a flood keeps open.
const OPEN: usize = 300;

/// How many connections a flood makes in a second, at most.
const PER_SECOND: usize = 2000;

/// A connection from 127.0.0.`host` that waits for nothing.
fn knock(host: u8, target: SocketAddrV4) -> io::Result<TcpStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Nothing of it is to stay in the system.
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)))?;
    match connect(&socket, &SocketAddr::from(target)) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

/// What those do that are in the flood.
#[derive(Clone)]
enum Flood {
    /// They say this, and then nothing.
    Say(Vec<u8>),
    /// They say this, a byte at a time.
    Drip(Vec<u8>),
    /// They go as soon as they have come.
    Leave,
}

impl Flood {
    /// Goes on until it is over; how many have come.
    fn run(&self, target: SocketAddrV4, over: &AtomicBool) -> usize {
        const BATCH: usize = 20;
        let (mut open, mut come) = (VecDeque::new(), 0);
        let start = Instant::now();
        while !over.load(Ordering::Relaxed) {
            for host in 2_u8.. {
                if usize::from(host) > BATCH {
                    break;
                }
                // The system may have no room for it.
                let Ok(mut stream) = knock(host, target) else { continue };
                come += 1;
                match self {
                    Self::Leave => continue,
                    Self::Say(words) => drop(stream.write(words)),
                    Self::Drip(_) => {}
                }
                open.push_back((stream, 0));
            }
            if let Self::Drip(words) = self {
                for (stream, said) in &mut open {
                    *said += stream.write(&words[*said..=*said]).unwrap_or_default();
                }
            }
            while open.len() > OPEN {
                open.pop_front();
            }
            let pace = Duration::from_secs_f64(come as f64 / PER_SECOND as f64);
            thread::sleep(pace.saturating_sub(start.elapsed()));
        }
        come
    }
}

/// How calls go, one after the other.
#[derive(Debug, Default)]
struct Calls {
    times: Vec<Duration>,
    elapsed: Duration,
}

impl Calls {
    fn go_on(&mut self, client: &Client, time: Duration) {
        let start = Instant::now();
        let mut number = 0;
        while start.elapsed() < time {
            let begun = Instant::now();
            assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
            self.times.push(begun.elapsed());
            number += 1;
        }
        self.elapsed += start.elapsed();
    }

    fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2]
    }
}

/// Serves others while a flood lasts; what became of those in it.
fn withstand(what: &str, harness: &AttackHarness, flood: &Flood) -> AcceptStats {
    let seconds = env::var(SECONDS).map_or(0.6, |seconds| seconds.parse().expect("a number"));
    let slice = Duration::from_secs_f64(seconds / 6.0);
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
        quiet.go_on(harness.client(), slice);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let flooding = scope.spawn(|| flood.run(target, &over));
            beside.go_on(harness.client(), slice);
            assert!(files() < before + OPEN + HANDSHAKES + 100, "{} files", files());
            over.store(true, Ordering::Relaxed);
            come += flooding.join().expect("it does not panic");
        });
        eventually("all but the client are gone", || stats().connections == 1);
    }
    let [quiet, beside] = [quiet, beside].map(|calls| (calls.per_second(), calls.median()));
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

/// What a client of CURVE says before it has to know the answer: its greeting and HELLO.
fn hello(client: &SocketOptions) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("a port"));
    let builder = Client::builder().transport(TransportKind::Mio).socket_options(client.clone());
    let _client = builder.connect(&endpoint).build().expect("a client");
    let (mut stream, _) = listener.accept().expect("it connects");
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01CURVE".to_vec();
    greeting.resize(64, 0);
    greeting[32] = 1;
    stream.write_all(&greeting).expect("there is room");
    let mut said = vec![0; 64 + 2 + 200];
    stream.read_exact(&mut said).expect("a greeting and HELLO");
    assert!(said[66..].starts_with(b"\x05HELLO"));
    said
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
