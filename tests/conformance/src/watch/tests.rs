//! What a bystander says of exchanges that are written down here.

use rmpv::Value;

use super::*;
use crate::{
    event::Event,
    raw::{
        Framing, Handshake,
        frame::{LONG, MORE},
    },
};

mod scene;

use Side::{Connector, Listener};
use scene::{Scene, list};

#[test]
fn what_is_as_it_should_be_is_not_found_fault_with() {
    let mut scene = Scene::new();
    scene.request("a", "count").request("b", "sleep").on(Listener, "a", "STREAM", 1);
    scene.on(Connector, "a", "_zpc_more", list([2])).on(Listener, "a", "STREAM", 2);
    scene.on(Listener, "a", "STREAM_DONE", Value::Nil);
    // On its way when the end was sent.
    scene.on(Connector, "a", "_zpc_more", list([51]));
    for _ in 0..4 {
        scene.after(5.0).beat(Connector, "b").beat(Listener, "b");
    }
    scene.on(Listener, "b", "OK", list([1])).beat(Connector, "b");
    scene.request("b", "again").after(1.0).on(Listener, "b", "OK", list([2]));
    scene.finds_nothing();
    assert_eq!(scene.connection.events(), 19);
}

#[test]
fn both_dialects_of_grants_count() {
    let mut scene = Scene::new();
    let old = Event::new("a", "gen", list([4])).with("v", 2);
    scene.event(Connector, &old).on(Listener, "a", "STREAM", 1);
    scene.on(Connector, "a", "_zpc_hb", list([1])).on(Listener, "a", "STREAM", 2);
    scene.finds(Connector, "event.version");
    scene.on(Listener, "a", "STREAM", 3);
    assert_eq!(scene.found()[1], (Listener, "credit.exceeded"));
}

#[test]
fn answers_are_counted_and_come_once() {
    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "OK", list([1])).on(Listener, "a", "OK", list([1]));
    scene.finds(Listener, "channel.second-answer");

    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "OK", list([1])).beat(Listener, "a");
    scene.finds(Listener, "channel.server-goes-on");

    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "STREAM", 1).on(Listener, "a", "STREAM", 2);
    scene.finds(Listener, "credit.exceeded");

    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "STREAM", 1);
    scene.on(Listener, "a", "STREAM_DONE", Value::Nil);
    scene.finds(Listener, "credit.end");

    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "OK", list([1, 2]));
    scene.finds(Listener, "answer.ok");

    let mut scene = Scene::new();
    let error = Value::Array(vec!["E".into(), "m".into()]);
    scene.request("a", "x").on(Listener, "a", "ERR", error);
    scene.finds(Listener, "answer.err");
}

#[test]
fn channels_that_were_not_asked_for_are_found() {
    let mut scene = Scene::new();
    scene.on(Listener, "a", "OK", list([1]));
    scene.finds(Listener, "channel.unknown");

    let mut scene = Scene::new();
    let beat = Event::new("b", "_zpc_hb", list([0]));
    scene.event(Connector, &beat);
    scene.finds(Connector, "channel.none-opened");

    let mut scene = Scene::new();
    scene.request("a", "x");
    let bin = Value::Binary(b"a".to_vec());
    let answer = Event::new("z", "OK", list([1])).on(&bin);
    scene.event(Listener, &answer);
    scene.finds(Listener, "event.id-type");

    let mut scene = Scene::new();
    scene.request("a", "x").request("a", "y");
    // Nobody can tell whose these are.
    scene.on(Listener, "a", "OK", list([1])).on(Listener, "a", "OK", list([2]));
    scene.finds(Connector, "channel.id-taken");
}

#[test]
fn envelopes_are_part_of_the_name_of_a_channel() {
    let mut scene = Scene::new();
    let request = Event::new("a", "x", list([])).encode();
    scene.frames(Connector, &[b"one", b"", &request]).frames(Connector, &[b"two", b"", &request]);
    let answer = Event::new("z", "OK", list([1])).on(&Value::from("a")).encode();
    scene.frames(Listener, &[b"two", b"", &answer]);
    scene.finds_nothing();
    let answer = Event::new("y", "OK", list([1])).on(&Value::from("a")).encode();
    scene.frames(Listener, &[b"three", b"", &answer]);
    scene.finds(Listener, "frames.envelope");
}

