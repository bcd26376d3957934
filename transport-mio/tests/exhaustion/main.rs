//! A process without room for further files: in a process of its own, of which this is the only test.

use std::{
    fs::File,
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use zerorpc_mio::open;
use zerorpc_proto::{
    PeerEvent,
    transport::{MonitorEvent, SocketKind, SocketOptions, Transport, Waiter},
};

#[test]
fn without_room_for_connections_nobody_spins_and_they_come_later()
-> Result<(), Box<dyn std::error::Error>> {
    let mut parts = open(SocketKind::Router, &SocketOptions::default())?;
    let endpoint = parts.transport.bind("tcp://127.0.0.1:*")?;
    let mut client = open(SocketKind::Dealer, &SocketOptions::default())?;
    let peer = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
    client.transport.connect(&endpoint)?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum })?;
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }

    let end = Instant::now() + Duration::from_secs(1);
    let (mut wakes, mut failures) = (0, Vec::new());
    while let left = end.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        parts.waiter.wait_until(Some(Instant::now() + left))?;
        wakes += 1;
        assert!(parts.transport.receive()?.is_none());
        while let Some(event) = parts.transport.poll_monitor() {
            if let MonitorEvent::AcceptFailed { reason, .. } = event {
                failures.push(reason);
            }
        }
    }
    assert!(wakes < 30, "{wakes} times awake within a second");
    assert!(failures.iter().all(|reason| reason.contains("open files")), "{failures:?}");
    assert!(!failures.is_empty());

    drop(files);
    let start = Instant::now();
    while !matches!(parts.transport.poll_peer(), Some(PeerEvent::Up(_))) {
        for one in [&mut parts, &mut client] {
            one.waiter.wait_until(Some(Instant::now() + Duration::from_millis(1)))?;
            while one.transport.receive()?.is_some() {}
        }
        assert!(start.elapsed() < Duration::from_secs(20), "nobody is let in");
    }
    drop(peer);
    Ok(())
}
