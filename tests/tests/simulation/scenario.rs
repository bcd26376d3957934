//! Many clients, servers and proxies, on links of every kind (protocol section 11, last paragraph).

use std::time::Duration;

use zerorpc_proto::{Answer, Config, HeartbeatMode, Loss};
use zerorpc_tests::world::{
    LinkProfile, NodeId, World, client::Outcome, manner::Manner, prng::Prng, task::Task,
};

const INTERVAL: Duration = Duration::from_secs(1);

/// A world of two servers, one of which is reached through two proxies, and their clients.
struct Scenario {
    world: World,
    servers: Vec<NodeId>,
    proxies: Vec<NodeId>,
    clients: Vec<Resident>,
}

#[derive(Clone, Copy)]
struct Resident {
    client: NodeId,
    /// The node that it connects to.
    door: NodeId,
    /// Makes plain calls only: nothing ends a stream that falls silent before its first beat.
    plain: bool,
}

fn profile(prng: &mut Prng) -> LinkProfile {
    let milliseconds = |range, prng: &mut Prng| Duration::from_millis(prng.below(range));
    let (latency, jitter) = (milliseconds(60, prng), milliseconds(100, prng));
    LinkProfile { latency, jitter, ..LinkProfile::default() }
}

fn scenario(seed: u64, faults: bool) -> Scenario {
    let mut prng = Prng::with_seed(seed);
    let config = |config: Config| config.heartbeat(INTERVAL);
    let nameless = prng.chance(50);
    let mut world = World::new(prng);
    let servers: Vec<_> =
        (0..2).map(|at| world.add_server(config(Config::server(at)), nameless)).collect();
    let proxies = vec![world.add_proxy(), world.add_proxy()];
    for (from, to) in [(proxies[0], proxies[1]), (proxies[1], servers[1])] {
        let profile = profile(&mut world.prng);
        world.connect(from, to, profile);
    }
    let doors = [servers[0], servers[1], proxies[0], proxies[1]];
    let mut clients = Vec::new();
    for _ in 0..12 {
        let passive = world.prng.chance(30);
        let mode = if passive { HeartbeatMode::Passive } else { HeartbeatMode::Active };
        // All draw the same ids.
        let settings = config(Config::client(77)).heartbeat_mode(mode);
        let nameless = world.prng.chance(30);
        let client = world.add_client(settings, nameless);
        let door = *world.prng.pick(&doors);
        let profile = profile(&mut world.prng);
        world.connect(client, door, profile);
        clients.push(Resident { client, door, plain: passive && faults });
    }
    Scenario { world, servers, proxies, clients }
}

impl Scenario {
    fn call(&mut self) {
        let Resident { client, plain, .. } = *self.world.prng.pick(&self.clients);
        let prng = &mut self.world.prng;
        let task = match prng.below(if plain { 6 } else { 10 }) {
            0..=3 => Task::Echo,
            4 => Task::Late(prng.below(8000)),
            5 => Task::Fail,
            6..=8 => Task::Items(prng.below(400)),
            _ => Task::Break(prng.below(150)),
        };
        let slots = [Some(1), Some(2), Some(3), Some(10), Some(100), None, None];
        let manner = Manner {
            slots: *prng.pick(&slots),
            pace: Duration::from_millis(if prng.chance(30) { prng.below(40) } else { 0 }),
            ahead: prng.chance(50),
            quit_after: prng.chance(10).then(|| 1 + prng.below(50) as usize),
            ..Manner::default()
        };
        self.world.call(client, task, manner);
    }

    /// Something that loses nothing.
    fn hiccup(&mut self) {
        let Resident { client, .. } = *self.world.prng.pick(&self.clients);
        let time = Duration::from_millis(self.world.prng.below(300));
        self.world.stall(client, time);
    }

    /// Something that loses what is on its way, and perhaps the way itself.
    fn fault(&mut self) {
        let Resident { client, door, .. } = *self.world.prng.pick(&self.clients);
        match self.world.prng.below(10) {
            0 => {
                let proxy = self.proxies[1];
                self.world.cut(proxy);
                let profile = profile(&mut self.world.prng);
                self.world.connect(proxy, self.servers[1], profile);
            }
            1..=3 => self.world.silence(client),
            _ => {
                self.world.cut(client);
                let profile = profile(&mut self.world.prng);
                self.world.connect(client, door, profile);
            }
        }
    }

