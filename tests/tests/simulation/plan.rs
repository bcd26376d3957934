//! Scenarios as values: made by proptest (`strategy.rs`), which also finds the smallest one that fails.

mod strategy;

use std::time::Duration;

use zerorpc_proto::{Answer, Config, HeartbeatMode, Limits, Loss};
use zerorpc_tests::world::{LinkProfile, NodeId, World, manner::Manner, prng::Prng, task::Task};

pub(crate) use strategy::plan;

/// A world, and what happens in it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What is left to chance, such as how long each message takes.
    seed: u64,
    nameless_servers: bool,
    servers: [Option<u64>; 2],
    /// Which of them speak an earlier version, and which one.
    elders: [Option<u64>; 2],
    clients: Vec<Resident>,
    steps: Vec<Step>,
}

/// A client.
#[derive(Debug, Clone)]
struct Resident {
    nameless: bool,
    passive: bool,
    /// It would take requests as well.
    serves: bool,
    heartbeat: Option<u64>,
    /// The earlier version that it speaks.
    elder: Option<u64>,
    /// Which nodes it connects to: two servers, and two proxies in front of the second one.
    doors: Vec<usize>,
    latency: u64,
    jitter: u64,
    /// How many bytes of items may be ahead of their reader.
    stream_bytes: usize,
}

impl Resident {
    /// Those that it uses: without names nobody knows which of two connections an event belongs to.
    fn doors(&self) -> impl Iterator<Item = usize> {
        self.doors.iter().take(if self.nameless { 1 } else { 2 }).copied()
    }
}

/// Something that happens. Times are in milliseconds, nodes are numbers modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Call { client: usize, any: bool, task: Task, manner: Manner },
    Stall(usize, u64),
    Harm(Harm),
}

/// Something that does harm: calls may be lost.
#[derive(Debug, Clone)]
enum Harm {
    Reconnect(usize),
    ReconnectProxy,
    Silence(usize),
    Part(usize, u64),
    Lose(usize, u32),
    Repeat(usize, u32),
    Freeze(usize, u64),
    Forward(usize, u64),
    Back(usize, u64),
    Restart(usize),
    RestartClient(usize),
    Drain(usize),
    Finish(usize),
    /// A server stops while a request is on its way to it, and says its last word at once.
    Leave(usize, u64),
    /// A server that is busy stops after a while: it has beaten for what waits, and turns that down.
    TurnDown(usize, Task, u64),
    Congest(usize, u64),
}

