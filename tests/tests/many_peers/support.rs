//! Sites: servers that know what they have run.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use zerorpc::{Client, ClientBuilder, Server, ServerBuilder, TransportKind};
use zerorpc_tests::{
    service::eventually,
    site::{self, Gate},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Which calls were run, in order; several sites may share one.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<u64>>>);

impl Journal {
    pub(crate) fn note(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }

    pub(crate) fn read(&self) -> Vec<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A server in this process.
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) server: Server,
    pub(crate) journal: Journal,
    pub(crate) gate: Gate,
}

impl Site {
    /// A site on a free port.
    pub(crate) fn new(number: usize) -> Self {
        Self::with(number, |builder| builder.bind("tcp://127.0.0.1:*"))
    }

    pub(crate) fn at(endpoint: &str) -> Self {
        Self::with(0, |builder| builder.bind(endpoint))
    }

    pub(crate) fn with(
        number: usize,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        Self::keeping(&Journal::default(), number, options)
    }

    /// A site with a journal that is there already.
    pub(crate) fn keeping(
        journal: &Journal,
        number: usize,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let (name, gate, noted) = (format!("site {number}"), Gate::default(), journal.clone());
        let service = site::methods(&name, move |number| noted.note(number), gate.clone());
        let builder = Server::builder().transport(TransportKind::Mio).service(service);
        let server = options(builder).build().expect("a server");
        Self { name, server, journal: journal.clone(), gate }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.server.endpoints()[0]
    }

    /// Ends the server, whatever it is doing.
    pub(crate) fn stop(&self) {
        self.server.shutdown(Duration::ZERO);
        // Methods that are held must outlive their server, but not the test.
        self.gate.open();
    }

    /// How many calls it has run.
    pub(crate) fn ran(&self) -> usize {
        self.journal.read().len()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How many calls some sites have run, each of them.
pub(crate) fn all_ran(sites: &[Site]) -> Vec<usize> {
    sites.iter().map(Site::ran).collect()
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder().transport(TransportKind::Mio)
}

/// A client of some sites, all of which are up.
pub(crate) fn client_of(sites: &[Site]) -> Client {
    let builder = sites.iter().fold(builder(), |builder, site| builder.connect(site.endpoint()));
    let client = builder.build().expect("a client");
    until_up(&client, sites.len());
    client
}

/// Waits until so many sites of different names answer.
pub(crate) fn until_up(client: &Client, count: usize) {
    let mut names = BTreeSet::new();
    eventually("all sites answer", || {
        names.insert(client.call::<String>("_zerorpc_name", ()).expect("a name"));
        names.len() == count
    });
}
