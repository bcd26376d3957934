//! Scenarios as values: made by proptest, which also finds the smallest one that fails.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};
use zerorpc_proto::{Config, HeartbeatMode, Limits};
use zerorpc_tests::world::{LinkProfile, NodeId, World, client::Manner, prng::Prng, task::Task};

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
    Congest(usize, u64),
}

/// Intervals between beats, in milliseconds.
const HEARTBEATS: [Option<u64>; 7] =
    [Some(1000), Some(1000), Some(1000), Some(2000), Some(10_000), Some(12_000), None];

/// Versions that peers speak, if not the current one; 0 is version 1 that says nothing of it.
const ELDERS: [Option<u64>; 8] = [None, None, None, None, None, Some(2), Some(1), Some(0)];

fn task() -> impl Strategy<Value = Task> {
    prop_oneof![
        4 => Just(Task::Echo),
        1 => Just(Task::Fail),
        2 => (0..8000_u64).prop_map(Task::Late),
        1 => (8000..40_000_u64).prop_map(Task::Late),
        3 => (0..12_u64).prop_map(Task::Items),
        2 => (0..330_u64).prop_map(Task::Items),
        1 => (0..60_u64).prop_map(Task::Break),
        1 => (0..1200_u64).prop_map(Task::Swell),
    ]
}

fn manner() -> impl Strategy<Value = Manner> {
    let slots = select(vec![None, None, None, Some(1), Some(2), Some(3), Some(10), Some(100)]);
    let pace = prop_oneof![3 => Just(0), 1 => 0..40_u64];
    let paced_from = prop_oneof![Just(0), 0..300_usize];
    let quit_after = prop_oneof![9 => Just(None), 1 => (1..50_usize).prop_map(Some)];
    let timeout = prop_oneof![5 => Just(30_000), 1 => 100..12_000_u64];
    (slots, pace, paced_from, any::<bool>(), quit_after, timeout).prop_map(
        |(slots, pace, paced_from, ahead, quit_after, timeout)| Manner {
            slots,
            timeout: Some(milliseconds(timeout)),
            pace: milliseconds(pace),
            paced_from,
            ahead,
            quit_after,
        },
    )
}

fn call() -> impl Strategy<Value = Step> {
    let parts = (0..4_usize, any::<bool>(), task(), manner());
    parts.prop_map(|(client, any, task, manner)| Step::Call { client, any, task, manner })
}

fn fair_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => call(),
        5 => (0..900_u64).prop_map(Step::Pass),
        1 => (0..4_usize, 0..300_u64).prop_map(|(client, time)| Step::Stall(client, time)),
    ]
}

fn harm() -> impl Strategy<Value = Harm> {
    let node = 0..8_usize;
    let few = 1..4_u32;
    prop_oneof![
        1 => node.clone().prop_map(Harm::Reconnect),
        1 => Just(Harm::ReconnectProxy),
        1 => node.clone().prop_map(Harm::Silence),
        1 => (node.clone(), 0..5000_u64).prop_map(|(node, time)| Harm::Part(node, time)),
        1 => (node.clone(), few.clone()).prop_map(|(node, n)| Harm::Lose(node, n)),
        1 => (node.clone(), few).prop_map(|(node, n)| Harm::Repeat(node, n)),
        2 => (node.clone(), 0..9000_u64).prop_map(|(node, time)| Harm::Freeze(node, time)),
        1 => (node.clone(), 0..9000_u64).prop_map(|(node, time)| Harm::Forward(node, time)),
        1 => (node.clone(), 0..3000_u64).prop_map(|(node, time)| Harm::Back(node, time)),
        1 => node.clone().prop_map(Harm::Restart),
        1 => node.clone().prop_map(Harm::RestartClient),
        1 => node.clone().prop_map(Harm::Drain),
        2 => node.clone().prop_map(Harm::Finish),
        1 => (node.clone(), 0..60_u64).prop_map(|(node, time)| Harm::Leave(node, time)),
        1 => (node, 0..3000_u64).prop_map(|(node, time)| Harm::Congest(node, time)),
    ]
}

fn resident(heartbeat: impl Strategy<Value = Option<u64>>) -> impl Strategy<Value = Resident> {
    let kinds = (any::<bool>(), any::<bool>(), any::<bool>(), heartbeat, select(ELDERS.to_vec()));
    let doors = vec(0..4_usize, 1..3);
    let links = (0..60_u64, 0..100_u64, select(vec![4 << 20, 16 << 10]));
    (kinds, doors, links).prop_map(
        |(
            (nameless, passive, serves, heartbeat, elder),
            doors,
            (latency, jitter, stream_bytes),
        )| {
            Resident {
                nameless,
                passive,
                serves,
                heartbeat,
                elder,
                doors,
                latency,
                jitter,
                stream_bytes,
            }
        },
    )
}

fn elders() -> impl Strategy<Value = [Option<u64>; 2]> {
    [select(ELDERS.to_vec()), select(ELDERS.to_vec())]
}

/// Nothing is lost, and all agree on how often they beat.
fn fair() -> impl Strategy<Value = Plan> {
    let clients = vec(resident(Just(Some(1000))), 1..4);
    let parts = (any::<u64>(), any::<bool>(), elders(), clients, vec(fair_step(), 1..16));
    parts.prop_map(|(seed, nameless_servers, elders, clients, steps)| Plan {
        seed,
        nameless_servers,
        servers: [Some(1000); 2],
        elders,
        clients,
        steps,
    })
}

fn foul() -> impl Strategy<Value = Plan> {
    let heartbeat = || select(HEARTBEATS.to_vec());
    let clients = vec(resident(heartbeat()), 1..4);
    let steps = vec(prop_oneof![5 => fair_step(), 2 => harm().prop_map(Step::Harm)], 1..24);
    let servers = ([heartbeat(), heartbeat()], elders());
    let parts = (any::<u64>(), any::<bool>(), servers, clients, steps);
    parts.prop_map(|(seed, nameless_servers, (servers, elders), clients, steps)| Plan {
        seed,
        nameless_servers,
        servers,
        elders,
        clients,
        steps,
    })
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![1 => fair(), 3 => foul()]
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
            // Without names nobody knows which of two connections an event belongs to.
            let most = if resident.nameless { 1 } else { 2 };
            for door in resident.doors.iter().take(most) {
                let (latency, jitter) =
                    (milliseconds(resident.latency), milliseconds(resident.jitter));
                let profile = LinkProfile { latency, jitter, ..LinkProfile::default() };
                world.connect(client, doors[*door], profile);
            }
            client
        });
        let clients = clients.collect();
        // Whoever beats less often than others expect may be lost: a passive client answers the first beat at once, as if it
        // were quick.
        let of_clients = self.clients.iter().map(|resident| resident.heartbeat);
        let harms = of_clients.chain(self.servers).any(|heartbeat| heartbeat != self.servers[0]);
        Run { world, servers, proxies, clients, repeats: false, harms }
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
                    let late = matches!(outcome.got[..], [zerorpc_proto::Answer::Lost(_)]);
                    let is_right = outcome.got == expected || outcome.is_as_of_version_1();
                    assert!(late || is_right, "nothing was wrong: {outcome:?}");
                }
            }
        }
    }
}
