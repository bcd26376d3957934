//! Who calls, and what they may call, over real sockets.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rmpv::Value;
use zerorpc::{
    Args, AuthRequest, Authenticator, Client, Credential, Denied, Error, Failure, KeyPair,
    MechanismName, Method, Methods, PlainCredentials, Principal, Puller, Pusher, Reply, Security,
    Server, ServerBuilder, SocketConfig, SocketOptions, TransportKind,
};

const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Lets in who shows the own name as password.
fn users() -> Arc<dyn Authenticator> {
    Arc::new(|request: &AuthRequest<'_>| match &request.credential {
        Credential::Password { username, password, .. } if password.is(username) => {
            Ok(String::from_utf8_lossy(username).to_uppercase())
        }
        _ => Err(Denied::new("unknown user or wrong password")),
    })
}

/// Tells who calls, and counts how often anything of it has run.
fn service(ran: &Arc<AtomicUsize>) -> Methods {
    let who = |request: &zerorpc::Request| {
        let peer = request.peer();
        let known = (peer.name.clone(), peer.username.clone(), peer.remote.clone());
        let known =
            known.0.map(|name| name.to_string()).into_iter().chain(
                known.1.map(|name| name.to_string()).into_iter().chain([known.2.to_string()]),
            );
        Ok(Reply::Value(Args::encode(&known.collect::<Vec<String>>())?))
    };
    let ran = Arc::clone(ran);
    Methods::new("guarded")
        .raw(Method::new("who").doc("Who calls."), who)
        .method(Method::new("secret").arguments(["a"]), move |_: Value| {
            ran.fetch_add(1, Ordering::SeqCst);
            Ok("secret")
        })
        .stream("count", |n: u64| Ok(0..n))
}

fn guarded(ran: &Arc<AtomicUsize>) -> ServerBuilder {
    Server::builder()
        .transport(TransportKind::Mio)
        .service(service(ran))
        .socket_options(SocketOptions::new().security(Security::PlainServer).authenticator(users()))
        .bind(ANY_PORT)
}

fn client_of(server: &Server, name: &str) -> Client {
    let credentials = PlainCredentials::new(name, name).expect("short");
    let options = SocketOptions::new().security(Security::PlainClient(credentials));
    let client = Client::builder().transport(TransportKind::Mio).socket_options(options);
    client.connect(&server.endpoints()[0]).build().expect("a client")
}