fn milliseconds(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// A plan under way.
struct Run {
    world: World,
    servers: Vec<NodeId>,
    proxies: Vec<NodeId>,
    clients: Vec<NodeId>,
    repeats: bool,
    harms: bool,
}

impl Plan {
    fn begin(&self, told: bool) -> Run {
        let mut world = World::new(Prng::seeded(self.seed));
        if told {
            world.tell_all();
        }
        let heartbeat =
            |config: Config, time: Option<u64>| config.heartbeat(time.map(milliseconds));
        let servers: Vec<_> = (0..2)
            .map(|at| {
                let config = heartbeat(Config::server(at as u128), self.servers[at]);
                let server = world.add_server(config, self.nameless_servers);
                world.make_elder(server, self.elders[at]);
                server
            })
            .collect();
        let proxies = vec![world.add_proxy(), world.add_proxy()];
        let profile = LinkProfile { latency: milliseconds(5), ..LinkProfile::default() };
        world.connect(proxies[0], proxies[1], profile.clone());
        world.connect(proxies[1], servers[1], profile);
        let doors = [servers[0], servers[1], proxies[0], proxies[1]];
        let clients = self.clients.iter().map(|resident| {
            // All draw the same ids.
            let config = if resident.serves { Config::server(77) } else { Config::client(77) };
            let mode =
                if resident.passive { HeartbeatMode::Passive } else { HeartbeatMode::Active };
            let limits = Limits::default().stream_bytes(resident.stream_bytes);
            let config = heartbeat(config, resident.heartbeat).heartbeat_mode(mode).limits(limits);
            let client = world.add_client(config, resident.nameless);
            world.make_elder(client, resident.elder);
            for door in resident.doors() {
                let (latency, jitter) =
                    (milliseconds(resident.latency), milliseconds(resident.jitter));
                let profile = LinkProfile { latency, jitter, ..LinkProfile::default() };
                world.connect(client, doors[door], profile);
            }
            client
        });
        let clients = clients.collect();
        let harms = self.clients.iter().any(|client| self.may_be_lost(client));
        Run { world, servers, proxies, clients, repeats: false, harms }
    }

    /// Whether a client or one of its servers beats too seldom for the other side, so that calls may be lost though nothing
    /// happens.
    fn may_be_lost(&self, client: &Resident) -> bool {
        client.doors().any(|door| {
            let server = door.min(1);
            let (Some(own), Some(other)) = (client.heartbeat, self.servers[server]) else {
                // One of them answers the other's beats, or neither counts.
                return false;
            };
            let is_seen = door < 2 && !self.nameless_servers;
            // A client counts two of its own intervals (ZRPC-5.13).
            let loses = other >= 2 * own;
            // A server counts two of its caller's, as far as it knows them (ZRPC-5.10). A passive client answers the first
            // beat at once, as if it beat as often as the server; of one whose connection it does not see, a server waits
            // three intervals for the first (ZRPC-5.11).
            let is_lost = match (client.elder, client.passive) {
                // Of one that speaks version 1, it does not count before the first beat, which comes unasked or never.
                (Some(0 | 1), _) => false,
                (_, true) => own >= 2 * other,
                (_, false) => !is_seen && own >= 3 * other,
            };
            loses || is_lost
        })
    }

    /// Does it all; panics where something is not as it should be.
    pub(crate) fn run(&self, told: bool) {
        let mut run = self.begin(told);
        for step in &self.steps {
            run.step(step);
        }
        run.end();
    }
}

impl Run {
    fn client(&self, number: usize) -> NodeId {
        self.clients[number % self.clients.len()]
    }

    /// A client or a server.
    fn node(&self, number: usize) -> NodeId {
        match number % 3 {
            0 => self.servers[number % 2],
            _ => self.client(number),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => self.world.pass(milliseconds(*time)),
            Step::Call { client, any, task, manner } => {
                let client = self.client(*client);
                let call = if *any { World::call_any } else { World::call };
                call(&mut self.world, client, *task, manner.clone());
            }
            Step::Stall(client, time) => {
                let client = self.client(*client);
                self.world.stall(client, milliseconds(*time));
            }
            Step::Harm(harm) => {
                self.harms = true;
                self.harm(harm);
            }
        }
    }

    fn harm(&mut self, harm: &Harm) {
        let server = |number: &usize| self.servers[number % self.servers.len()];
        match harm {
            Harm::Reconnect(node) => {
                let client = self.client(*node);
                self.world.reconnect(client);
            }
            Harm::ReconnectProxy => self.world.reconnect(self.proxies[1]),
            Harm::Silence(node) => {
                let client = self.client(*node);
                self.world.silence(client);
            }
            Harm::Part(node, time) => {
                let node = self.node(*node);
                self.world.part(node, milliseconds(*time));
            }
            Harm::Lose(node, number) => {
                let client = self.client(*node);
                self.world.garble(client, *number, 0);
            }
            Harm::Repeat(node, number) => {
                self.repeats = true;
                let client = self.client(*node);
                self.world.garble(client, 0, *number);
            }
            Harm::Freeze(node, time) => {
                let node = self.node(*node);
                self.world.freeze(node, milliseconds(*time));
            }
            Harm::Forward(node, time) => {
                let node = self.node(*node);
                self.world.set_clock(node, milliseconds(*time), Duration::ZERO);
            }
            Harm::Back(node, time) => {
                let node = self.node(*node);
                self.world.set_clock(node, Duration::ZERO, milliseconds(*time));
            }
            Harm::Restart(node) => self.world.restart(server(node)),
            Harm::RestartClient(node) => {
                let client = self.client(*node);
                self.world.restart_client(client);
            }
            Harm::Drain(node) => self.world.drain(server(node)),
            Harm::Finish(node) => self.world.finish(server(node)),
            Harm::Leave(node, time) => {
                let client = self.client(*node);
                self.world.call_any(client, Task::Echo, Manner::default());
                self.world.pass(milliseconds(*time));
                self.world.drain(server(node));
                self.world.finish(server(node));
            }
            Harm::TurnDown(node, task, time) => {
                let (client, server) = (self.client(*node), server(node));
                self.world.occupy(server, milliseconds(*time + 1));
                self.world.call_any(client, *task, Manner::default());
                self.world.pass(milliseconds(*time));
                self.world.drain(server);
            }
            Harm::Congest(node, time) => {
                let client = self.client(*node);
                self.world.congest(client, milliseconds(*time));
            }
        }
    }

    /// Everything comes to its end, and nothing is left over.
    fn end(mut self) {
        let patience = if self.harms { 9 } else { 60 };
        for _ in 0..patience {
            if self.clients.iter().any(|client| self.world.client(*client).is_busy()) {
                self.world.pass(Duration::from_secs(10));
            }
        }
        for client in self.clients.clone() {
            let is_busy = self.world.client(client).is_busy();
            // Into a black hole a passive caller may listen for ever.
            assert!(self.harms || !is_busy, "it waits for ever: {:?}", self.world.client(client));
            self.world.quit(client);
        }
        // Until the last server has missed those that never beat.
        self.world.pass(Duration::from_secs(700));
        for session in self.world.sessions() {
            session.check_invariants();
            let left =
                (session.open_channels(), session.buffered_bytes(), session.retained_bytes());
            assert_eq!(left, (0, 0, 0), "something is left over");
            assert_eq!(session.poll_timeout(), None, "nothing is open, and something is due");
        }
        for client in &self.clients {
            for outcome in &self.world.client(*client).outcomes {
                let executed = self.servers.iter();
                let executed = executed
                    .filter_map(|node| self.world.server(*node).executed.get(&outcome.token));
                let (executed, accepted) =
                    (executed.sum::<u32>(), self.world.accepted(outcome.token));
                assert!(executed <= accepted, "a request out of nowhere: {outcome:?}");
                assert!(executed <= 1 || self.repeats, "{executed} times: {outcome:?}");
                if !self.harms && !outcome.cancelled {
                    let expected = outcome.task.answers(outcome.token);
                    let is_late = matches!(outcome.got[..], [Answer::Lost(Loss::TimedOut { .. })]);
                    let is_right = outcome.got == expected || outcome.is_as_of_version_1();
                    assert!(is_late || is_right, "nothing was wrong: {outcome:?}");
                }
            }
        }
    }
}
