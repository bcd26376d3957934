//! Many peers at once, and few descriptors: what is short is said, and nothing ends by it.
//!
//! A limit on descriptors holds for a whole process, so these tests have their servers in a child, which is this
//! same program with another role.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
};

use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::transport::{MonitorEvent, SocketOptions, Transport, Waiter};
use zerorpc_zmq::{Parts, open};

use crate::support::{ANY_PORT, Outcome, PATIENCE, connect, message, next, plainly, socket, until};

/// How many descriptors the child may have.
const LIMIT: usize = 64;

/// More than the child has descriptors, and more than libzmq would have in its queue by default.
const CROWD: usize = 300;

/// Set in the child: what it is there for.
const ROLE: &str = "ZERORPC_TEST_ROLE";

/// What the child says, between the lines of the test harness.
const SAID: &str = "said: ";

fn say(what: &str) {
    println!("\n{SAID}{what}");
    // Whoever has stopped to listen has ended the test.
    let _gone = std::io::stdout().flush();
}

/// This program, with few descriptors, in a role; ended with the test.
struct Few {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Few {
    fn start(test: &str) -> std::io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh", &LIMIT.to_string()])
            .arg(env::current_exe()?)
            .args(["--exact", "--nocapture", "--test-threads=1", test])
            .env(ROLE, test)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// The next thing that it says.
    fn hear(&mut self) -> Result<String, Box<dyn std::error::Error>> {
        for line in &mut self.lines {
            let line = line?;
            if let Some(said) = line.strip_prefix(SAID) {
                return Ok(said.to_owned());
            }
        }
        Err(format!("the child has ended: {}", self.child.wait()?).into())
    }
}

impl Drop for Few {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill().and_then(|()| self.child.wait().map(drop));
    }
}

fn is_child(test: &str) -> bool {
    env::var(ROLE).is_ok_and(|role| role == test)
}

/// Answers everybody, and says what the monitor tells of accepting, until it is killed.
fn serve() -> Outcome {
    let mut server = socket(Router);
    say(&server.transport.bind(ANY_PORT)?);
    loop {
        while let Some((_, request)) = server.transport.receive()? {
            server.transport.send(message(request.envelope, request.payload))?;
        }
        while let Some(event) = server.transport.poll_monitor() {
            if matches!(event, MonitorEvent::AcceptFailed { .. }) {
                say(&event.to_string());
            }
        }
        server.waiter.wait_until(None)?;
    }
}

fn ask(client: &mut Parts, question: &'static str) -> Outcome {
    client.transport.send(plainly(question))?;
    assert_eq!(next(client)?.payload, question);
    Ok(())
}

#[test]
fn a_server_without_descriptors_says_so_and_goes_on() -> Outcome {
    let name = "crowds::a_server_without_descriptors_says_so_and_goes_on";
    if is_child(name) {
        return serve();
    }
    let mut child = Few::start(name)?;
    let endpoint = child.hear()?;
    let address: SocketAddr = endpoint.strip_prefix("tcp://").ok_or("another endpoint")?.parse()?;
    let mut early = socket(Dealer);
    connect(&mut early, &endpoint)?;
    ask(&mut early, "before")?;

    // All of them are let in by the system, though the server can take but a few.
    let crowd: Result<Vec<TcpStream>, _> =
        (0..CROWD).map(|_| TcpStream::connect_timeout(&address, PATIENCE)).collect();
    let crowd = crowd?;
    let said = child.hear()?;
    assert!(said.contains("cannot accept connections at tcp://127.0.0.1"), "{said}");
    assert!(said.contains("raise the limit (ulimit -n)"), "{said}");
    ask(&mut early, "meanwhile")?;

    drop(crowd);
    let mut late = socket(Dealer);
    connect(&mut late, &endpoint)?;
    ask(&mut late, "afterwards")?;
    ask(&mut early, "afterwards")
}

#[test]
fn sockets_that_cannot_be_opened_say_why() -> Outcome {
    let name = "crowds::sockets_that_cannot_be_opened_say_why";
    if is_child(name) {
        let mut sockets = Vec::new();
        let error = loop {
            match open(Router, &SocketOptions::default()) {
                Ok(socket) => sockets.push(socket),
                Err(error) => break error,
            }
            assert!(sockets.len() < LIMIT, "each needs some descriptors");
        };
        say(&error.to_string());
        sockets.pop().ok_or("one socket has room")?;
        let mut server = open(Router, &SocketOptions::default())?;
        say("room again");
        let refused = loop {
            if let Err(error) = server.transport.bind(ANY_PORT) {
                break error;
            }
        };
        say(&refused.to_string());
        return Ok(());
    }
    let mut child = Few::start(name)?;
    let said = child.hear()?;
    assert!(said.contains("cannot open a Router socket"), "{said}");
    assert!(said.contains("raise the limit (ulimit -n)"), "{said}");
    assert_eq!(child.hear()?, "room again");
    let said = child.hear()?;
    assert!(said.contains("cannot bind"), "{said}");
    assert!(said.contains("raise the limit (ulimit -n)"), "{said}");
    assert!(child.child.wait()?.success());
    Ok(())
}

/// A dialler tells what keeps it from connecting, when that is its own process.
#[test]
fn a_client_without_descriptors_says_so() -> Outcome {
    let name = "crowds::a_client_without_descriptors_says_so";
    if is_child(name) {
        let mut client = socket(Dealer);
        let held: Vec<std::fs::File> =
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        client.transport.connect("tcp://127.0.0.1:9")?;
        let mut said = None;
        until(&mut client, |client| {
            let _nothing = client.transport.receive();
            said = client.transport.poll_monitor();
            said.is_some()
        })?;
        drop(held);
        say(&said.map(|event| event.to_string()).unwrap_or_default());
        return Ok(());
    }
    let mut child = Few::start(name)?;
    let said = child.hear()?;
    assert!(said.contains("cannot connect to tcp://127.0.0.1:9"), "{said}");
    assert!(said.contains("raise the limit (ulimit -n)"), "{said}");
    Ok(())
}