    /// Everything comes to its end, and nothing is left over.
    fn end(mut self) -> Vec<Outcome> {
        for Resident { client, .. } in self.clients.clone() {
            let mut minutes = 0;
            while self.world.client(client).is_busy() {
                self.world.pass(Duration::from_secs(60));
                minutes += 1;
                assert!(minutes < 10, "{client:?} waits for ever: {:?}", self.world.client(client));
            }
        }
        self.world.pass(3 * INTERVAL + Duration::from_secs(1));
        // Callers whose connection was silenced before their first beat are not missed before their credit is.
        self.world.pass(20 * INTERVAL);
        for session in self.world.sessions() {
            assert_eq!((session.open_channels(), session.buffered_bytes()), (0, 0));
            assert_eq!(session.poll_timeout(), None);
        }
        let of_client = |scenario: &Resident| self.world.client(scenario.client).outcomes.clone();
        let outcomes: Vec<_> = self.clients.iter().flat_map(of_client).collect();
        for outcome in &outcomes {
            let executed = self.servers.iter();
            let executed =
                executed.map(|node| self.world.server(*node).executed.get(&outcome.token));
            let executed: u32 = executed.flatten().sum();
            check(outcome, executed);
        }
        outcomes
    }
}

/// A call against the reference model.
fn check(outcome: &Outcome, executed: u32) {
    let expected = outcome.task.answers(outcome.token);
    let got = &outcome.got;
    assert!(executed <= 1, "executed {executed} times: {outcome:?}");
    if got.iter().any(|answer| !matches!(answer, Answer::Lost(_))) {
        assert_eq!(executed, 1, "answered without being executed: {outcome:?}");
    }
    if *got == expected {
        return;
    }
    let (last, before) = got.split_last().expect("a call ends with an answer");
    if outcome.cancelled {
        assert_eq!(**got, expected[..got.len()]);
        return;
    }
    assert!(outcome.disturbed, "an undisturbed call: {outcome:?}, expected {expected:?}");
    assert_eq!(*before, expected[..before.len()], "what came before the loss");
    match last {
        Answer::Lost(Loss::Silent { .. } | Loss::Disconnected { .. }) => {}
        // Passive clients hear no silence before the first beat.
        Answer::Lost(Loss::TimedOut { .. } | Loss::NotSent { .. }) => {
            assert!(before.is_empty(), "{outcome:?}");
        }
        _ => panic!("{outcome:?}"),
    }
}

#[test]
fn in_fair_weather_every_call_gets_exactly_its_answers() {
    for seed in 0..10 {
        let mut scenario = scenario(seed, false);
        for _ in 0..80 {
            for _ in 0..scenario.world.prng.below(4) {
                scenario.call();
            }
            if scenario.world.prng.chance(20) {
                scenario.hiccup();
            }
            let time = Duration::from_millis(scenario.world.prng.below(700));
            scenario.world.pass(time);
        }
        let outcomes = scenario.end();
        assert!(outcomes.len() > 50);
    }
}

#[test]
fn faults_cost_only_those_calls_that_they_touch() {
    let (mut lost, mut fine) = (0, 0);
    for seed in 100..112 {
        let mut scenario = scenario(seed, true);
        for _ in 0..80 {
            for _ in 0..scenario.world.prng.below(4) {
                scenario.call();
            }
            match scenario.world.prng.below(100) {
                0..15 => scenario.hiccup(),
                15..30 => scenario.fault(),
                _ => {}
            }
            let time = Duration::from_millis(scenario.world.prng.below(700));
            scenario.world.pass(time);
        }
        for outcome in scenario.end() {
            match outcome.got.last() {
                Some(Answer::Lost(_)) => lost += 1,
                _ => fine += 1,
            }
        }
    }
    assert!(lost > 40 && fine > 500, "{lost} lost, {fine} fine: the dial is off");
}
