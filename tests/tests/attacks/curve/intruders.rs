//! Clients that are none, against a server.

use std::{
    io::Write,
    net::{Shutdown, TcpStream},
};

use dryoc::classic::crypto_box::crypto_box_open_easy;
use zerorpc_tests::{raw_caller, service::eventually};

use super::{
    announced, client_keys, command, frame, greeting, hear, hear_greeting, keys, property,
    raw::{Claim, RawClient},
    say, secured, server_keys, trusted_keys, withstand,
};
use crate::harness::{AttackHarness, is_closed};

const SHORT_TERM: [u8; 32] = [21; 32];
const OTHER: [u8; 32] = [22; 32];

/// The first number after the handshake.
const FIRST: u64 = 3;

/// A raw client and its connection.
struct Intruder {
    stream: TcpStream,
    client: RawClient,
}

impl Intruder {
    /// One that has been greeted.
    fn greeted(harness: &AttackHarness, secret: [u8; 32]) -> Self {
        let mut stream = harness.connect();
        say(&mut stream, &greeting("CURVE", false));
        hear_greeting(&mut stream);
        Self { stream, client: RawClient::new(secret) }
    }

    /// One that has its WELCOME.
    fn met(harness: &AttackHarness, secret: [u8; 32]) -> Self {
        let mut met = Self::greeted(harness, secret);
        say(&mut met.stream, &command("HELLO", &met.client.hello()));
        let welcome = hear(&mut met.stream);
        met.client.welcome(welcome.strip_prefix(b"\x04\xa8\x07WELCOME").expect("a WELCOME"));
        met
    }

    /// One that is in, as what it is.
    fn connected(harness: &AttackHarness) -> Self {
        let mut connected = Self::met(harness, SHORT_TERM);
        connected.initiate(&connected.client.truth());
        connected.hear_ready();
        connected
    }

    fn initiate(&mut self, claim: &Claim) {
        say(&mut self.stream, &command("INITIATE", &self.client.initiate(claim)));
    }

    fn hear_ready(&mut self) -> Vec<u8> {
        let ready = hear(&mut self.stream);
        assert!(ready[2..].starts_with(b"\x05READY"), "{}", ready.escape_ascii());
        ready
    }

    /// Calls a method without arguments, with the numbers from `number` on.
    fn call(&mut self, number: u64, method: &str) {
        let request = self.request(number, method);
        say(&mut self.stream, &request);
    }

    fn request(&self, number: u64, method: &str) -> Vec<u8> {
        // Without the frames that it is in.
        let payload = raw_caller::request(1, method, b"\x90").split_off(3 + 8);
        let delimiter = self.client.message(number, 1, b"");
        [delimiter, self.client.message(number + 1, 0, &payload)].concat()
    }

    /// What is in the next message of the server.
    fn answer(&mut self) -> Vec<u8> {
        hear(&mut self.stream);
        let said = hear(&mut self.stream);
        let at = said.windows(8).position(|window| window == b"\x07MESSAGE").expect("a MESSAGE");
        let (number, sealed) = said[at + 8..].split_at(8);
        let nonce = [b"CurveZMQMESSAGES", number].concat().try_into().expect("24 bytes");
        let mut content = vec![0; sealed.len() - 16];
        crypto_box_open_easy(
            &mut content,
            sealed,
            &nonce,
            &self.client.theirs,
            &self.client.secret,
        )
        .expect("it is for us");
        content
    }
}

/// What is done, what the server's monitor says of it, and how to do it.
type Attack = (&'static str, &'static str, fn(&AttackHarness) -> TcpStream);