#[test]
fn a_client_that_goes_on_is_given_time() {
    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "OK", list([1])).after(0.9).beat(Connector, "a");
    scene.finds_nothing();
    scene.after(0.2).beat(Connector, "a");
    scene.finds(Connector, "channel.client-goes-on");
}

#[test]
fn silence_is_found_on_the_side_that_is_silent() {
    let mut scene = Scene::new();
    scene.request("a", "x").after(5.0).beat(Connector, "a").after(5.0).after(0.9);
    scene.finds_nothing();
    scene.after(0.2);
    scene.finds(Listener, "beat.server-silent");

    // A caller that has gone silent may have been lost.
    let mut scene = Scene::new();
    scene.request("a", "x").after(5.0).beat(Connector, "a").beat(Listener, "a");
    scene.after(5.0).beat(Listener, "a").after(30.0);
    scene.finds_nothing();
    scene.beat(Listener, "a");
    scene.finds(Listener, "beat.caller-not-lost");

    let mut scene = Scene::new();
    scene.request("a", "x").on(Listener, "a", "STREAM", 1);
    for _ in 0..3 {
        scene.after(4.9).beat(Listener, "a");
    }
    scene.on(Connector, "a", "_zpc_more", list([100]));
    assert!(scene.found().contains(&(Connector, "beat.client-silent")), "{:?}", scene.found());
}

#[test]
fn grants_have_a_form_a_time_and_a_bound() {
    let grant = |args: Value| {
        let mut scene = Scene::new();
        scene.request("a", "x").on(Listener, "a", "STREAM", 1).on(
            Connector,
            "a",
            "_zpc_more",
            args,
        );
        scene
    };
    grant(list([0])).finds(Connector, "credit.form");
    grant(Value::from(5)).finds(Connector, "credit.form");
    grant(list([1001])).finds(Connector, "credit.too-much");
    grant(list([1000])).finds_nothing();
    let mut scene = Scene::new();
    scene.request("a", "x").on(Connector, "a", "_zpc_more", list([100]));
    scene.finds(Connector, "credit.unneeded");
}

#[test]
fn handshakes_are_judged_step_by_step() {
    let mut scene = Scene::greeted();
    scene.bytes(Connector, &Handshake::new("DEALER").ready()).request("a", "x");
    scene.finds(Connector, "handshake.early-message");

    let mut scene = Scene::greeted();
    scene.bytes(Connector, &Handshake::new("").ready());
    scene.finds(Connector, "handshake.ready-broken");

    let mut scene = Scene::greeted();
    scene.bytes(Connector, &Handshake::new("DEALER").ready()).after(4.0);
    scene.finds_nothing();
    scene.after(2.0);
    scene.finds(Listener, "handshake.no-ready");
    scene.after(26.0);
    assert_eq!(scene.found()[1..], [(Connector, "handshake.too-long")]);

    let mut scene = Scene::greeted();
    scene.bytes(Connector, &Handshake::new("DEALER").identity("me").ready());
    scene.finds(Connector, "handshake.identity");

    Scene::of("DEALER", "PUB").finds(Listener, "handshake.socket-type");
    Scene::of("REQ", "ROUTER").finds_nothing();

    let view = View { both: true, whole: true };
    let mut eager = Connection::new(view, Settings::default(), Duration::ZERO);
    eager.hear(Listener, Duration::ZERO, &Handshake::new("").greeting());
    let seen = eager.take_sightings();
    assert!(
        matches!(&seen[..], [Sighting { what: What::Broken { check, .. }, .. }] if check.name == "greeting.too-eager"),
        "{seen:?}"
    );
}

