//! What happens to connections is told to whoever asked, and to the log.

use std::{
    fmt::{Debug, Write as _},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Mutex, Once, PoisonError,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use zerorpc::{
    Client, Methods, MonitorEvent, PlainCredentials, Publisher, Puller, Pusher, Security,
    SocketConfig, SocketOptions, TransportKind,
};
use zerorpc_tests::{raw_caller, service::serve_with};

const FREE: &str = "tcp://127.0.0.1:*";
/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// All that was logged, by all threads.
static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A log that keeps the messages.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push(message.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").expect("a string has room");
        }
    }
}

fn listen_to_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).expect("the first log"));
}

/// Waits for an event of this kind, which must have been logged, too.
fn told(events: &Receiver<MonitorEvent>, wanted: impl Fn(&MonitorEvent) -> bool) -> MonitorEvent {
    loop {
        let event = events.recv_timeout(PATIENCE).expect("the event is told");
        if wanted(&event) {
            let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(logged.contains(&event.to_string()), "{event} is not in the log");
            return event;
        }
    }
}

#[test]
fn all_that_happens_to_a_connection_is_told_and_logged() {
    listen_to_the_log();
    let (server, _) = serve_with(TransportKind::Mio, |builder| builder);
    let endpoint = server.endpoints()[0].clone();
    let (sender, events) = channel();
    let reconnect = Duration::from_millis(20);
    let client = Client::builder()
        .transport(TransportKind::Mio)
        .connect(&endpoint)
        .socket_options(SocketOptions::default().reconnect(reconnect))
        .monitor(sender)
        .build()
        .expect("a client");
    assert_eq!(client.call("add", (1, 2)), Ok(3));
    let connected = |event: &MonitorEvent| matches!(event, MonitorEvent::Connected { remote, .. } if *remote == endpoint);
    let MonitorEvent::Connected { peer, .. } = told(&events, connected) else { unreachable!() };

    drop(server);
    told(&events, |event| {
        matches!(event, MonitorEvent::Disconnected { peer: gone, remote, reason }
            if *gone == peer && *remote == endpoint && !reason.is_empty())
    });
    told(&events, |event| {
        matches!(event, MonitorEvent::Retried { endpoint: to, reason, after }
            if *to == endpoint && reason.contains("nobody listens") && *after >= reconnect)
    });

    let address = endpoint.trim_start_matches("tcp://");
    let listener = TcpListener::bind(address).expect("the port is free again");
    let (mut stream, _) = listener.accept().expect("it tries again");
    stream.write_all(b"\0").expect("it listens");
    told(
        &events,
        |event| matches!(event, MonitorEvent::HandshakeFailed { remote, .. } if *remote == endpoint),
    );
    drop((listener, stream));

    let (_server, _) = serve_with(TransportKind::Mio, |builder| builder.bind(&endpoint));
    told(&events, connected);
    assert_eq!(client.call("add", (3, 4)), Ok(7));
}

/// A connection of a DEALER whose bytes are written by hand, behind its handshake.
fn intrude(endpoint: &str) -> TcpStream {
    let address = endpoint.trim_start_matches("tcp://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(&raw_caller::handshake()).expect("there is room");
    stream
}

/// How many lines of the log hold each of these.
fn logged(parts: &[&str]) -> usize {
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    logged.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}

#[test]
fn a_flood_of_bad_messages_is_a_line_of_the_log_and_not_a_flood() {
    listen_to_the_log();
    let (server, _) = serve_with(TransportKind::Mio, |builder| builder);
    let mut stream = intrude(&server.endpoints()[0]);
    let remote = format!("at tcp://{}:", stream.local_addr().expect("an address"));
    let garbage = b"\x01\0\0\x02\x93\xc1".repeat(500);
    let call = b"\x01\0\0\x19\x93\x82\xaamessage_id\xa1x\xa1v\x03\xa3add\x92\x01\x02";
    stream.write_all(&[&garbage[..], call].concat()).expect("there is room");
    let mut heard = Vec::new();
    let mut scratch = [0; 1024];
    while !heard.windows(2).any(|two| two == b"OK") {
        let count = stream.read(&mut scratch).expect("the connection stands");
        assert_ne!(count, 0, "the connection stands: {}", heard.escape_ascii());
        heard.extend_from_slice(&scratch[..count]);
    }
    assert_eq!(logged(&[&remote, "the header of the event is not a map"]), 1);
    assert_eq!(
        logged(&["a message was dropped", "the header of the event is not a map"]),
        500,
        "the others are for who debugs"
    );
}

#[test]
fn a_caller_hears_what_its_server_does_not_take() {
    listen_to_the_log();
    let options = SocketOptions::default().max_frame(1000);
    let (server, _) = serve_with(TransportKind::Mio, |builder| builder.socket_options(options));
    let endpoint = server.endpoints()[0].clone();
    let client = Client::builder().transport(TransportKind::Mio).connect(&endpoint).build();
    let client = client.expect("a client");
    let lost = client.call::<String>("echo", ("x".repeat(20 << 20),)).expect_err("it is too large");
    let told = lost.to_string();
    assert!(matches!(lost, zerorpc::Error::LostRemote { .. }), "{lost:?}");
    for part in ["echo", endpoint.as_str(), "over the limit of 1000 bytes", "max_frame"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("gone or stuck"), "{told}");
    assert_eq!(client.call("add", (1, 2)), Ok(3), "the next one is none the worse for it");
}

#[test]
fn a_connection_that_is_cut_after_idling_has_a_likely_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("bound"));
    // As a server behind a proxy with an idle limit: it takes the request, and is never heard of.
    let proxy = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
        bytes.resize(64, 0);
        bytes.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER");
        stream.write_all(&bytes).expect("there is room");
        let mut heard = Vec::new();
        let mut scratch = [0; 1024];
        while !heard.windows(8).any(|eight| eight == b"patience") {
            let count = stream.read(&mut scratch).expect("the client stays");
            heard.extend_from_slice(&scratch[..count]);
        }
        std::thread::sleep(Duration::from_millis(2200));
    });
    let client = Client::builder().transport(TransportKind::Mio).connect(&endpoint).build();
    let lost = client.expect("a client").call::<()>("patience", ()).expect_err("it was cut off");
    proxy.join().expect("it went well");
    assert!(matches!(lost, zerorpc::Error::LostRemote { .. }), "{lost:?}");
    let told = lost.to_string();
    for part in ["patience", &endpoint, "without a word", "idle", "pings", "docs/deployment.md"] {
        assert!(told.contains(part), "{part:?} is missing in {told}");
    }
}

