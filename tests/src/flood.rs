//! Connections in masses, from many addresses of the loopback, that never become peers.

use std::{
    collections::VecDeque,
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
use zerorpc::{Client, SocketOptions, TransportKind};

/// How many connections a flood keeps open.
pub const OPEN: usize = 300;

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
#[derive(Clone, Debug)]
pub enum Flood {
    /// They say this, and then nothing.
    Say(Vec<u8>),
    /// They say this, a byte at a time.
    Drip(Vec<u8>),
    /// They go as soon as they have come.
    Leave,
}

impl Flood {
    /// Goes on until it is over, with so many connections in a second at most; how many have come.
    pub fn run(&self, target: SocketAddrV4, per_second: usize, over: &AtomicBool) -> usize {
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
            let pace = Duration::from_secs_f64(come as f64 / per_second as f64);
            thread::sleep(pace.saturating_sub(start.elapsed()));
        }
        come
    }
}

/// What a client of CURVE says before it has to know the answer: its greeting and HELLO.
///
/// # Panics
/// When the client does not connect and say so.
#[must_use]
pub fn hello(client: &SocketOptions) -> Vec<u8> {
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

/// How calls go, one after the other.
#[derive(Debug, Default)]
pub struct Calls {
    times: Vec<Duration>,
    elapsed: Duration,
}

impl Calls {
    /// Makes calls of `add(number, 1)` for so long.
    ///
    /// # Panics
    /// When one is not answered with the sum.
    pub fn go_on(&mut self, client: &Client, time: Duration) {
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

    /// How many there were in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// How long one takes that is slower than this share of them.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times[((times.len() - 1) as f64 * share) as usize]
    }
}
