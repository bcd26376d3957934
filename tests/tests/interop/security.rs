//! Mechanisms with zerorpc-python and pyzmq, whose libzmq has all of them: each side in both roles of the mechanism, and
//! bound or connecting.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use zerorpc::{
    AuthRequest, Authenticator, Client, Credential, Denied, KeyPair, MonitorEvent,
    PlainCredentials, PublicKey, Security, Server, SocketOptions, TransportKind,
};
use zerorpc_tests::{
    peers::{self, DialOptions, Peer, PeerSecurity, PeerSocket, PythonPeer, ServeOptions},
    service::methods,
};

zerorpc_tests::over_each_transport![
    python_calls_by_key,
    python_is_called_by_key,
    python_calls_by_password,
    python_is_called_by_password,
    strangers_are_kept_out,
    we_are_kept_out_and_told,
];

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key pair as text, the public half first.
type Key = (&'static str, &'static str);

/// The keys of the manual of libzmq, zmq_curve(7), and one that nobody knows.
const CLIENT: Key =
    ("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
const SERVER: Key =
    ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
const STRANGER: Key =
    ("yps!bb2mf%)^Wcn*^-ptzl5A&)^Jh$E7ykpEl})G", "2NH?C3>iWS5d]J*6CRx17-skh9337xar.{NbQB=+");

fn keys((public, secret): Key) -> KeyPair {
    let no_key = "a key of 40 characters";
    KeyPair::new(public.parse().expect(no_key), secret.parse().expect(no_key))
}

fn authenticator(
    decide: impl Fn(&AuthRequest<'_>) -> Result<String, Denied> + Send + Sync + 'static,
) -> Arc<dyn Authenticator> {
    Arc::new(decide)
}

/// Options of ours, which try again soon.
fn options(security: Security) -> SocketOptions {
    SocketOptions::new().security(security).reconnect(Duration::from_millis(10))
}

/// Our side and theirs, ours first, by a mechanism. True where we are its server.
type Sides = fn(bool) -> (SocketOptions, PeerSecurity);

fn by_key(we_serve: bool) -> (SocketOptions, PeerSecurity) {
    let text = |text: &str| text.to_owned();
    if we_serve {
        let known: PublicKey = CLIENT.0.parse().expect("a key");
        let knows = authenticator(move |request| match &request.credential {
            Credential::Key(key) if *key == known => Ok("the client".to_owned()),
            _ => Err(Denied::new("unknown key")),
        });
        let ours = options(Security::CurveServer { keys: keys(SERVER) }).authenticator(knows);
        let (public, secret, server) = (text(CLIENT.0), text(CLIENT.1), text(SERVER.0));
        (ours, PeerSecurity::CurveClient { public, secret, server })
    } else {
        let server = SERVER.0.parse().expect("a key");
        let ours = options(Security::CurveClient { keys: keys(CLIENT), server });
        let (public, secret) = (text(SERVER.0), text(SERVER.1));
        let authorized = Some(vec![text(CLIENT.0)]);
        (ours, PeerSecurity::CurveServer { public, secret, authorized })
    }
}

fn by_password(we_serve: bool) -> (SocketOptions, PeerSecurity) {
    let [username, password] = ["ada", "lovelace"].map(str::to_owned);
    if we_serve {
        let knows = authenticator(|request| match &request.credential {
            Credential::Password { username: b"ada", password, .. } if password.is(b"lovelace") => {
                Ok("countess".to_owned())
            }
            _ => Err(Denied::new("wrong password")),
        });
        let ours = options(Security::PlainServer).authenticator(knows);
        (ours, PeerSecurity::PlainClient { username, password })
    } else {
        let credentials = PlainCredentials::new("ada", "lovelace").expect("short");
        let passwords = vec![(username, password)];
        let ours = options(Security::PlainClient(credentials));
        (ours, PeerSecurity::PlainServer { passwords })
    }
}

/// Whether a transport has CURVE; over libzmq that is as it was built.
fn has_curve(kind: TransportKind) -> bool {
    kind == TransportKind::Mio || zmq::has("curve") == Some(true)
}

/// Python's clients call our server, whoever binds, in both roles of the mechanism.
fn python_calls(kind: TransportKind, sides: Sides) {
    let Some(python) = peers::python() else { return };
    let check = |we_serve: bool, we_bind: bool| {
        let (ours, theirs) = sides(we_serve);
        let server = Server::builder().transport(kind).socket_options(ours).service(methods().0);
        let bound = |options: DialOptions| {
            python.client(DialOptions { security: Some(theirs.clone()), ..options })
        };
        let (_server, client) = if we_bind {
            let server = server.bind("tcp://127.0.0.1:*").build().expect("a server");
            let client = bound(DialOptions::to(&server.endpoints()[0]));
            (server, client)
        } else {
            let client = bound(DialOptions::bound("tcp://127.0.0.1:0"));
            let server = server.connect(client.process().endpoint()).build().expect("a server");
            (server, client)
        };
        let told = format!("we serve: {we_serve}, we bind: {we_bind}");
        assert_eq!(client.call("add", json!([20, 22])), Ok(json!(42)), "{told}");
        let stream = client.stream("numbers", json!([300]));
        assert_eq!((stream.items.len(), stream.error), (300, None), "{told}");
    };
    each_way(check);
}

/// Our clients call Python's server, whoever binds, in both roles of the mechanism.
fn python_is_called(kind: TransportKind, sides: Sides) {
    let Some(python) = peers::python() else { return };
    let check = |we_serve: bool, we_bind: bool| {
        let (ours, theirs) = sides(we_serve);
        let serve = |options: ServeOptions| {
            python.serve(ServeOptions { security: Some(theirs.clone()), ..options })
        };
        let client = Client::builder().transport(kind).socket_options(ours);
        let (client, _server) = if we_bind {
            let client = client.bind("tcp://127.0.0.1:*").build().expect("a client");
            let server = serve(ServeOptions::worker(&client.endpoints()[0]));
            (client, server)
        } else {
            let server = serve(ServeOptions::default());
            (client.connect(server.endpoint()).build().expect("a client"), server)
        };
        let told = format!("we serve: {we_serve}, we bind: {we_bind}");
        assert_eq!(client.call::<u64>("add", (20, 22)), Ok(42), "{told}");
        let stream = client.stream::<u64>("numbers", (300,)).expect("a stream");
        assert!(stream.map(|item| item.expect("an item")).eq(0..300), "{told}");
    };
    each_way(check);
}

/// Runs a check for each role, whoever binds, all at once.
fn each_way(check: impl Fn(bool, bool) + Sync) {
    thread::scope(|scope| {
        for (we_serve, we_bind) in [(true, true), (true, false), (false, true), (false, false)] {
            let check = &check;
            scope.spawn(move || check(we_serve, we_bind));
        }
    });
}

fn python_calls_by_key(kind: TransportKind) {
    if has_curve(kind) {
        python_calls(kind, by_key);
    }
}

fn python_is_called_by_key(kind: TransportKind) {
    if has_curve(kind) {
        python_is_called(kind, by_key);
    }
}

fn python_calls_by_password(kind: TransportKind) {
    python_calls(kind, by_password);
}

fn python_is_called_by_password(kind: TransportKind) {
    python_is_called(kind, by_password);
}

/// Why handshakes have failed, as it is told.
fn failures(monitor: &Receiver<MonitorEvent>) -> impl Iterator<Item = String> {
    let end = Instant::now() + PATIENCE;
    let next = move || {
        let event = monitor.recv_timeout(end.saturating_duration_since(Instant::now()));
        event.ok()
    };
    std::iter::from_fn(next).filter_map(|event| match event {
        MonitorEvent::HandshakeFailed { reason, .. } => Some(reason),
        MonitorEvent::Connected { remote, .. } => panic!("{remote} came in"),
        _ => None,
    })
}

fn curve_client((public, secret): Key, server: Key) -> Option<PeerSecurity> {
    let (public, secret, server) = (public.to_owned(), secret.to_owned(), server.0.to_owned());
    Some(PeerSecurity::CurveClient { public, secret, server })
}

fn plain_client(password: &str) -> Option<PeerSecurity> {
    let (username, password) = ("ada".to_owned(), password.to_owned());
    Some(PeerSecurity::PlainClient { username, password })
}

/// A server of ours, and peers that may not come in: what each of them sees, and that the server tells of all.
fn strangers_are_kept_out(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    // What a peer shows that gets no answer to read, and how libzmq calls what comes of it.
    let wrong_mechanism = ["FAILED_PROTOCOL", "FAILED_NO_DETAIL"];
    let dropped = ["FAILED_NO_DETAIL"];
    let refused = ["FAILED_AUTH"];
    // libzmq's PLAIN writes and reads ERROR as `^RROR` (its `"\x5ERROR"`), and takes what is right for wrong.
    let refused_by_password = ["FAILED_AUTH", "FAILED_PROTOCOL"];
    if has_curve(kind) {
        are_kept_out(
            kind,
            &python,
            by_key(true).0,
            &[
                (curve_client(CLIENT, STRANGER), &dropped[..]),
                (curve_client(STRANGER, SERVER), &refused),
                (plain_client("lovelace"), &wrong_mechanism),
                (None, &wrong_mechanism),
            ],
        );
    }
    are_kept_out(
        kind,
        &python,
        by_password(true).0,
        &[
            (plain_client("byron"), &refused_by_password[..]),
            (curve_client(CLIENT, SERVER), &wrong_mechanism),
            (None, &wrong_mechanism),
        ],
    );
    are_kept_out(
        kind,
        &python,
        options(Security::Null),
        &[
            (curve_client(CLIENT, SERVER), &wrong_mechanism),
            (plain_client("lovelace"), &wrong_mechanism),
        ],
    );
}

fn are_kept_out(
    kind: TransportKind,
    python: &PythonPeer,
    ours: SocketOptions,
    strangers: &[(Option<PeerSecurity>, &[&str])],
) {
    let (events, monitor) = mpsc::channel();
    let server = Server::builder()
        .transport(kind)
        .monitor(events)
        .socket_options(ours.clone())
        .service(methods().0)
        .bind("tcp://127.0.0.1:*")
        .build()
        .expect("a server");
    let connect = Some(server.endpoints()[0].clone());
    let sockets: Vec<PeerSocket> = strangers
        .iter()
        .map(|(security, _)| PeerSocket {
            kind: "DEALER",
            connect: connect.clone(),
            security: security.clone(),
        })
        .collect();
    let sockets = python.sockets(&sockets);
    for (number, (security, expected)) in strangers.iter().enumerate() {
        let outcome = sockets.outcome(number);
        assert!(expected.contains(&&*outcome), "{outcome}: {security:?} at {:?}", ours.security);
    }
    let told = failures(&monitor).take(strangers.len());
    assert_eq!(told.filter(|reason| !reason.is_empty()).count(), strangers.len());
}

/// A client of ours at a server that does not let it in: it says why, as far as it is told.
fn we_are_kept_out_and_told(kind: TransportKind) {
    let Some(python) = peers::python() else { return };
    let server = |(public, secret): Key, authorized: Option<Key>| {
        let (public, secret) = (public.to_owned(), secret.to_owned());
        let authorized = authorized.map(|(public, _)| vec![public.to_owned()]);
        Some(PeerSecurity::CurveServer { public, secret, authorized })
    };
    let theirs = [
        server(STRANGER, None),
        server(SERVER, Some(STRANGER)),
        Some(PeerSecurity::PlainServer { passwords: vec![("ada".into(), "lovelace".into())] }),
        None,
    ];
    let sockets = theirs.map(|security| PeerSocket { kind: "ROUTER", connect: None, security });
    let sockets = python.sockets(&sockets);
    let [wrong_key, unknown, by_password, open] = sockets.process().endpoints() else {
        panic!("an endpoint for each socket");
    };
    let by_key_at = |endpoint: &str| (by_key(false).0, endpoint.to_owned());
    let wrong = PlainCredentials::new("ada", "byron").expect("short");
    let mut cases = vec![
        (options(Security::PlainClient(wrong)), by_password.clone()),
        (self::by_password(false).0, open.clone()),
        (self::by_password(false).0, unknown.clone()),
        (options(Security::Null), by_password.clone()),
        (options(Security::Null), unknown.clone()),
    ];
    if has_curve(kind) {
        cases.extend([wrong_key, unknown, by_password, open].map(|place| by_key_at(place)));
    }
    for (ours, endpoint) in cases {
        let told = format!("{:?} at {endpoint}", ours.security);
        let (events, monitor) = mpsc::channel();
        let client = Client::builder()
            .transport(kind)
            .monitor(events)
            .socket_options(ours)
            .connect(&endpoint)
            .timeout(Duration::from_secs(1))
            .build()
            .expect("a client");
        // Over libzmq nobody looks at a socket that has nothing to do.
        let call = || client.call::<u64>("add", (1, 2)).expect_err("nobody is there").to_string();
        let reason = thread::scope(|scope| {
            scope.spawn(call);
            failures(&monitor).next()
        });
        let reason = reason.unwrap_or_else(|| panic!("nothing was told: {told}"));
        let words = call();
        // By how far it got, there may be another reason each time.
        let names_it = words.contains(&endpoint) || words.contains(&reason);
        assert!(names_it, "{told}: {words}, not {reason}");
    }
}
