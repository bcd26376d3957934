use std::{env, fs, net, os::unix::net::UnixStream, process};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use zerorpc_proto::transport::{Keepalive, Probes, SocketKind};

use super::*;
use crate::link::{
    permissions::Permissions,
    testing::{LISTEN, PATIENCE, World},
};

fn ipv6() -> bool {
    net::TcpListener::bind("[::1]:0").is_ok()
}

fn port_of(endpoint: &str) -> &str {
    endpoint.rsplit(':').next().expect("split gives one part at least")
}

#[test]
fn every_form_leads_to_the_listener() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = format!("ipc://{}/socket", folder.path().display());
    let name = format!("ipc://@zerorpc-test-{}", process::id());
    let table = [
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:", "tcp://127.0.0.1:PORT", false),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:", "tcp://localhost:PORT", false),
        ("tcp://localhost:0", "tcp://127.0.0.1:", "tcp://0:PORT", false),
        ("tcp://lo:0", "tcp://127.0.0.1:", "tcp://127.0.0.1:PORT", false),
        ("tcp://*:0", "tcp://0.0.0.0:", "tcp://127.0.0.1:PORT", false),
        ("tcp://*:*", "tcp://0.0.0.0:", "tcp://[::1]:PORT", true),
        ("tcp://0:*", "tcp://0.0.0.0:", "tcp://127.0.0.1:PORT", false),
        ("tcp://[::1]:0", "tcp://[::1]:", "tcp://[::1]:PORT", true),
        ("tcp://[::]:0", "tcp://[::]:", "tcp://127.0.0.1:PORT", true),
        ("tcp://[::1%lo]:0", "tcp://[::1", "tcp://[::1%1]:PORT", true),
        (path.as_str(), path.as_str(), path.as_str(), false),
        (name.as_str(), name.as_str(), name.as_str(), false),
        ("inproc://every form", "inproc://every form", "inproc://every form", false),
    ];
    for (given, bound, target, needs_ipv6) in table {
        if needs_ipv6 && !ipv6() {
            continue;
        }
        let mut world = World::new();
        let mut listener = world.listener(given);
        assert!(listener.endpoint().starts_with(bound), "{given}: {}", listener.endpoint());
        let target = target.replace("PORT", port_of(listener.endpoint()));
        for target in [target.clone(), listener.endpoint().to_string()] {
            let mut dialer = world.dialer(&target, &LinkOptions::default());
            let client = world.connected(&mut dialer);
            let server = world.accepted(&mut listener);
            world.converse(&client, &server);
            assert!(!server.to_string().contains("ffff"), "{given}: {server}");
        }
    }
}

#[test]
fn a_chosen_path_is_told_and_removed() {
    let mut world = World::new();
    let mut listener = world.listener("ipc://*");
    let endpoint = listener.endpoint().to_string();
    let path = std::path::PathBuf::from(endpoint.strip_prefix("ipc://").expect("a path"));
    let _client = UnixStream::connect(&path).expect("somebody listens");
    assert_eq!(world.accepted(&mut listener).to_string(), endpoint);
    drop(listener);
    assert!(!path.exists() && !path.parent().expect("a folder").exists());
}

#[test]
fn refusals_are_explained() {
    let taken = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("an address");
    let _inproc = World::new().listener("inproc://refusals");
    let _abstract = World::new().listener("ipc://@zerorpc-refusals");
    let table = [
        (format!("tcp://{}", taken.1), "already listens"),
        (format!("tcp://*:{}", taken.1.port()), "already listens"),
        (format!("tcp://localhost:{}", taken.1.port()), "already listens"),
        ("tcp://192.0.2.77:*".into(), "does not have that address"),
        ("tcp://no-such-host.invalid:*".into(), "unknown host `no-such-host.invalid`"),
        ("tcp://[fe80::1%nonesuch0]:*".into(), "no network interface `nonesuch0`"),
        ("ipc:///nonesuch/socket".into(), "folder /nonesuch does not exist"),
        ("ipc://@zerorpc-refusals".into(), "already listens"),
        ("inproc://refusals".into(), "already bound"),
    ];
    for (endpoint, hint) in table {
        let read = Endpoint::parse_bind(&endpoint).expect(&endpoint);
        let reason =
            Listener::bind(&read, &LinkOptions::default()).expect_err(&endpoint).to_string();
        assert!(reason.contains(hint), "{endpoint}: {reason}");
    }
}

/// Whoever asks for a mode means to keep somebody out, which a name without a file cannot.
#[test]
fn a_name_without_a_file_takes_no_mode_and_no_group() {
    let read = Endpoint::parse_bind("ipc://@zerorpc-no-file").expect("an endpoint");
    let (mode, group) = (Some(0o600), Some("0".to_owned()));
    for (mode, group) in [(mode, None), (None, group)] {
        let permissions = Permissions { mode, group };
        let options = LinkOptions { permissions, ..LinkOptions::default() };
        let reason = Listener::bind(&read, &options).expect_err("it is open to all").to_string();
        assert!(reason.contains("everybody on this machine may connect"), "{reason}");
    }
}