const REPLAYS: [Attack; 7] = [
    ("HELLO on its connection", "where INITIATE was due", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        say(&mut met.stream, &command("HELLO", &met.client.hello()));
        met.stream
    }),
    ("INITIATE on its connection", "something unencrypted", |harness| {
        let mut connected = Intruder::connected(harness);
        connected.initiate(&connected.client.truth());
        connected.stream
    }),
    ("a whole handshake", "a cookie that was not made for this connection", |harness| {
        let old = Intruder::connected(harness);
        let initiate = command("INITIATE", &old.client.initiate(&old.client.truth()));
        let again = [command("HELLO", &old.client.hello()), initiate].concat();
        let mut stream = Intruder::greeted(harness, OTHER).stream;
        say(&mut stream, &again);
        hear(&mut stream);
        stream
    }),
    ("a call of another connection", "a MESSAGE that cannot be opened", |harness| {
        let call = Intruder::connected(harness).request(FIRST, "echo");
        let mut connected = Intruder::connected(harness);
        say(&mut connected.stream, &call);
        connected.stream
    }),
    ("a call", "an encrypted frame once more", |harness| {
        let mut connected = Intruder::connected(harness);
        (0..2).for_each(|_| connected.call(FIRST, "echo"));
        connected.stream
    }),
    ("a number that falls", "an encrypted frame once more", |harness| {
        let mut connected = Intruder::connected(harness);
        connected.call(u64::MAX - 1, "echo");
        connected.call(FIRST, "count");
        connected.stream
    }),
    ("the server's own words", "", |harness| {
        let mut connected = Intruder::connected(harness);
        connected.call(FIRST, "count");
        let answer = hear(&mut connected.stream);
        // It may have gone by the time the second part comes.
        let _ = connected.stream.write_all(&answer);
        connected.stream
    }),
];

const CLAIMS: [Attack; 9] = [
    ("WELCOME in place of INITIATE", "where INITIATE was due", |harness| {
        let mut greeted = Intruder::greeted(harness, SHORT_TERM);
        say(&mut greeted.stream, &command("HELLO", &greeted.client.hello()));
        let welcome = hear(&mut greeted.stream);
        say(&mut greeted.stream, &welcome);
        greeted.stream
    }),
    ("a cookie of an old key", "a cookie that was not made for this connection", |harness| {
        let old = Intruder::met(harness, SHORT_TERM).client;
        let mut met = Intruder::met(harness, SHORT_TERM);
        met.client.cookie = old.cookie;
        met.initiate(&met.client.truth());
        met.stream
    }),
    ("another's cookie", "a cookie that was not made for this connection", |harness| {
        let another = Intruder::met(harness, OTHER);
        let mut met = Intruder::met(harness, SHORT_TERM);
        met.client.cookie.clone_from(&another.client.cookie);
        met.initiate(&met.client.truth());
        met.stream
    }),
    ("ada's key, vouched for by mallory", "does not have the key", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let known = *trusted_keys().public.as_bytes();
        met.initiate(&Claim { known, ..met.client.truth() });
        met.stream
    }),
    ("a vouch for another's connection", "does not have the key", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let vouched = [RawClient::new(OTHER).public, *server_keys().public.as_bytes()];
        met.initiate(&Claim { vouched, ..met.client.truth() });
        met.stream
    }),
    ("a vouch for another server", "does not have the key", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let vouched = [met.client.public, *trusted_keys().public.as_bytes()];
        met.initiate(&Claim { vouched, ..met.client.truth() });
        met.stream
    }),
    ("a key that nobody knows", "key is not authorized here", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let voucher = keys(33);
        met.initiate(&Claim { known: *voucher.public.as_bytes(), voucher, ..met.client.truth() });
        met.stream
    }),
    ("mallory's key under ada's name", "", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let names = ["Identity", "User-Id", "name"].map(|name| property(name, b"ada"));
        let properties = [met.client.truth().properties, names.concat()].concat();
        met.initiate(&Claim { properties, ..met.client.truth() });
        met.hear_ready();
        met.call(FIRST, "count");
        let answer = met.answer();
        let refused = String::from_utf8_lossy(&answer);
        assert!(refused.contains("mallory may not call count"), "{refused}");
        met.stream.shutdown(Shutdown::Write).expect("it is open");
        met.stream
    }),
    ("another server's key", "HELLO that cannot be opened", |harness| {
        let mut greeted = Intruder::greeted(harness, SHORT_TERM);
        let mut hello = greeted.client.hello();
        *hello.last_mut().expect("it is long") ^= 1;
        say(&mut greeted.stream, &command("HELLO", &hello));
        greeted.stream
    }),
];

