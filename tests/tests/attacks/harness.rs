//! A server under attack, a client that it has to serve meanwhile, and bytes to attack it with.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use zerorpc::{Client, Server, ServerBuilder, TransportKind};
use zerorpc_proto::transport::{MonitorEvent, SocketOptions};
pub(crate) use zerorpc_tests::raw_caller::{handshake, message as event, request as call};
use zerorpc_tests::service::serve_with;

/// How long anything may take: far more than it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const MIB: usize = 1 << 20;

/// Memory and files are those of the process: one attack at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A server under attack.
pub(crate) struct AttackHarness {
    _alone: MutexGuard<'static, ()>,
    pub(crate) server: Server,
    client: Client,
    /// Of all clients.
    client_options: SocketOptions,
    told: mpsc::Receiver<MonitorEvent>,
    memory: usize,
}

/// Reads the server's part of the handshake, and nothing behind it.
pub(crate) fn hear_handshake(stream: &mut TcpStream) {
    let mut heard = [0; 64 + 2];
    stream.read_exact(&mut heard).expect("the server greets");
    // A short frame: flags, length, READY.
    let mut ready = vec![0; usize::from(heard[65])];
    stream.read_exact(&mut ready).expect("the server shakes hands");
    assert!(ready.starts_with(b"\x05READY"), "{}", ready.escape_ascii());
}

fn connect(server: &Server, options: &SocketOptions) -> Client {
    let builder = Client::builder().transport(TransportKind::Mio).socket_options(options.clone());
    builder.connect(&server.endpoints()[0]).build().expect("a client")
}

impl AttackHarness {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::with_clients(options, SocketOptions::default())
    }

    /// The same with options of the clients that it has to serve.
    pub(crate) fn with_clients(
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
        client_options: SocketOptions,
    ) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (events, told) = mpsc::channel();
        let (server, _) =
            serve_with(TransportKind::Mio, |builder| options(builder.monitor(events)));
        let client = connect(&server, &client_options);
        let mut harness = Self { _alone: alone, server, client, client_options, told, memory: 0 };
        // What is needed once is there from here on.
        harness.serves_others();
        harness.memory = memory();
        harness
    }

    /// A client that has been there all along, and one that has just come.
    pub(crate) fn serves_others(&self) {
        for number in 0..10 {
            assert_eq!(self.client.call("add", (number, 1)), Ok(number + 1));
        }
        let newcomer = connect(&self.server, &self.client_options);
        assert_eq!(newcomer.call("echo", ("new",)), Ok("new".to_owned()));
    }

    /// The client that has been there all along.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How much memory has come to be used, in bytes.
    pub(crate) fn growth(&self) -> usize {
        memory().saturating_sub(self.memory)
    }

    pub(crate) fn stays_below(&self, limit: usize) {
        let growth = self.growth();
        assert!(growth < limit, "{} KiB more, {} KiB allowed", growth >> 10, limit >> 10);
    }

    pub(crate) fn address(&self) -> &str {
        self.server.endpoints()[0].trim_start_matches("tcp://")
    }

    /// A connection that has said nothing.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        stream
    }

    /// A connection behind its handshake.
    pub(crate) fn intrude(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&handshake()).expect("there is room");
        hear_handshake(&mut stream);
        stream
    }

    /// Why handshakes failed, and why connections were closed, since this was asked last.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let told = self.told.try_iter().filter_map(|event| match event {
            MonitorEvent::HandshakeFailed { reason, .. }
            | MonitorEvent::Disconnected { reason, .. } => Some(reason),
            _ => None,
        });
        told.collect()
    }
}

/// Waits for the end of a connection; what came before it is of no interest.
pub(crate) fn is_closed(stream: &mut TcpStream) {
    let start = Instant::now();
    let mut scratch = [0; 4096];
    loop {
        match stream.read(&mut scratch) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("the connection stands: {error}"),
        }
        assert!(start.elapsed() < PATIENCE, "the connection stands and talks");
    }
}

/// Bytes of memory that this process has in use.
pub(crate) fn memory() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number") * rustix::param::page_size()
}

/// Files that this process has open.
pub(crate) fn files() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux tells").count()
}

/// Numbers without rhyme or reason, the same each time.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number().to_le_bytes()[3]).collect()
    }
}