#[test]
fn commands_are_judged_by_what_the_other_has_said() {
    let mut scene = Scene::new();
    scene.say(Listener, "PING", b"\0\0one").say(Listener, "PING", b"\0\0two");
    scene.say(Connector, "PONG", b"one").say(Connector, "PONG", b"two").after(9.0);
    scene.finds_nothing();
    scene.say(Connector, "PONG", b"two");
    scene.finds(Connector, "command.pong-context");

    let mut scene = Scene::new();
    scene.say(Listener, "PING", b"\0\0one").after(4.0);
    scene.finds_nothing();
    scene.after(2.0);
    scene.finds(Connector, "command.pong-missing");

    let mut scene = Scene::new();
    scene.say(Listener, "PING", b"\0").say(Connector, "PONG", b"memory");
    scene.finds(Connector, "command.pong-leaks");

    let mut scene = Scene::new();
    scene.say(Listener, "PING", b"\0\x14x").say(Connector, "PONG", b"x").after(5.0);
    scene.finds(Connector, "command.ttl-passed");

    let mut scene = Scene::new();
    scene.say(Listener, "GOAWAY", b"");
    scene.finds(Listener, "command.goaway");

    let mut scene = Scene::new();
    scene.bytes(Connector, &Handshake::new("DEALER").ready());
    scene.finds(Connector, "handshake.no-ready");
}

#[test]
fn frames_are_judged_as_they_stand() {
    let request = Event::new("a", "x", list([])).encode();
    let framed = |flags: u8| {
        let mut scene = Scene::new();
        scene.bytes(Connector, &Framing::V2.frame(MORE | flags, b""));
        scene.bytes(Connector, &Framing::V2.frame(0, &request));
        scene
    };
    framed(0).finds_nothing();
    framed(LONG).finds(Connector, "frame.long-form");
    framed(0x40).finds(Connector, "frame.reserved-bits");
    let mut scene = Scene::new();
    scene.frames(Connector, &[&request]);
    scene.finds(Connector, "frames.client");
    let mut scene = Scene::new();
    scene.frames(Connector, &[b"", &request, b"more"]);
    scene.finds(Connector, "frames.client");
    let mut scene = Scene::new();
    let other = Event::new("b", "x", list([])).encode();
    scene.frames(Connector, &[b"", &request, b"", &other]);
    scene.finds(Connector, "frames.client");
    assert_eq!(scene.connection.events(), 2);
}

#[test]
fn one_way_sockets_have_rules_of_their_own() {
    let event = Event::new("a", "x", list([]));
    let mut scene = Scene::of("PUSH", "PULL");
    scene.frames(Connector, &[&event.encode()]);
    scene.finds_nothing();
    scene.event(Connector, &event);
    scene.finds(Connector, "frames.one-way");

    let mut scene = Scene::of("SUB", "PUB");
    scene.say(Connector, "SUBSCRIBE", b"");
    scene.finds_nothing();
    scene.frames(Connector, &[b"\x01x"]);
    let found = scene.found();
    assert_eq!(found, [(Connector, "subscribe.form"), (Connector, "subscribe.prefix")]);

    let mut scene = Scene::of("PUSH", "PULL");
    scene.frames(Listener, &[b"thanks"]);
    scene.finds(Listener, "one-way.back");
}

#[test]
fn what_is_encrypted_is_said_to_be() {
    let view = View { both: true, whole: true };
    let mut connection = Connection::new(view, Settings::default(), Duration::ZERO);
    let mut greeting = Handshake::new("").greeting();
    greeting[12..17].copy_from_slice(b"CURVE");
    for part in [&greeting[..10], &greeting[10..11], &greeting[11..]] {
        for side in Side::BOTH {
            connection.hear(side, Duration::ZERO, part);
        }
    }
    connection.hear(Connector, Duration::ZERO, &[0xff; 300]);
    let seen = connection.take_sightings();
    assert!(connection.is_unread());
    assert!(
        matches!(&seen[..], [Sighting { what: What::Note(words), .. }] if words.contains("CURVE")),
        "{seen:?}"
    );
}

#[test]
fn a_connection_that_began_earlier_is_not_asked_for_its_beginning() {
    let view = View { both: true, whole: false };
    let connection = Connection::new(view, Settings::default(), Duration::ZERO);
    let mut scene = Scene::begin(connection);
    scene.on(Listener, "a", "STREAM", 1).on(Listener, "a", "STREAM", 2);
    scene.on(Listener, "a", "STREAM_DONE", Value::Nil).beat(Connector, "a");
    scene.request("b", "x").on(Listener, "b", "OK", list([1]));
    scene.finds_nothing();
    scene.on(Listener, "a", "STREAM_DONE", Value::Nil);
    scene.finds(Listener, "channel.second-answer");
}

#[test]
fn checks_have_names_of_their_own() {
    let mut names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
