//! A simulated world: clients, servers and proxies on a network with faults, in virtual time.
//!
//! Nothing here looks at a clock (apart from one instant to count from), and chance comes from
//! [`Prng`], so everything can be repeated. Beside the sessions stands a reference model: [`Task::answers`]
//! says what a call must end with, and a monitor on the wire watches credit and beats.

pub mod checker;
pub mod client;
mod monitor;
mod network;
pub mod prng;
pub mod raw_event;
pub mod server;
pub mod task;
pub mod test_session;

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::{Config, Multipart, PeerEvent, PeerId, Session, Transmit};

use checker::Checker;
use client::{Client, Manner};
use monitor::Monitor;
pub use network::LinkProfile;
use network::{Flight, Network};
use prng::Prng;
use server::Server;
use task::Task;

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
    interval: Option<Duration>,
    /// The connection that it made itself.
    uplink: Option<usize>,
    checker: Checker,
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
    monitor: Monitor,
    tokens: u64,
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
            monitor: Monitor::default(),
            tokens: 0,
        }
    }

    fn add(&mut self, role: Role, interval: Option<Duration>, nameless: bool) -> NodeId {
        self.nodes.push(Node {
            role,
            nameless,
            interval,
            uplink: None,
            checker: Checker::default(),
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Adds a client. A nameless one does not know its peer.
    pub fn add_client(&mut self, config: Config, nameless: bool) -> NodeId {
        let interval = config.heartbeat;
        self.add(Role::Client(Client::new(config)), interval, nameless)
    }

    /// Adds a server. A nameless one knows its peers by routing ids only.
    pub fn add_server(&mut self, config: Config, nameless: bool) -> NodeId {
        let interval = config.heartbeat;
        self.add(Role::Server(Server::new(config)), interval, nameless)
    }

    /// Adds a proxy.
    pub fn add_proxy(&mut self) -> NodeId {
        self.add(Role::Proxy, None, false)
    }

    /// Connects a client or a proxy to a proxy or a server.
    pub fn connect(&mut self, from: NodeId, to: NodeId, profile: LinkProfile) {
        let link = self.network.connect(self.now, [from.0, to.0], profile);
        self.nodes[from.0].uplink = Some(link);
        for (node, _) in [(from, to), (to, from)] {
            if let Some(session) = self.named_session(node.0) {
                session.handle_peer_event(epoch(), PeerEvent::Up(peer(link)));
            }
        }
        if self.session(to.0).is_some()
            && let Some(session) = self.named_session(from.0)
        {
            session.handle_peer_event(epoch(), PeerEvent::Lossless(peer(link)));
        }
    }

    /// Breaks the connection that a node made: both ends hear of it, and what was on its way is lost.
    pub fn cut(&mut self, node: NodeId) {
        self.disturb(node);
        let Some(link) = self.nodes[node.0].uplink.take() else { return };
        self.network.cut(link);
        let now = self.now;
        for end in self.network.links[link].ends {
            if let Some(session) = self.named_session(end) {
                session.handle_peer_event(now, PeerEvent::Down(peer(link), "gone".into()));
            }
        }
    }

    /// Makes the connection of a node swallow everything from now on.
    pub fn silence(&mut self, node: NodeId) {
        self.disturb(node);
        if let Some(link) = self.nodes[node.0].uplink {
            self.network.silence(link);
        }
    }

    /// Lets nothing move on the connection of a node for a while; nothing is lost.
    pub fn stall(&mut self, node: NodeId, time: Duration) {
        if let Some(link) = self.nodes[node.0].uplink {
            self.network.links[link].stalled_until = self.now + time;
        }
    }

    /// All clients whose way to their server leads over the connection of this node.
    fn disturb(&mut self, node: NodeId) {
        let Some(link) = self.nodes[node.0].uplink else { return };
        for at in 0..self.nodes.len() {
            if self.way(at).any(|step| step == link)
                && let Role::Client(client) = &mut self.nodes[at].role
            {
                client.disturb_all();
            }
        }
    }

    /// Makes a call; its token is returned. A client without a connection makes none.
    pub fn call(&mut self, client: NodeId, task: Task, manner: Manner) -> Option<u64> {
        let to = self.nodes[client.0].uplink.map(peer)?;
        let to = if self.nodes[client.0].nameless { PeerId::NAMELESS } else { to };
        self.tokens += 1;
        let (now, token) = (self.now, self.tokens);
        let swallowed = self.way(client.0).any(|link| self.network.links[link].silent);
        let client = self.client_mut(client);
        client.call(now, to, token, task, manner);
        if swallowed {
            client.disturb(token);
        }
        Some(token)
    }

    /// The connections from a node to its server.
    fn way(&self, node: usize) -> impl Iterator<Item = usize> {
        let uplink = |node: usize| self.nodes[node].uplink;
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
        self.monitor.beat_count
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

    fn session(&mut self, node: usize) -> Option<&mut Session> {
        match &mut self.nodes[node].role {
            Role::Client(client) => Some(&mut client.session),
            Role::Server(server) => Some(&mut server.session),
            Role::Proxy => None,
        }
    }

    fn named_session(&mut self, node: usize) -> Option<&mut Session> {
        if self.nodes[node].nameless { None } else { self.session(node) }
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            while let Some(flight) = self.network.arrived(self.now) {
                let to = flight.to;
                self.arrive(flight);
                self.check(to);
            }
            for node in 0..self.nodes.len() {
                self.wake(node);
            }
            self.settle();
        }
        self.now = end;
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let of_node = |node: &Node| match &node.role {
            Role::Client(client) => {
                client.session.poll_timeout().into_iter().chain(client.next_read()).min()
            }
            Role::Server(server) => {
                server.session.poll_timeout().into_iter().chain(server.next_job()).min()
            }
            Role::Proxy => None,
        };
        self.nodes.iter().filter_map(of_node).chain(self.network.next_arrival()).min()
    }

    fn wake(&mut self, node: usize) {
        let now = self.now;
        let Some(session) = self.session(node) else { return };
        if session.poll_timeout().is_some_and(|due| due <= now) {
            session.handle_timeout(now);
            assert!(session.poll_timeout().is_none_or(|due| due > now), "what is due was done");
            self.wakes += 1;
            self.check(node);
        }
    }

    /// Applications look at their sessions, and what these want to send is sent.
    fn settle(&mut self) {
        let now = self.now;
        for node in 0..self.nodes.len() {
            match &mut self.nodes[node].role {
                Role::Client(client) => client.settle(now),
                Role::Server(server) => server.settle(now),
                Role::Proxy => continue,
            }
            while let Some(transmit) = self.session(node).and_then(Session::poll_transmit) {
                self.monitor.sent(now, node, &transmit, self.nodes[node].interval);
                self.send(node, transmit);
                self.check(node);
                // What left makes room for more.
                if let Role::Server(server) = &mut self.nodes[node].role {
                    server.settle(now);
                }
            }
        }
    }

    fn check(&mut self, node: usize) {
        let Node { role, checker, .. } = &mut self.nodes[node];
        match role {
            Role::Client(client) => checker.check(&client.session),
            Role::Server(server) => checker.check(&server.session),
            Role::Proxy => {}
        }
    }

    fn send(&mut self, node: usize, transmit: Transmit) {
        let Transmit { to, envelope, payload, .. } = transmit;
        let mut frames = envelope.frames().to_vec();
        let is_client = matches!(self.nodes[node].role, Role::Client(_));
        let link = match (self.nodes[node].nameless, is_client) {
            (true, true) => self.nodes[node].uplink,
            (true, false) => Some(link_of(&frames.remove(0))),
            (false, _) => Some(connection(to)),
        };
        frames.extend([Bytes::new(), payload.to_bytes()]);
        if let Some(link) = link {
            self.network.send(&mut self.prng, self.now, link, node, frames);
        }
    }

    fn arrive(&mut self, flight: Flight) {
        let Flight { link, to, mut frames } = flight;
        let node = &self.nodes[to];
        if let Role::Proxy = node.role {
            let onward = if self.network.links[link].ends[1] == to {
                frames.insert(0, routing_id(link));
                node.uplink
            } else {
                Some(link_of(&frames.remove(0)))
            };
            if let Some(onward) = onward {
                self.network.send(&mut self.prng, self.now, onward, to, frames);
            }
            return;
        }
        let from = if node.nameless { PeerId::NAMELESS } else { peer(link) };
        let routes = node.nameless && matches!(node.role, Role::Server(_));
        let message = Multipart::from_frames(routes.then(|| routing_id(link)), frames);
        let message = message.expect("messages have frames");
        self.monitor.received(to, from, &message.envelope, &message.payload);
        let now = self.now;
        if let Some(session) = self.session(to) {
            test_session::hear(session, now, from, message).expect("nobody misbehaves here");
        }
    }
}

/// How both ends of a connection call each other.
fn peer(link: usize) -> PeerId {
    PeerId::new(link as u64 + 1)
}

/// Which connection a peer is at the end of.
fn connection(peer: PeerId) -> usize {
    let number = peer.number().expect("it has a name");
    usize::try_from(number - 1).expect("a small number")
}

/// How a ROUTER names a connection.
fn routing_id(link: usize) -> Bytes {
    let number = u32::try_from(link).expect("a small number").to_be_bytes();
    [&[0], &number[..]].concat().into()
}

fn link_of(routing_id: &Bytes) -> usize {
    let number = routing_id[1..].try_into().expect("a routing id");
    u32::from_be_bytes(number) as usize
}
