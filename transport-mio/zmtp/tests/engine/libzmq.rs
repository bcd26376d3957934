//! Real libzmq sockets at the other end of a blocking loop.

use std::{
    io::{ErrorKind, IoSlice, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zerorpc_proto::transport::{
    PlainCredentials, Security,
    SocketKind::{self, Dealer, Pub, Pull, Push, Router, Sub},
};
use zerorpc_zmtp::{
    Engine, EngineConfig, Heartbeat, Identity, SocketType, Want, ZmtpEvent, ZmtpVersion,
};

use crate::support::{config, plain_server};

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine on a socket.
struct Link {
    engine: Engine,
    stream: TcpStream,
}

impl Link {
    fn new(config: EngineConfig, stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out is set");
        Self { engine: Engine::new(Arc::new(config), Instant::now()), stream }
    }

    /// Connects to a libzmq socket that is bound.
    fn connect(config: EngineConfig, peer: &zmq::Socket) -> Self {
        peer.bind("tcp://127.0.0.1:*").expect("there are ports");
        let endpoint = peer.get_last_endpoint().expect("it is bound").expect("in ASCII");
        let address = endpoint.trim_start_matches("tcp://");
        Self::new(config, TcpStream::connect(address).expect("it listens"))
    }

    /// Accepts a libzmq socket.
    fn accept(config: EngineConfig, peer: &zmq::Socket) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
        let address = listener.local_addr().expect("it is bound");
        peer.connect(&format!("tcp://{address}")).expect("a sound endpoint");
        Self::new(config, listener.accept().expect("it connects").0)
    }

    /// Writes everything there is.
    fn flush(&mut self) {
        while self.engine.has_output() {
            let mut slices = [IoSlice::new(&[]); 16];
            let filled = self.engine.output(&mut slices);
            let written = self.stream.write_vectored(&slices[..filled]).expect("the peer reads");
            self.engine.advance(written);
        }
    }

    /// Moves bytes both ways once.
    fn turn(&mut self) {
        self.flush();
        let now = Instant::now();
        let mut scratch = vec![0; 64 << 10];
        let read = match self.engine.want() {
            Want::Chunk => self.stream.read(&mut scratch).map(|count| {
                scratch.truncate(count);
                self.engine.handle_chunk(now, Bytes::from(scratch))
            }),
            Want::Body(missing) => {
                self.stream.read(missing).map(|count| self.engine.handle_body(now, count))
            }
        };
        match read {
            Ok(result) => result.expect("libzmq keeps to the protocol"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
        self.flush();
    }

    fn event(&mut self) -> ZmtpEvent {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.engine.poll_event() {
                return event;
            }
            assert!(Instant::now() < until, "an event comes in time");
            self.turn();
        }
    }

    /// The next event, while the owner of the libzmq socket looks after it: some of its work is done only
    /// then.
    fn event_from(&mut self, peer: &zmq::Socket) -> ZmtpEvent {
        let until = Instant::now() + PATIENCE;
        loop {
            peer.get_events().expect("it can be asked");
            self.turn();
            if let Some(event) = self.engine.poll_event() {
                return event;
            }
            assert!(Instant::now() < until, "an event comes in time");
        }
    }

    fn ready(&mut self, socket_type: SocketType) -> Bytes {
        let ZmtpEvent::Ready(peer) = self.event() else { panic!("ready comes first") };
        assert_eq!((peer.version, peer.socket_type), (ZmtpVersion::V3_1, Some(socket_type)));
        peer.identity
    }

    fn message(&mut self) -> Vec<Vec<u8>> {
        let ZmtpEvent::Message(frames) = self.event() else { panic!("a message comes next") };
        frames.iter().map(|frame| frame.to_vec()).collect()
    }

    /// Turns until libzmq has a message.
    fn until_received(&mut self, peer: &zmq::Socket) -> Vec<Vec<u8>> {
        let until = Instant::now() + PATIENCE;
        while peer.poll(zmq::POLLIN, 0).expect("it can be polled") == 0 {
            assert!(Instant::now() < until, "libzmq receives in time");
            self.turn();
        }
        peer.recv_multipart(0).expect("there is a message")
    }
}

fn socket(kind: zmq::SocketType) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).expect("a socket");
    socket.set_linger(0).expect("an option");
    socket.set_sndtimeo(20_000).expect("an option");
    socket
}