#[test]
fn nobody_has_to_go_on_listening() {
    let (sender, events) = channel();
    drop(events);
    let (server, _) = serve_with(TransportKind::Mio, |builder| builder.monitor(sender));
    let client = Client::connect(&server.endpoints()[0]).expect("a client");
    assert_eq!(client.call("add", (1, 2)), Ok(3));
}

#[test]
fn sockets_that_only_send_or_receive_have_options_and_tell_too() {
    listen_to_the_log();
    let (noted, notes) = channel();
    let service =
        Methods::new("notes").method("note", move |text: String| Ok(noted.send(text.len())?));
    let options = SocketOptions::default().max_frame(1000);
    let (sender, events) = channel();
    let links = SocketConfig::new().transport(TransportKind::Mio).bind(FREE);
    let puller = Puller::open(&links.socket_options(options).monitor(sender), service);
    let puller = puller.expect("a puller");
    let links = SocketConfig::new().transport(TransportKind::Mio).connect(&puller.endpoints()[0]);
    let (sender, at_pusher) = channel();
    let pusher = Pusher::open(&links.monitor(sender)).expect("a pusher");
    let is_connected = |event: &MonitorEvent| matches!(event, MonitorEvent::Connected { .. });
    told(&at_pusher, is_connected);
    pusher.push("note", ("x".repeat(100),)).expect("it leaves");
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(100));

    pusher.push("note", ("x".repeat(2000),)).expect("it leaves");
    told(
        &events,
        |event| matches!(event, MonitorEvent::Disconnected { reason, .. } if reason.contains("limit")),
    );
    assert!(notes.try_recv().is_err(), "the frame was larger than allowed");
    // What is written to a connection that is ending is lost.
    told(&at_pusher, is_connected);
    pusher.push("note", ("x".repeat(10),)).expect("it leaves");
    assert_eq!(notes.recv_timeout(PATIENCE), Ok(10));

    // With no time to linger, nothing keeps a publisher at its end.
    let links = SocketConfig::new().transport(TransportKind::Mio).bind(FREE);
    let options = SocketOptions::default().linger(Duration::ZERO);
    let publisher = Publisher::open(&links.socket_options(options)).expect("a publisher");
    publisher.publish("note", ("to nobody",)).expect("it leaves");
}

#[test]
fn passwords_that_leave_the_machine_are_warned_of_whenever_a_link_is_made() {
    listen_to_the_log();
    // To connect to any address is to connect to this machine, but that is nothing to rely on.
    let [first, later, silent] = ["tcp://0.0.0.0:1", "tcp://0.0.0.0:2", "tcp://0.0.0.0:3"];
    let credentials = PlainCredentials::new("ada", "lovelace").expect("short");
    let options = SocketOptions::new().security(Security::PlainClient(credentials));
    for transport in TransportKind::ALL {
        let before = logged(&["unencrypted at"]);
        let told = |endpoint: &str| logged(&["unencrypted at", &format!("{endpoint}: ")]);
        let (told_first, told_later) = (told(first), told(later));
        let builder = || Client::builder().transport(*transport).socket_options(options.clone());
        let client = builder().connect(first).connect("tcp://127.0.0.1:1").build();
        let client = client.expect("a client");
        assert_eq!((told(first), told(later)), (told_first + 1, told_later));
        for endpoint in [later, "tcp://[::ffff:127.0.0.1]:2", "tcp://localhost:3", "ipc:///nowhere"]
        {
            client.links().connect(endpoint).expect("it need not be there");
        }
        assert_eq!(told(later), told_later + 1);
        let config = SocketConfig::new().transport(*transport).socket_options(options.clone());
        let pusher = Pusher::open(&config.connect("tcp://localhost:4")).expect("a pusher");
        pusher.links().connect(later).expect("it need not be there");
        assert_eq!(told(later), told_later + 2);
        let open = Client::builder().transport(*transport).connect(silent).build();
        open.expect("a client").links().connect(silent).expect("once more");
        assert_eq!(told(silent), 0, "no password is shown");
        assert_eq!(logged(&["unencrypted at"]), before + 3, "nothing else is told");
    }
}
