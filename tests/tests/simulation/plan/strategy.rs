//! How scenarios are drawn.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
};
use zerorpc_tests::world::{manner::Manner, task::Task};

use super::{Harm, Plan, Resident, Step, milliseconds};

/// Intervals between beats, in milliseconds.
const HEARTBEATS: [Option<u64>; 7] =
    [Some(1000), Some(1000), Some(1000), Some(2000), Some(10_000), Some(12_000), None];

/// Those with which nobody loses anybody, whoever has which.
const ALIKE: [Option<u64>; 6] = [Some(1000), Some(1000), Some(1000), Some(1000), Some(1200), None];

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
        2 => (node.clone(), task(), 0..4000_u64)
            .prop_map(|(node, task, time)| Harm::TurnDown(node, task, time)),
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

/// Scenarios with such intervals between beats, and such steps.
fn with<S: Strategy<Value = Vec<Step>>>(
    heartbeats: &[Option<u64>],
    steps: S,
) -> impl Strategy<Value = Plan> + use<S> {
    let heartbeat = || select(heartbeats.to_vec());
    let clients = vec(resident(heartbeat()), 1..4);
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

/// Nothing is lost.
fn fair() -> impl Strategy<Value = Plan> {
    with(&ALIKE, vec(fair_step(), 1..16))
}

fn foul() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![5 => fair_step(), 2 => harm().prop_map(Step::Harm)];
    with(&HEARTBEATS, vec(step, 1..24))
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![1 => fair(), 3 => foul()]
}