const LENGTHS: [Attack; 8] = [
    ("a short HELLO", "its length is wrong", |harness| {
        let mut greeted = Intruder::greeted(harness, SHORT_TERM);
        say(&mut greeted.stream, &command("HELLO", &greeted.client.hello()[..199 - 6]));
        greeted.stream
    }),
    ("a long HELLO", "announced a command of 263 bytes", |harness| {
        let mut greeted = Intruder::greeted(harness, SHORT_TERM);
        say(&mut greeted.stream, &announced(4, 263));
        greeted.stream
    }),
    ("a short INITIATE", "INITIATE", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let mut data = met.client.initiate(&met.client.truth());
        data.pop();
        say(&mut met.stream, &command("INITIATE", &data));
        met.stream
    }),
    ("a long INITIATE", "announced a command of 65537 bytes", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        say(&mut met.stream, &announced(4, (64 << 10) + 1));
        met.stream
    }),
    ("INITIATE with something behind its box", "INITIATE that cannot be opened", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        let data = [met.client.initiate(&met.client.truth()), vec![0]].concat();
        say(&mut met.stream, &command("INITIATE", &data));
        met.stream
    }),
    ("a short MESSAGE", "MESSAGE", |harness| {
        let mut connected = Intruder::connected(harness);
        let mut body = connected.client.message_body(FIRST, 0, b"content");
        body.pop();
        say(&mut connected.stream, &frame(0, &body));
        connected.stream
    }),
    ("a MESSAGE without a box", "MESSAGE", |harness| {
        let mut connected = Intruder::connected(harness);
        say(&mut connected.stream, &frame(0, b"\x07MESSAGE"));
        connected.stream
    }),
    ("a large MESSAGE", "bytes", |harness| {
        let mut connected = Intruder::connected(harness);
        say(&mut connected.stream, &announced(0, (1 << 30) + 33 + 1));
        connected.stream
    }),
];

/// What is said without CURVE, or within it without a box.
const IN_THE_CLEAR: [Attack; 8] = [
    ("a call in the clear", "something unencrypted", |harness| {
        let mut connected = Intruder::connected(harness);
        say(&mut connected.stream, &raw_caller::request(1, "count", b"\x90"));
        connected.stream
    }),
    ("PING in the clear", "something unencrypted", |harness| {
        let mut connected = Intruder::connected(harness);
        say(&mut connected.stream, &command("PING", b"\0\0"));
        connected.stream
    }),
    ("ERROR in the clear", "something unencrypted", |harness| {
        let mut connected = Intruder::connected(harness);
        say(&mut connected.stream, &command("ERROR", b"\x03400"));
        connected.stream
    }),
    ("the server's READY", "something unencrypted", |harness| {
        let mut met = Intruder::met(harness, SHORT_TERM);
        met.initiate(&met.client.truth());
        let ready = met.hear_ready();
        say(&mut met.stream, &ready);
        met.stream
    }),
    ("NULL", "mechanism is NULL, ours is CURVE", |harness| {
        let mut stream = harness.connect();
        let call = raw_caller::request(1, "count", b"\x90");
        say(&mut stream, &[raw_caller::handshake(), call].concat());
        stream
    }),
    ("PLAIN", "mechanism is PLAIN, ours is CURVE", |harness| {
        let mut stream = harness.connect();
        let hello = command("HELLO", b"\x03ada\x08lovelace");
        say(&mut stream, &[greeting("PLAIN", false), hello].concat());
        stream
    }),
    ("ZMTP 2.0", "which has no CURVE", |harness| {
        let mut stream = harness.connect();
        say(&mut stream, b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0");
        stream
    }),
    ("ZMTP 1.0", "which has no CURVE", |harness| {
        let mut stream = harness.connect();
        say(&mut stream, b"\xff\0\0\0\0\0\0\0\x01\x7f\0\x05");
        stream
    }),
];

#[test]
fn nobody_gets_in_who_does_not_belong() {
    let harness = secured();
    let attacks: Vec<Attack> = [&REPLAYS[..], &CLAIMS, &LENGTHS, &IN_THE_CLEAR].concat();
    let attacks = attacks.into_iter().map(|(what, why, attack)| {
        let harness = &harness;
        let play = move || {
            harness.reasons();
            is_closed(&mut attack(harness));
            let mut told = Vec::new();
            eventually(what, || {
                told.extend(harness.reasons());
                told.iter().any(|reason| reason.contains(why))
            });
        };
        (what, Box::new(play) as Box<dyn Fn()>)
    });
    let attacks: Vec<_> = attacks.collect();
    let attacks: Vec<_> = attacks.iter().map(|(what, play)| (*what, &**play)).collect();
    withstand(&harness, &attacks);
    assert_eq!(client_keys().public.as_bytes(), &RawClient::new([11; 32]).public);
}