fn both_ways(kind: SocketKind, theirs: zmq::SocketType) -> [(Link, zmq::Socket); 2] {
    let (bound, connected) = (socket(theirs), socket(theirs));
    [
        (Link::connect(config(kind), &bound), bound),
        (Link::accept(config(kind), &connected), connected),
    ]
}

#[test]
fn dealer_with_dealer_and_large_messages() {
    for (mut link, peer) in both_ways(Dealer, zmq::DEALER) {
        link.ready(SocketType::Dealer);
        for size in [0, 1, 255, 256, 8192, 100_000, 3_000_000] {
            let body = vec![7; size];
            link.engine.send([Bytes::new(), Bytes::from(body.clone())]);
            assert_eq!(link.until_received(&peer), [vec![], body.clone()]);
            peer.send_multipart([vec![], body.clone()], 0).expect("sent");
            assert_eq!(link.message(), [vec![], body]);
        }
    }
}

#[test]
fn our_dealer_with_their_router_knows_our_identity() {
    let peer = socket(zmq::ROUTER);
    let identity = Identity::new("our name").expect("a good name");
    let mut link = Link::connect(config(Dealer).identity(identity), &peer);
    assert_eq!(link.ready(SocketType::Router), "");
    link.engine.send([Bytes::new(), Bytes::from("question")]);
    let message = link.until_received(&peer);
    assert_eq!(message, [&b"our name"[..], b"", b"question"]);
    peer.send_multipart(["our name", "", "answer"], 0).expect("sent");
    assert_eq!(link.message(), [&b""[..], b"answer"]);
}

#[test]
fn our_router_with_their_dealer_and_req() {
    let peer = socket(zmq::DEALER);
    peer.set_identity(b"their name").expect("an option");
    let mut link = Link::accept(config(Router), &peer);
    assert_eq!(link.ready(SocketType::Dealer), "their name");

    for (mut link, peer) in both_ways(Router, zmq::REQ) {
        assert_eq!(link.ready(SocketType::Req), "");
        peer.send("question", 0).expect("sent");
        assert_eq!(link.message(), [&b""[..], b"question"]);
        link.engine.send([Bytes::new(), Bytes::from("answer")]);
        assert_eq!(link.until_received(&peer), [b"answer"]);
    }
}

#[test]
fn push_and_pull() {
    for (mut link, peer) in both_ways(Push, zmq::PULL) {
        link.engine.send([Bytes::from("queued before the handshake")]);
        link.ready(SocketType::Pull);
        assert_eq!(link.until_received(&peer), [b"queued before the handshake"]);
    }
    for (mut link, peer) in both_ways(Pull, zmq::PUSH) {
        link.ready(SocketType::Push);
        for number in 0..2000u32 {
            peer.send(&number.to_be_bytes()[..], 0).expect("sent");
            assert_eq!(link.message(), [number.to_be_bytes()]);
        }
    }
}

#[test]
fn our_publisher_hears_their_subscriber() {
    for (mut link, peer) in both_ways(Pub, zmq::SUB) {
        peer.set_subscribe(b"topic").expect("subscribed");
        link.ready(SocketType::Sub);
        assert_eq!(link.event_from(&peer), ZmtpEvent::Subscribe(Bytes::from("topic")));
        link.engine.send([Bytes::from("topic and news")]);
        assert_eq!(link.until_received(&peer), [b"topic and news"]);
        peer.set_unsubscribe(b"topic").expect("unsubscribed");
        assert_eq!(link.event_from(&peer), ZmtpEvent::Cancel(Bytes::from("topic")));
    }
}