#[test]
fn a_port_can_be_bound_again_at_once() {
    let mut world = World::new();
    let mut endpoint = "tcp://127.0.0.1:*".to_string();
    for _ in 0..20 {
        let mut listener = world.listener(&endpoint);
        endpoint = listener.endpoint().to_string();
        let mut dialer = world.dialer(&endpoint, &LinkOptions::default());
        let client = world.connected(&mut dialer);
        let server = world.accepted(&mut listener);
        world.converse(&client, &server);
        // Who closes first keeps the port busy for a minute.
        drop((server, listener));
    }
}

#[test]
fn bursts_are_taken_in_turns() {
    for endpoint in ["tcp://127.0.0.1:*", "ipc://*", "inproc://bursts"] {
        let mut world = World::new();
        let mut listener = world.listener(endpoint);
        let target = listener.endpoint().to_string();
        let mut clients = Vec::new();
        for _ in 0..25 {
            let mut dialer = world.dialer(&target, &LinkOptions::default());
            clients.push(world.connected(&mut dialer));
        }
        let now = Instant::now();
        let mut streams = Vec::new();
        let bursts =
            [(); 3].map(|()| listener.accept(now, 10, |_| true, |stream| streams.push(stream)));
        assert_eq!(bursts, [Burst::More, Burst::More, Burst::Drained], "{endpoint}");
        assert_eq!(streams.len(), 25, "{endpoint}");
    }
}

#[test]
fn accepted_connections_have_their_options() {
    let keepalive = Keepalive::every(Duration::from_secs(77)).timeout(Duration::from_secs(21));
    let probes = Probes::new(SocketKind::Router, &keepalive);
    let options = LinkOptions { keepalive: Some(probes), ..LinkOptions::default() };
    let mut world = World::new();
    let read = Endpoint::parse_bind("tcp://127.0.0.1:*").expect("an endpoint");
    let mut listener = Listener::bind(&read, &options).expect("a free port");
    world.poll.registry().register(&mut listener, LISTEN, Interest::READABLE).expect("a source");
    let mut dialer = world.dialer(listener.endpoint(), &options);
    let client = world.connected(&mut dialer);
    let server = world.accepted(&mut listener);
    for stream in [&client, &server] {
        let socket = SockRef::from(stream);
        assert!(socket.tcp_nodelay().expect("an option"));
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(77));
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(7));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 3);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(keepalive.patience()));
        let flags = rustix::io::fcntl_getfd(stream).expect("flags");
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[test]
fn no_keepalive_is_too_long_for_the_system() {
    for seconds in [0, 1, 40_000, 1_000_000_000, u64::MAX] {
        let probes =
            Probes::new(SocketKind::Dealer, &Keepalive::every(Duration::from_secs(seconds)));
        let options = LinkOptions { keepalive: Some(probes), ..LinkOptions::default() };
        let mut world = World::new();
        let listener = world.listener("tcp://127.0.0.1:*");
        let target = listener.endpoint().to_owned();
        let mut dialer = world.dialer(&target, &options);
        world.connected(&mut dialer);
    }
}

/// The limit of open files is the whole process's, so this runs in one of its own.
const ALONE: &str = "ZERORPC_TEST_EXHAUSTION";

#[test]
fn too_many_open_files_make_the_listener_rest() {
    if env::var_os(ALONE).is_some() {
        return exhaust();
    }
    let this = env::current_exe().expect("the test binary");
    let output = process::Command::new(this)
        .args(["--exact", "--nocapture"])
        .arg("link::listener::tests::too_many_open_files_make_the_listener_rest")
        .env(ALONE, "1")
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn exhaust() {
    let world = World::new();
    let mut listener = world.listener("tcp://127.0.0.1:*");
    let address = listener.endpoint().strip_prefix("tcp://").expect("tcp").to_string();
    let clients = [(); 3].map(|()| net::TcpStream::connect(&address).expect("somebody listens"));

    let limit = getrlimit(Resource::Nofile);
    let mut files = Vec::new();
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).expect("a lower limit");
    while let Ok(file) = fs::File::open("/dev/null") {
        files.push(file);
    }

    let mut now = Instant::now();
    let mut waits = Vec::new();
    for _ in 0..10 {
        match listener.accept(now, 8, |_| true, |stream| panic!("no room for {stream}")) {
            Burst::Exhausted { reason, retry } => {
                assert!(reason.contains("ulimit -n"), "{reason}");
                waits.push(retry - now);
                now = retry;
            }
            burst => panic!("{burst:?}"),
        }
    }
    assert!(waits[0] >= Duration::from_millis(10) && waits[0] <= Duration::from_millis(20));
    assert!(waits[9] >= Duration::from_millis(500) && waits[9] <= Duration::from_secs(1));

    files.clear();
    let mut streams = Vec::new();
    let patience = Instant::now() + PATIENCE;
    while streams.len() < clients.len() && Instant::now() < patience {
        listener.accept(now, 8, |_| true, |stream| streams.push(stream));
    }
    assert_eq!(streams.len(), clients.len(), "those who waited are served");
}