fn name_and_message<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Remote { error, .. }) => (error.name, error.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn services_know_who_calls() {
    let server = guarded(&Arc::default()).build().expect("a server");
    for name in ["ada", "grace"] {
        let told: Vec<String> = client_of(&server, name).call("who", ()).expect("an answer");
        assert_eq!(told[..2], [name.to_uppercase(), name.to_owned()]);
        assert!(told[2].starts_with("tcp://127.0.0.1:"), "{told:?}");
    }
}

#[test]
fn what_is_not_allowed_is_not_run_and_not_shown() {
    let ran = Arc::<AtomicUsize>::default();
    let rule = |peer: &Principal, method: &str| {
        peer.name.as_deref() == Some("ADA") || matches!(method, "who" | "absent")
    };
    let server = guarded(&ran).authorize(rule).build().expect("a server");
    let (ada, grace) = (client_of(&server, "ada"), client_of(&server, "grace"));
    assert_eq!(ada.call::<String>("secret", (1,)), Ok("secret".to_owned()));
    assert_eq!(ran.load(Ordering::SeqCst), 1);

    // Whether there is such a method is nobody's business who may not call it.
    for method in ["secret", "nothing", "_zerorpc_nothing"] {
        let (name, message) = name_and_message(grace.call::<Value>(method, (1,)));
        assert_eq!(name, "PermissionDenied");
        assert!(message.starts_with(&format!("GRACE may not call {method} ")), "{message}");
    }
    let streamed =
        grace.stream::<u64>("count", (3,)).and_then(|mut items| items.next().expect("an answer"));
    assert_eq!(name_and_message(streamed).0, Failure::PERMISSION_DENIED);
    assert_eq!(ran.load(Ordering::SeqCst), 1, "nothing else has run");
    assert_eq!(name_and_message(grace.call::<Value>("absent", ())).0, "NameError");

    let list = |client: &Client| client.call::<Vec<String>>("_zerorpc_list", ());
    assert_eq!(list(&ada), Ok(["count", "secret", "who"].map(str::to_owned).to_vec()));
    assert_eq!(list(&grace), Ok(vec!["who".to_owned()]));
    let inspected: Value = grace.call("_zerorpc_inspect", ()).expect("an answer");
    assert_eq!(inspected["methods"].as_map().expect("a map").len(), 1);
    assert_eq!(grace.call::<String>("_zerorpc_help", ("who",)), Ok("Who calls.".to_owned()));
    for method in ["_zerorpc_help", "_zerorpc_args"] {
        for about in ["secret", "nothing"] {
            let (name, message) = name_and_message(grace.call::<Value>(method, (about,)));
            assert_eq!(name, "PermissionDenied");
            assert!(message.starts_with(&format!("GRACE may not call {about} ")), "{message}");
        }
    }
    assert_eq!(grace.call::<(String, String)>("_zerorpc_ping", ()).expect("pong").0, "pong");
}

#[test]
fn callers_that_are_not_made_sure_of_are_anonymous() {
    for transport in TransportKind::ALL {
        let service = Methods::new("who").raw("who", |request| {
            let peer = request.peer();
            assert_eq!((peer.mechanism, &peer.key), (MechanismName::Null, &None));
            Ok(Reply::Value(Args::encode(&(peer.to_string(), &*peer.remote))?))
        });
        let server = Server::builder().transport(*transport).service(service).bind(ANY_PORT);
        let server = server.build().expect("a server");
        let client = Client::connect(&server.endpoints()[0]).expect("a client");
        let (who, remote): (String, String) = client.call("who", ()).expect("an answer");
        assert_eq!(who, "an anonymous peer");
        assert_eq!(remote.is_empty(), *transport == TransportKind::Zmq, "{remote}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_file_tells_its_users() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = format!("ipc://{}/socket", folder.path().display());
    let service = Methods::new("who").raw("who", |request| {
        let process = request.peer().process.ok_or(Failure::new("Nobody", "no process"))?;
        Ok(Reply::Value(Args::encode(&(process.pid, request.peer().to_string()))?))
    });
    let server = Server::builder().service(service).bind(&endpoint).build().expect("a server");
    let client = Client::connect(&server.endpoints()[0]).expect("a client");
    let (pid, who): (Option<u32>, String) = client.call("who", ()).expect("an answer");
    assert_eq!(pid, Some(std::process::id()));
    assert!(who.starts_with("uid "), "{who}");
}

#[test]
fn pullers_know_who_pushes() {
    let (seen, events) = std::sync::mpsc::channel();
    let service = Methods::new("log").raw("note", move |request| {
        seen.send(request.peer().to_string())?;
        Ok(Reply::Value(Args::NIL))
    });
    let options = SocketOptions::new().security(Security::PlainServer).authenticator(users());
    let config = SocketConfig::new().bind(ANY_PORT).socket_options(options);
    let puller = Puller::open(&config, service).expect("a puller");
    let credentials = PlainCredentials::new("ada", "ada").expect("short");
    let options = SocketOptions::new().security(Security::PlainClient(credentials));
    let config = SocketConfig::new().connect(&puller.endpoints()[0]).socket_options(options);
    let pusher = Pusher::open(&config).expect("a pusher");
    pusher.push("note", ()).expect("a puller with room");
    assert_eq!(events.recv().expect("an event"), "ADA");
}

/// What a call comes to at a server that will not have it; waits for it no longer than until the first attempt has failed.
fn denied(client: &SocketOptions, options: SocketOptions) -> String {
    let service = Methods::new("who").method("who", || Ok(()));
    let server = Server::builder().transport(TransportKind::Mio).service(service).bind(ANY_PORT);
    let server = server.socket_options(options).build().expect("a server");
    let endpoint = &server.endpoints()[0];
    let client = Client::builder().transport(TransportKind::Mio).socket_options(client.clone());
    let client = client.connect(endpoint).build().expect("a client");
    let patient = client.with(zerorpc::CallOptions::new().timeout(None));
    let mut told = String::new();
    // The second one while it is known, without another attempt.
    for _ in 0..2 {
        match patient.call::<()>("who", ()) {
            Err(error @ Error::Denied { .. }) => told = error.to_string(),
            other => panic!("{other:?}"),
        }
        assert!(told.starts_with(endpoint) && told.contains("remote method who"), "{told}");
    }
    told
}

fn plain_client(name: &str, password: &str) -> SocketOptions {
    let credentials = PlainCredentials::new(name, password).expect("short");
    SocketOptions::new().security(Security::PlainClient(credentials))
}

/// Keys of the manual of libzmq, zmq_curve(7).
fn keys(number: usize) -> KeyPair {
    let (public, secret) = [
        ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"),
        ("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"),
    ][number];
    KeyPair::new(public.parse().expect("a key"), secret.parse().expect("a key"))
}

fn curve_client(own: usize, server: usize) -> SocketOptions {
    let server = keys(server).public;
    SocketOptions::new().security(Security::CurveClient { keys: keys(own), server })
}

#[test]
fn whom_no_server_lets_in_is_told_at_once_and_what_to_do() {
    let null = SocketOptions::new;
    let plain = || null().security(Security::PlainServer).authenticator(users());
    let curve = || null().security(Security::CurveServer { keys: keys(0) });
    let nobody: Arc<dyn Authenticator> =
        Arc::new(|_: &AuthRequest<'_>| Err(Denied::new("not on the list")));
    let table = [
        (null(), plain(), "mechanism is PLAIN, ours is NULL; set up both sides alike; give a user"),
        (
            null(),
            curve(),
            "mechanism is CURVE, ours is NULL; set up both sides alike; give its public",
        ),
        (plain_client("ada", "ada"), null(), "mechanism is NULL, ours is PLAIN"),
        (plain_client("ada", "bob"), plain(), "the user name or the password is wrong"),
        (curve_client(1, 0), null(), "leave out its key here"),
        (curve_client(1, 1), curve(), "the server's key that is expected here may be another's"),
        (curve_client(1, 0), curve().authenticator(Arc::clone(&nobody)), "our key"),
        (null(), null().authenticator(nobody), "it lets nobody in who is not known to it"),
    ];
    for (client, server, words) in table {
        let told = denied(&client, server);
        assert!(told.contains(words), "{told}, not {words}");
        // Neither side tells the other why.
        assert!(!told.contains("not on the list"), "{told}");
    }
}

#[test]
fn a_server_that_comes_back_with_other_settings_is_found() {
    for of_server in TransportKind::ALL {
        for of_client in TransportKind::ALL {
            is_found_with_other_settings(*of_server, *of_client);
        }
    }
}

fn is_found_with_other_settings(of_server: TransportKind, of_client: TransportKind) {
    let serve = |options, endpoint: &str| {
        let service = Methods::new("who").method("who", || Ok(()));
        let server = Server::builder().transport(of_server).service(service);
        server.bind(endpoint).socket_options(options).build().expect("a server")
    };
    let strict = SocketOptions::new().security(Security::PlainServer).authenticator(users());
    let server = serve(strict.clone(), ANY_PORT);
    let endpoint = server.endpoints()[0].clone();
    let client = Client::builder().transport(of_client);
    let client = client.socket_options(plain_client("ada", "bob")).connect(&endpoint);
    let told = client.build().expect("a client").call::<()>("who", ());
    let Err(Error::Denied { reason, .. }) = told else { panic!("{of_client:?}: {told:?}") };
    assert!(reason.contains("the user name or the password is wrong"), "{reason}");

    let client = Client::builder().transport(of_client).connect(&endpoint);
    let client = client.build().expect("a client");
    let told = client.call::<()>("who", ());
    assert!(matches!(told, Err(Error::Denied { .. })), "{of_client:?}: {told:?}");
    drop(server);
    let _open = serve(SocketOptions::new(), &endpoint);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        match client.call::<()>("who", ()) {
            Ok(()) => return,
            // It is tried again after a while.
            Err(Error::Denied { .. }) => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            other => panic!("{other:?}"),
        }
        assert!(std::time::Instant::now() < patience, "it is never found");
    }
}

#[test]
fn another_server_that_lets_callers_in_is_waited_for() {
    let strict = guarded(&Arc::default()).build().expect("a server");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other = format!("tcp://{}", free.local_addr().expect("bound"));
    drop(free);
    let client = Client::builder().transport(TransportKind::Mio);
    let client = client.connect(&strict.endpoints()[0]).connect(&other).build().expect("a client");
    let call = client.start::<()>("who", ()).expect("a call");
    let service = Methods::new("who").method("who", || Ok(()));
    let _open = Server::builder().service(service).bind(&other).build().expect("a server");
    assert_eq!(call.wait(), Ok(()));
}

#[test]
fn pushers_that_no_puller_lets_in_are_told() {
    let options = SocketOptions::new().security(Security::PlainServer).authenticator(users());
    let config = SocketConfig::new().bind(ANY_PORT).socket_options(options);
    let puller = Puller::open(&config, Methods::new("nothing")).expect("a puller");
    let pusher = Pusher::open(&SocketConfig::new().connect(&puller.endpoints()[0]));
    let told = pusher.expect("a pusher").push("note", ());
    assert!(matches!(told, Err(Error::Denied { .. })), "{told:?}");
}
