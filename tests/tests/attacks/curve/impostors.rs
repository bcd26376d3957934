//! Servers that are none, and those who stand between a client and its server.

use std::net::{TcpListener, TcpStream};

use zerorpc::{Client, TransportKind};

use super::{
    command, frame, greeting, hear, hear_greeting, raw::RawClient, say, secured, trusted, withstand,
};
use crate::harness::{AttackHarness, PATIENCE, is_closed};

/// A client that wants to call, and its connection to somebody in its server's place.
struct Victim {
    stream: TcpStream,
    /// Who goes on trying as long as it lives.
    _client: Client,
}

impl Victim {
    /// One that has been told this; it says nothing of itself before.
    fn told(words: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
        let builder = Client::builder().transport(TransportKind::Mio).socket_options(trusted());
        let client = builder.connect(&endpoint).build().expect("a client");
        let (mut stream, _) = listener.accept().expect("it connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        say(&mut stream, words);
        Self { stream, _client: client }
    }

    /// One that has said HELLO; that.
    fn greeted() -> (Self, Vec<u8>) {
        let mut victim = Self::told(&greeting("CURVE", true));
        hear_greeting(&mut victim.stream);
        let hello = hear(&mut victim.stream);
        (victim, hello)
    }

    /// One that the server has let in by way of us, what the server said last, and its connection.
    fn let_in(harness: &AttackHarness) -> (Self, Vec<u8>, TcpStream) {
        let (mut victim, hello) = Self::greeted();
        let mut server = harness.connect();
        say(&mut server, &greeting("CURVE", false));
        hear_greeting(&mut server);
        say(&mut server, &hello);
        say(&mut victim.stream, &hear(&mut server));
        say(&mut server, &hear(&mut victim.stream));
        let ready = hear(&mut server);
        assert!(ready[2..].starts_with(b"\x05READY"), "{}", ready.escape_ascii());
        (victim, ready, server)
    }
}

/// What is done, and how to do it.
type Attack = (&'static str, fn(&AttackHarness) -> Victim);

const ATTACKS: [Attack; 9] = [
    ("its own HELLO", |_| {
        let (mut victim, hello) = Victim::greeted();
        say(&mut victim.stream, &hello);
        victim
    }),
    ("another's WELCOME", |harness| {
        let (mut victim, _) = Victim::greeted();
        let mut server = harness.connect();
        let hello = command("HELLO", &RawClient::new([21; 32]).hello());
        say(&mut server, &[greeting("CURVE", false), hello].concat());
        hear_greeting(&mut server);
        say(&mut victim.stream, &hear(&mut server));
        victim
    }),
    ("READY in place of WELCOME", |_| {
        let (mut victim, _) = Victim::greeted();
        say(&mut victim.stream, &command("READY", b"\x0bSocket-Type\0\0\0\x06ROUTER"));
        victim
    }),
    ("READY of another connection", |harness| {
        let (_, ready, _) = Victim::let_in(harness);
        let (mut victim, _, _) = Victim::let_in(harness);
        say(&mut victim.stream, &ready);
        victim
    }),
    ("READY twice", |harness| {
        let (mut victim, ready, _) = Victim::let_in(harness);
        say(&mut victim.stream, &[&ready[..], &ready].concat());
        victim
    }),
    ("an answer in the clear", |harness| {
        let (mut victim, ready, _) = Victim::let_in(harness);
        say(
            &mut victim.stream,
            &[ready, frame(1, b""), frame(0, b"\x93\x80\xa2OK\x91\x01")].concat(),
        );
        victim
    }),
    ("NULL", |_| {
        let ready = command("READY", b"\x0bSocket-Type\0\0\0\x06ROUTER");
        Victim::told(&[greeting("NULL", false), ready].concat())
    }),
    ("PLAIN", |_| Victim::told(&greeting("PLAIN", true))),
    ("ZMTP 2.0", |_| Victim::told(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x06\0\0")),
];

#[test]
fn nobody_passes_for_the_server() {
    let harness = secured();
    let attacks: Vec<_> = ATTACKS
        .iter()
        .map(|(what, attack)| {
            let harness = &harness;
            let play = move || is_closed(&mut attack(harness).stream);
            (*what, Box::new(play) as Box<dyn Fn()>)
        })
        .collect();
    let attacks: Vec<_> = attacks.iter().map(|(what, play)| (*what, &**play)).collect();
    withstand(&harness, &attacks);
}
