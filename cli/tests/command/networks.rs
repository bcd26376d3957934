//! Servers that freeze, stop and come back, and those who only seem to listen: behind balancers, and without.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use zerorpc::{Client, TransportKind};
use zerorpc_tests::{
    document,
    haproxy::{Config, HaProxy},
    load::{self, Volume},
    proxy::{Proxy, Service},
    service::eventually,
};

use crate::support::{Server, run};

/// How long nobody may wait when a server freezes: it is said to be 4 s, and a busy machine gets some more.
const FROZEN: Duration = Duration::from_secs(8);

/// A server that runs calls side by side.
fn serve() -> Server {
    Server::in_threads("workshop")
}

fn deploy(config: &str, servers: &[Server]) -> Option<HaProxy> {
    let [one, two, three] = servers else { panic!("three servers") };
    Config::new(config)
        .front(":4242")
        .backend("10.0.0.1:4242", &one.endpoint)
        .backend("10.0.0.2:4242", &two.endpoint)
        .backend("10.0.0.3:4242", &three.endpoint)
        .start()
}

/// The configuration that is shown, with checks that see no further than the system that accepts connections.
fn with_plain_checks() -> String {
    let shown = document::blocks("haproxy").swap_remove(0);
    let lines = shown.lines().filter(|line| !line.trim_start().starts_with("tcp-check"));
    lines
        .filter(|line| !line.contains("option tcp-check"))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// Plain checks never see that a server is frozen: every third connection leads to it.
#[test]
fn a_frozen_server_that_the_balancer_takes_for_healthy_costs_seconds() {
    let servers: Vec<Server> = (0..3).map(|_| serve()).collect();
    let config = with_plain_checks().replace("balance leastconn", "balance roundrobin");
    let Some(haproxy) = deploy(&config, &servers) else { return };
    servers[1].running.signal(Signal::STOP);
    for _ in 0..6 {
        let began = Instant::now();
        run([haproxy.endpoint(), "echo", "now"]).expect(0, "\"now\"\n");
        assert!(began.elapsed() < FROZEN, "{:?}", began.elapsed());
    }
    assert_eq!(haproxy.server("calculator/two", "status"), "UP", "it was not noticed");
    servers[1].running.signal(Signal::CONT);
}

#[test]
fn a_server_that_stops_tells_callers_to_go_elsewhere() {
    let [stopping, other] = [serve(), serve()];
    let long = stopping.start_client(&["--json", "slow", "3"]);
    long.wait_for_stdout("1\n");
    stopping.running.signal(Signal::TERM);
    stopping.running.wait_for_stderr("stopping");
    run(["--timeout", "1", "--connect", &stopping.endpoint, "echo", "now"])
        .expect(5, "")
        .tells(&[stopping.endpoint.trim_start_matches("tcp://")]);
    for _ in 0..4 {
        run(["--connect", &stopping.endpoint, "--connect", &other.endpoint, "echo", "now"])
            .expect(0, "\"now\"\n");
    }
    long.wait().expect(0, "1\n2\n");
    stopping.running.wait().expect(0, "");
}

/// With SIGTERM alone, as service managers do it.
#[test]
fn a_rolling_restart_of_served_modules_costs_nothing() {
    let mut servers: Vec<Server> = (0..3).map(|_| serve()).collect();
    let Some(haproxy) = deploy(&document::blocks("haproxy")[0], &servers) else { return };
    let clients = [(); 3].map(|()| {
        let builder = Client::builder().transport(TransportKind::Mio);
        builder.connect(haproxy.endpoint()).build().expect("a client")
    });
    let volume = Volume { callers: 2, calls: 1000 };
    let call = |client: &Client, number| client.call::<u64>("echo", (number,)).map(|_number| ());
    let report = load::under(&clients, volume, call, |load| {
        for name in ["one", "two", "three"] {
            load.goes_on(200);
            let old = servers.remove(0);
            old.running.signal(Signal::TERM);
            old.running.wait().expect(0, "");
            servers.push(Server::at(&old.endpoint, &["--threads", "64"], "workshop"));
            let server = format!("calculator/{name}");
            eventually("HAProxy knows", || haproxy.server(&server, "status") == "UP");
        }
        load.goes_on(200);
    });
    report.none_is_lost();
}

/// What HAProxy limits for servers that see no address but its own.
#[test]
fn masses_stay_before_the_balancer() {
    let servers = [serve(), serve(), serve()];
    let limits = &document::blocks("haproxy limits")[0];
    let config = document::blocks("haproxy")[0].clone() + limits;
    let Some(for_others) = deploy(&config, &servers) else { return };
    run(["--timeout", "1", for_others.endpoint(), "echo", "now"]).expect(5, "");
    let config = config.replace("10.0.0.0/8", "127.0.0.0/8");
    let Some(haproxy) = deploy(&config, &servers) else { return };
    let call = || run(["--timeout", "1", haproxy.endpoint(), "echo", "now"]);
    call().expect(0, "\"now\"\n");
    let address = haproxy.endpoint().trim_start_matches("tcp://");
    let connect = |_| TcpStream::connect(address).expect("the system accepts");
    let mass: Vec<_> = (0..101).map(connect).collect();
    // The system accepts before HAProxy does, whose threads take them in any order.
    eventually("one is too many", || mass.iter().any(is_turned_away));
    call().expect(5, "");
    drop(mass);
    eventually("there is room again", || call().is_success());
}

/// Whether the other side has closed a connection, whatever it said before.
fn is_turned_away(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    match io::copy(&mut stream, &mut io::sink()) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// Nobody shakes hands, so the request has not left.
#[test]
fn those_who_accept_and_say_nothing_are_nobody() {
    let nobody = Proxy::before::<&str>([]);
    for service in [Service::Mute, Service::Greet] {
        nobody.set_service(service);
        let address = nobody.address().to_string();
        run(["--timeout", "1", &nobody.endpoint(), "echo", "now"]).expect(5, "").tells(&[&address]);
    }
}

/// What the document has Kubernetes and others run.
#[test]
fn a_probe_tells_whether_a_server_serves() {
    let server = serve();
    let probe = || run(["--timeout", "1", &server.endpoint, "_zerorpc_ping"]);
    probe().expect(0, "[\"pong\",\"workshop\"]\n");
    server.running.signal(Signal::STOP);
    probe().expect(5, "");
    server.running.signal(Signal::CONT);
    eventually("it serves again", || probe().is_success());
    server.running.signal(Signal::KILL);
    let endpoint = server.endpoint.clone();
    server.running.wait().expect_signal(Signal::KILL);
    run(["--timeout", "1", &endpoint, "_zerorpc_ping"]).expect(5, "");
}

/// HAProxy sends its check twice a second for as long as the server lives.
#[test]
fn a_health_check_is_not_worth_a_word() {
    let server = serve();
    for _ in 0..20 {
        let address = server.endpoint.trim_start_matches("tcp://");
        let mut check = TcpStream::connect(address).expect("it listens");
        check.write_all(b"\xff\0\0\0\0\0\0\0\x01\x7f").expect("there is room");
        let mut greeting = [0];
        check.read_exact(&mut greeting).expect("it greets");
        assert_eq!(greeting, [0xff]);
    }
    server.ask(&["echo", "unharmed"]).expect(0, "\"unharmed\"\n");
    server.running.signal(Signal::TERM);
    let ended = server.running.wait().expect(0, "");
    assert!(!ended.stderr.contains("WARN"), "{ended}");
}