#[test]
fn our_subscriber_is_heard_by_their_publisher() {
    for (mut link, peer) in both_ways(Sub, zmq::XPUB) {
        link.engine.subscribe(b"topic");
        link.ready(SocketType::XPub);
        assert_eq!(link.until_received(&peer), [b"\x01topic"]);
        peer.send("topic and news", 0).expect("sent");
        assert_eq!(link.message(), [b"topic and news"]);
        link.engine.cancel(b"topic");
        assert_eq!(link.until_received(&peer), [b"\0topic"]);
    }
    let peer = socket(zmq::PUB);
    let mut link = Link::connect(config(Sub), &peer);
    link.ready(SocketType::Pub);
}

#[test]
fn pings_are_answered_both_ways() {
    let peer = socket(zmq::DEALER);
    peer.set_heartbeat_ivl(30).expect("an option");
    peer.set_heartbeat_timeout(5_000).expect("an option");
    peer.set_heartbeat_ttl(10_000).expect("an option");
    let heartbeat = Heartbeat::every(Duration::from_millis(30))
        .timeout(Duration::from_secs(5))
        .ttl(Duration::from_secs(10));
    let ours = config(Dealer).heartbeat(heartbeat);
    let mut link = Link::connect(ours, &peer);
    link.ready(SocketType::Dealer);
    let first = link.engine.poll_timeout().expect("a beat is due");
    // Some beats of each side; what keeps both alive is tested by the message behind them.
    while Instant::now() < first + Duration::from_millis(300) {
        link.turn();
        link.engine.handle_timeout(Instant::now()).expect("the peer answers");
    }
    peer.send("still there", 0).expect("sent");
    assert_eq!(link.message(), [b"still there"]);
}

#[test]
fn their_plain_server_has_nobody_to_ask() {
    // Without a handler for ZAP, libzmq accepts nobody; our side must end with a reason or the end of file.
    let peer = socket(zmq::ROUTER);
    peer.set_plain_server(true).expect("an option");
    peer.set_zap_domain("global").expect("an option");
    let credentials = PlainCredentials::new("name", "word").expect("short");
    let ours = config(Dealer).security(Security::PlainClient(credentials));
    let mut link = Link::connect(ours, &peer);
    let until = Instant::now() + PATIENCE;
    let mut scratch = [0; 1000];
    loop {
        assert!(Instant::now() < until, "libzmq closes in time");
        link.flush();
        match link.stream.read(&mut scratch) {
            Ok(0) => break,
            Ok(count) => {
                let chunk = Bytes::copy_from_slice(&scratch[..count]);
                if link.engine.handle_chunk(Instant::now(), chunk).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(_) => {}
        }
    }
    assert!(link.engine.poll_event().is_none(), "no readiness without consent");
}

#[test]
fn their_plain_client_with_our_server() {
    for (password, good) in [("word", true), ("wrong", false)] {
        let peer = socket(zmq::DEALER);
        peer.set_plain_username(Some("name")).expect("an option");
        peer.set_plain_password(Some(password)).expect("an option");
        let mut link = Link::accept(plain_server(b"name", b"word"), &peer);
        if good {
            link.ready(SocketType::Dealer);
            peer.send("hello", 0).expect("sent");
            assert_eq!(link.message(), [b"hello"]);
            continue;
        }
        let until = Instant::now() + PATIENCE;
        let mut scratch = [0; 1000];
        let violation = loop {
            assert!(Instant::now() < until, "libzmq speaks in time");
            link.flush();
            let Ok(count) = link.stream.read(&mut scratch) else { continue };
            let chunk = Bytes::copy_from_slice(&scratch[..count]);
            if let Err(violation) = link.engine.handle_chunk(Instant::now(), chunk) {
                break violation;
            }
        };
        assert!(violation.to_string().contains("password is wrong"), "{violation}");
    }
}
