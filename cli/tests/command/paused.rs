//! Processes that are stopped for longer than silence may last: SIGSTOP, a frozen container, a laptop that sleeps.

use std::{thread, time::Duration};

use rustix::process::Signal;

use crate::support::{Running, Server};

/// Three of the intervals of whoever is stopped; two of them without a sign of life would lose the other side.
const PAUSE: Duration = Duration::from_millis(1500);

/// Stops a process for a while, as soon as it is in the midst of its work.
fn pause(process: &Running) {
    thread::sleep(Duration::from_millis(700));
    process.signal(Signal::STOP);
    thread::sleep(PAUSE);
    process.signal(Signal::CONT);
}

/// The other side answers beats, and does not count: what is lost is lost by the one that was stopped.
#[test]
fn a_stopped_side_loses_nobody_by_its_own_silence() {
    for kind in ["mio", "zmq"] {
        let flags = ["--transport", kind];
        let quiet = Server::beating("none", &flags, "workshop");
        let beating = Server::beating("0.5", &flags, "workshop");
        let active = [&flags[..], &["--json", "--heartbeat", "0.5", "--active-hb", "sleep", "3"]];
        let idle = [&flags[..], &["--json", "--heartbeat", "none", "sleep", "3"]];
        let (stopped, served) =
            (quiet.start_client(&active.concat()), beating.start_client(&idle.concat()));
        thread::scope(|scope| {
            scope.spawn(|| pause(&stopped));
            scope.spawn(|| pause(&beating.running));
        });
        stopped.wait().expect(0, "\"slept\"\n");
        served.wait().expect(0, "\"slept\"\n");
    }
}
