//! Servers and clients of these tests.

use std::{
    collections::BTreeSet,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use zerorpc::{
    Client, ClientBuilder, Error, Keepalive, MonitorEvent, Server, ServerBuilder, SocketOptions,
    TransportKind,
};
use zerorpc_tests::{
    load::Volume,
    peers::ServeOptions,
    site::{self, Gate, SiteProcess},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Heartbeats of tests in which silence loses calls: long enough that a busy machine does not seem silent.
pub(crate) const BEAT: Duration = Duration::from_millis(700);

/// How long anything may take that ends by itself; machines that run tests are slow and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a client of the tests under load does.
pub(crate) const VOLUME: Volume = Volume { callers: 2, calls: 2000 };

/// How many clients do that.
pub(crate) const CLIENTS: usize = 4;

/// Dead connections are noticed within seconds instead of minutes.
pub(crate) fn fast_probes() -> SocketOptions {
    SocketOptions::default().keepalive(Keepalive::every(SECOND))
}

/// A server process on a free port.
pub(crate) fn start(folder: &TempDir, name: &str) -> SiteProcess {
    SiteProcess::start(env!("CARGO_BIN_EXE_site"), folder, name, ServeOptions::default())
}

/// Three of them.
pub(crate) fn three(folder: &TempDir) -> [SiteProcess; 3] {
    ["one", "two", "three"].map(|name| start(folder, name))
}

/// A server in this process, which answers with its name.
pub(crate) fn serve(name: &str, endpoint: &str) -> Server {
    serve_with(name, |builder| builder.bind(endpoint))
}

/// The same with options.
pub(crate) fn serve_with(
    name: &str,
    options: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> Server {
    let service = site::methods(name, |_| (), Gate::default());
    let builder = Server::builder().transport(TransportKind::Mio).service(service);
    options(builder).build().expect("a server")
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder().transport(TransportKind::Mio)
}

/// A client of an endpoint with all defaults.
pub(crate) fn client(endpoint: &str) -> Client {
    builder().connect(endpoint).build().expect("a client")
}

/// A client of several endpoints with all defaults; each call goes to one of them.
pub(crate) fn client_of<'a>(endpoints: impl IntoIterator<Item = &'a str>) -> Client {
    let builder = endpoints.into_iter().fold(builder(), ClientBuilder::connect);
    builder.build().expect("a client")
}

/// The name of whichever server is asked; no call that is written down.
pub(crate) fn name(client: &Client) -> Result<String, Error> {
    client.call("_zerorpc_name", ())
}

/// A call that takes no time; whoever has run it says its name.
pub(crate) fn note(client: &Client, number: u64) -> Result<String, Error> {
    client.call("note", (number, 0))
}

/// A short call of a load.
pub(crate) fn short(client: &Client, number: u64) -> Result<(), Error> {
    client.call::<String>("note", (number, 0.002)).map(|_name| ())
}

/// Waits until servers of so many names have answered.
pub(crate) fn until_up(client: &Client, count: usize) {
    let mut names = BTreeSet::new();
    zerorpc_tests::service::eventually("all of them answer", || {
        names.insert(name(client).expect("a name"));
        names.len() == count
    });
}

/// What is told of connections.
pub(crate) struct Told(Receiver<MonitorEvent>);

impl Told {
    pub(crate) fn by(builder: ClientBuilder) -> (ClientBuilder, Self) {
        let (events, told) = channel();
        (builder.monitor(events), Self(told))
    }

    pub(crate) fn of(events: Receiver<MonitorEvent>) -> Self {
        Self(events)
    }

    /// Waits until so many connections were told to have ended; why.
    pub(crate) fn ends(&self, count: usize) -> Vec<String> {
        self.wait(count, |event| match event {
            MonitorEvent::Disconnected { reason, .. } => Some(reason),
            _ => None,
        })
    }

    /// Waits until so many connections were told to be made; where they lead to.
    pub(crate) fn connects(&self, count: usize) -> Vec<String> {
        self.wait(count, |event| match event {
            MonitorEvent::Connected { remote, .. } => Some(remote),
            _ => None,
        })
    }

    /// Whether any connection was told to have ended so far.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.try_iter().any(|event| matches!(event, MonitorEvent::Disconnected { .. }))
    }

    fn wait<T>(&self, count: usize, pick: impl Fn(MonitorEvent) -> Option<T>) -> Vec<T> {
        let patience = Instant::now() + PATIENCE;
        let mut picked = Vec::new();
        while picked.len() < count {
            let left = patience.saturating_duration_since(Instant::now());
            let event = self.0.recv_timeout(left).unwrap_or_else(|_| {
                panic!("after {PATIENCE:?}, {} of {count} were told", picked.len())
            });
            picked.extend(pick(event));
        }
        picked
    }
}
