//! Servers that are told to end while clients call: what they have not begun goes to others.

use std::{thread, time::Duration};

use rustix::process::Signal;

use crate::support::{Ended, Running, free_port, start};

/// A server at a certain port.
fn serve_at(address: &str) -> Running {
    let server = start(["--server", "--bind", address, "workshop"]);
    server.wait_for_stderr("serving \"");
    server
}

fn addresses<const N: usize>() -> [String; N] {
    [(); N].map(|()| format!("tcp://127.0.0.1:{}", free_port()))
}

#[test]
fn what_waits_for_a_slow_call_goes_to_another_server() {
    let [first, second] = addresses();
    let server = serve_at(&first);
    // One at a time: what is begun in the first half of the time that a server has to end, does so.
    let calls: Vec<_> = (0..6)
        .map(|_| start(["--connect", &first, "--connect", &second, "--json", "sleep", "2"]))
        .collect();
    // The first of them has begun.
    thread::sleep(Duration::from_secs(1));
    server.signal(Signal::TERM);
    let other = serve_at(&second);
    for call in calls {
        call.wait().expect(0, "\"slept\"\n");
    }
    server.wait().expect(0, "").tells(&["stopping"]);
    drop(other);
}

#[test]
fn a_rolling_restart_costs_no_call() {
    let addresses: [String; 3] = addresses();
    let links: Vec<&str> =
        addresses.iter().flat_map(|address| ["--connect", address.as_str()]).collect();
    let mut servers: Vec<Running> = addresses.iter().map(|address| serve_at(address)).collect();
    thread::scope(|scope| {
        let calling: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let call = || start(links.iter().chain(&["--json", "sleep", "0.2"])).wait();
                    (0..20).map(|_| call()).collect::<Vec<Ended>>()
                })
            })
            .collect();
        for (server, address) in servers.iter_mut().zip(&addresses) {
            server.signal(Signal::TERM);
            let ended = std::mem::replace(server, {
                server.wait_for_stderr("stopping");
                serve_again(address)
            });
            ended.wait().expect(0, "");
        }
        for ended in calling.into_iter().flat_map(|thread| thread.join().expect("no panic")) {
            ended.expect(0, "\"slept\"\n");
        }
    });
}

/// As soon as the port is free, which it is when the old one listens no more.
fn serve_again(address: &str) -> Running {
    let address = address.trim_start_matches("tcp://");
    while std::net::TcpListener::bind(address).is_err() {
        thread::sleep(Duration::from_millis(5));
    }
    serve_at(&format!("tcp://{address}"))
}
