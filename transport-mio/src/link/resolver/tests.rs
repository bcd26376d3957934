use zerorpc_proto::transport::Endpoint;

use super::*;
use crate::link::testing::World;

const SECOND: Duration = Duration::from_secs(1);

fn resolver(world: &World, endpoint: &str, now: Instant) -> Resolver {
    let read = Endpoint::parse_connect(endpoint).expect(endpoint);
    let Endpoint::Tcp { source, address, .. } = read else { panic!("{endpoint} is not tcp") };
    Resolver::new(source, address, &LinkOptions::default(), 7, world.notifier.clone(), now)
}

/// What a look-up comes to that is due at that time.
fn outcome(world: &mut World, resolver: &mut Resolver, now: Instant) -> Resolution {
    loop {
        match resolver.poll(now) {
            Resolution::Waiting(None) => world.wait(None),
            outcome => return outcome,
        }
    }
}

fn found(world: &mut World, resolver: &mut Resolver, now: Instant) -> Vec<std::net::SocketAddr> {
    match outcome(world, resolver, now) {
        Resolution::Found(addresses) => addresses.to,
        other => panic!("{other:?}"),
    }
}

fn due(resolver: &mut Resolver, now: Instant) -> Option<Instant> {
    match resolver.poll(now) {
        Resolution::Waiting(until) => until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_looked_up_every_now_and_then_and_when_asked_to() {
    let mut world = World::new();
    let start = Instant::now();
    let mut resolver = resolver(&world, "tcp://localhost:80", start);
    let first = found(&mut world, &mut resolver, start);
    assert!(first.contains(&([127, 0, 0, 1], 80).into()), "{first:?}");
    assert_eq!(due(&mut resolver, start), Some(start + 30 * SECOND));
    // Many may ask: it is looked up once, and not before a second has passed.
    assert_eq!(resolver.wake_if_earlier(start), Some(start + SECOND));
    assert_eq!(resolver.wake_if_earlier(start + SECOND / 2), None);
    assert_eq!(due(&mut resolver, start + SECOND / 2), Some(start + SECOND));
    let second = start + SECOND;
    assert_eq!(found(&mut world, &mut resolver, second), first);
    assert_eq!(due(&mut resolver, second), Some(second + 30 * SECOND));
    let late = second + 10 * SECOND;
    assert_eq!(resolver.wake_if_earlier(late), Some(late));
    assert_eq!(found(&mut world, &mut resolver, late), first);
    // Without being asked.
    let third = late + 30 * SECOND;
    assert_eq!(found(&mut world, &mut resolver, third), first);
}

#[test]
fn what_is_no_name_is_found_once() {
    let world = World::new();
    let now = Instant::now();
    let mut resolver = resolver(&world, "tcp://127.0.0.1:*;127.0.0.2:80", now);
    let Resolution::Found(addresses) = resolver.poll(now) else { panic!("it is there at once") };
    assert_eq!(addresses.to, [([127, 0, 0, 2], 80).into()]);
    assert_eq!(addresses.from, Some(vec![([127, 0, 0, 1], 0).into()]));
    assert_eq!(due(&mut resolver, now), None);
    assert_eq!(resolver.wake_if_earlier(now), None);
}

#[test]
fn failures_are_tried_again_after_waits_that_grow() {
    let mut world = World::new();
    let mut now = Instant::now();
    let mut resolver = resolver(&world, "tcp://no-such-host.invalid:80", now);
    for bounds in [100..=200, 200..=400, 400..=800] {
        let Resolution::Failed { reason, retry } = outcome(&mut world, &mut resolver, now) else {
            panic!("there is no such host")
        };
        assert!(reason.contains("unknown host `no-such-host.invalid`"), "{reason}");
        let wait = (retry - now).as_millis();
        assert!(bounds.contains(&wait), "{wait} ms, not {bounds:?}");
        assert_eq!(resolver.wake_if_earlier(now), None, "it is tried again anyway");
        assert_eq!(due(&mut resolver, now), Some(retry));
        now = retry;
    }
}
