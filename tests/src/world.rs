//! A simulated world: clients, servers and proxies on a network with faults, in virtual time.
//!
//! Nothing here looks at a clock (apart from one instant to count from), and chance comes from
//! [`Prng`], so everything can be repeated. Beside the sessions stands a reference model (`model.rs`), which judges whatever
//! leaves, arrives and is told; [`Task::answers`] says what a call must end with.

pub mod checker;
pub mod client;
mod disturbances;
mod elder;
pub mod manner;
mod model;
mod network;
pub mod prng;
pub mod raw_event;
pub mod server;
pub mod task;
pub mod test_session;
mod time;
mod trace;
mod traffic;

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use zerorpc_proto::{Config, HeartbeatMode, PeerEvent, PeerId, Route, Session, Target};

use checker::Checker;
use client::Client;
use manner::Manner;
use model::Model;
pub use network::LinkProfile;
use network::{Flight, Network};
use prng::Prng;
use server::Server;
use task::Task;
use trace::Trace;
use traffic::peer;

/// The only look at a clock: something to count from.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The instant at which every world begins.
#[must_use]
pub fn epoch() -> Instant {
    *EPOCH
}

/// Names a client, a server or a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

#[derive(Debug)]
enum Role {
    Client(Client),
    Server(Server),
    /// Puts identities in front on the way in, and takes them off on the way out.
    Proxy,
}

#[derive(Debug)]
struct Node {
    role: Role,
    /// Its transport cannot tell its peers apart: no peer has a name, and nobody hears of lost ones.
    nameless: bool,
    /// How it speaks, if not as the current version does; see `elder.rs`.
    elder: Option<u64>,
    config: Config,
    /// The connections that it made itself.
    uplinks: Vec<usize>,
    checker: Checker,
    /// Nothing has come since it did what there was to do.
    settled: bool,
    /// When it has something to do next, once it is settled.
    due: Option<Instant>,
    /// It does nothing before.
    frozen_until: Option<Instant>,
    /// What came meanwhile.
    arrived: Vec<Flight>,
    /// Which peers it will be told of.
    heard_of: Vec<PeerEvent>,
    /// How far its clock was set forward, and back.
    forward: Duration,
    back: Duration,
}

/// Everything that there is.
#[derive(Debug)]
pub struct World {
    /// Chance.
    pub prng: Prng,
    /// How often a session was woken by its own deadline.
    pub wakes: u64,
    now: Instant,
    nodes: Vec<Node>,
    network: Network,
    model: Model,
    tokens: u64,
    trace: Trace,
    restarts: u128,
    /// When routes have room again.
    drains: Vec<(Instant, usize, Route)>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(prng: Prng) -> Self {
        Self {
            prng,
            wakes: 0,
            now: epoch(),
            nodes: Vec::new(),
            network: Network::default(),
            model: Model::default(),
            tokens: 0,
            trace: Trace::default(),
            restarts: 0,
            drains: Vec::new(),
        }
    }

    /// Tells on stderr what happens from now on.
    pub fn tell_all(&mut self) {
        self.trace.start();
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        self.trace.tell(self.clock(), what);
    }

