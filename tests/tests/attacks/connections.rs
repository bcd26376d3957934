//! Very many connections.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zerorpc_proto::transport::SocketOptions;
use zerorpc_tests::service::eventually;

use crate::harness::{AttackHarness, MIB, Noise, files, handshake, hear_handshake};

/// Tells the child process where to connect, and how often.
const TARGET: &str = "ZERORPC_TESTS_ATTACK";

const MANY: usize = 10_000;

/// As many files as the system allows this process; how many.
fn raise_limit() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum");
    maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX))
}

/// Runs in a process of its own: the other ends of the connections need files, too.
#[test]
fn in_another_process() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let (address, count) = target.split_once(' ').expect("two parts");
    raise_limit();
    let whole = handshake();
    let streams: Vec<TcpStream> = (0..count.parse().expect("a number"))
        .map(|_| {
            let mut stream = TcpStream::connect(address).expect("the server accepts");
            stream.write_all(&whole).expect("there is room");
            hear_handshake(&mut stream);
            stream
        })
        .collect();
    println!("\nconnected");
    // Until the other side has seen enough.
    let _ = std::io::stdin().read(&mut [0]);
    drop(streams);
}

/// Kills the process at the end of the test.
struct Hostile(Child);

impl Drop for Hostile {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ten_thousand_idle_connections() {
    let harness = AttackHarness::new();
    let count = MANY.min(raise_limit().saturating_sub(500));
    let before = files();
    let child = Command::new(std::env::current_exe().expect("a test has a file"))
        .args(["--exact", "connections::in_another_process", "--nocapture"])
        .env(TARGET, format!("{} {count}", harness.address()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test can be run");
    let mut hostile = Hostile(child);
    let output = BufReader::new(hostile.0.stdout.take().expect("piped"));
    let connected = output.lines().map_while(Result::ok).any(|line| line == "connected");
    assert!(connected, "the other process failed");
    assert!(files() >= before + count);
    harness.serves_others();
    let each = harness.growth() / count;
    assert!(each < 8 << 10, "{each} bytes for each idle connection");
    drop(hostile);
    eventually("all of them are gone", || files() <= before + 2);
    harness.serves_others();
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let options = SocketOptions::default().handshake_timeout(Duration::from_millis(400));
    let harness = AttackHarness::with(|builder| builder.socket_options(options));
    let before = files();
    let mut noise = Noise(7);
    let whole = handshake();
    for number in 0..3000 {
        let mut stream = harness.connect();
        match number % 4 {
            0 => {}
            1 => stream.write_all(&whole).expect("there is room"),
            2 => stream.write_all(&whole[..30]).expect("there is room"),
            _ => {
                // The server may close before it is through.
                let _ = stream.write_all(&noise.bytes(100));
            }
        }
        if number % 300 == 0 {
            harness.serves_others();
        }
    }
    harness.serves_others();
    eventually("all of them are gone", || files() <= before);
    harness.stays_below(16 * MIB);
}