    fn add(&mut self, role: Role, config: Config, nameless: bool) -> NodeId {
        self.model.add(config.heartbeat, config.heartbeat_mode == HeartbeatMode::Passive);
        self.nodes.push(Node {
            role,
            nameless,
            elder: None,
            config,
            uplinks: Vec::new(),
            checker: Checker::default(),
            settled: false,
            due: None,
            frozen_until: None,
            arrived: Vec::new(),
            heard_of: Vec::new(),
            forward: Duration::ZERO,
            back: Duration::ZERO,
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Adds a client. A nameless one does not know its peer.
    pub fn add_client(&mut self, config: Config, nameless: bool) -> NodeId {
        let client = Client::new(self.nodes.len(), config.clone());
        self.add(Role::Client(client), config, nameless)
    }

    /// Adds a server. A nameless one knows its peers by routing ids only.
    pub fn add_server(&mut self, config: Config, nameless: bool) -> NodeId {
        let server = Server::new(self.nodes.len(), config.clone());
        self.add(Role::Server(server), config, nameless)
    }

    /// Adds a proxy.
    pub fn add_proxy(&mut self) -> NodeId {
        self.add(Role::Proxy, Config::client(0), false)
    }

    /// What time it is for a node.
    fn local(&self, node: usize) -> Instant {
        let node = &self.nodes[node];
        self.now + node.forward - node.back
    }

    /// Connects a client or a proxy to a proxy or a server.
    pub fn connect(&mut self, from: NodeId, to: NodeId, profile: LinkProfile) {
        let link = self.network.connect(self.now, [from.0, to.0], profile);
        self.nodes[from.0].uplinks.push(link);
        self.tell(|| format!("{from:?} connects to {to:?} by link {link}"));
        for node in [from, to] {
            self.hear_of(node.0, PeerEvent::Up(peer(link)));
        }
        if self.session(to.0).is_some() {
            self.hear_of(from.0, PeerEvent::Lossless(peer(link)));
        }
    }

    /// All clients whose way to their server leads over a connection that this node made.
    fn disturb(&mut self, node: NodeId) {
        let Some(link) = self.nodes[node.0].uplinks.first().copied() else { return };
        for at in 0..self.nodes.len() {
            if self.way(at).any(|step| step == link)
                && let Role::Client(client) = &mut self.nodes[at].role
            {
                client.disturb_all();
            }
        }
    }

    /// Makes a call to the first server that a client is connected to; its token is returned. A client without a connection, and
    /// one that is frozen, makes none.
    pub fn call(&mut self, client: NodeId, task: Task, manner: Manner) -> Option<u64> {
        let to = self.nodes[client.0].uplinks.first().copied().map(peer)?;
        if self.nodes[client.0].frozen_until.is_some() {
            return None;
        }
        let to = if self.nodes[client.0].nameless { PeerId::NAMELESS } else { to };
        Some(self.call_to(client, to, task, manner))
    }

    /// Makes a call to any server that a client is connected to, or will be.
    pub fn call_any(&mut self, client: NodeId, task: Task, manner: Manner) -> Option<u64> {
        let Node { nameless, frozen_until, .. } = &self.nodes[client.0];
        if *nameless || frozen_until.is_some() {
            return self.call(client, task, manner);
        }
        Some(self.call_to(client, Target::Any, task, manner))
    }

    fn call_to(
        &mut self,
        client: NodeId,
        to: impl Into<Target>,
        task: Task,
        manner: Manner,
    ) -> u64 {
        self.tokens += 1;
        let (now, token, to) = (self.local(client.0), self.tokens, to.into());
        self.tell(|| format!("{client:?} calls {to}: {task:?}, {token}, {manner:?}"));
        self.model.calls(self.now, (client.0, token), manner.clone(), to);
        let swallowed = self.way(client.0).any(|link| self.network.links[link].silent);
        let client = self.client_mut(client);
        client.call(now, to, token, task, manner);
        if swallowed {
            client.disturb(token);
        }
        token
    }

    /// Has a client forget all its calls.
    pub fn quit(&mut self, client: NodeId) {
        let Self { nodes, model, .. } = self;
        nodes[client.0].settled = false;
        if let Role::Client(client) = &mut nodes[client.0].role {
            client.quit_all(model);
        }
    }

    /// The connections from a node to its server.
    fn way(&self, node: usize) -> impl Iterator<Item = usize> {
        let uplink = |node: usize| self.nodes[node].uplinks.first().copied();
        std::iter::successors(uplink(node), move |link| uplink(self.network.links[*link].ends[1]))
    }

    /// The time since the beginning.
    #[must_use]
    pub fn clock(&self) -> Duration {
        self.now - epoch()
    }

    /// How many beats were sent, by everybody.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.model.beat_count
    }

    /// A client.
    ///
    /// # Panics
    /// When the node is none.
    #[must_use]
    pub fn client(&self, node: NodeId) -> &Client {
        match &self.nodes[node.0].role {
            Role::Client(client) => client,
            other => panic!("no client: {other:?}"),
        }
    }

    fn client_mut(&mut self, node: NodeId) -> &mut Client {
        self.nodes[node.0].settled = false;
        match &mut self.nodes[node.0].role {
            Role::Client(client) => client,
            other => panic!("no client: {other:?}"),
        }
    }

    /// A server.
    ///
    /// # Panics
    /// When the node is none.
    #[must_use]
    pub fn server(&self, node: NodeId) -> &Server {
        match &self.nodes[node.0].role {
            Role::Server(server) => server,
            other => panic!("no server: {other:?}"),
        }
    }

    /// Every session.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.nodes.iter().filter_map(|node| match &node.role {
            Role::Client(client) => Some(&client.session),
            Role::Server(server) => Some(&server.session),
            Role::Proxy => None,
        })
    }

    /// The session of a node, which may have something to do then.
    fn session(&mut self, node: usize) -> Option<&mut Session> {
        self.nodes[node].settled = false;
        match &mut self.nodes[node].role {
            Role::Client(client) => Some(&mut client.session),
            Role::Server(server) => Some(&mut server.session),
            Role::Proxy => None,
        }
    }

    /// How many requests with this token reached a server that took them.
    #[must_use]
    pub fn accepted(&self, token: u64) -> u32 {
        self.model.accepted.get(&token).copied().unwrap_or(0)
    }

    fn check(&mut self, node: usize) {
        let Node { role, checker, .. } = &mut self.nodes[node];
        match role {
            Role::Client(client) => checker.check(&client.session),
            Role::Server(server) => checker.check(&server.session),
            Role::Proxy => {}
        }
    }
}
