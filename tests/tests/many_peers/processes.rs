//! Three server processes under load, of which one is killed and one is stopped.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tempfile::TempDir;
use zerorpc::{Client, Error, Loss};
use zerorpc_tests::{
    peers::ServeOptions,
    service::eventually,
    site::{SiteProcess, nothing_ran_twice},
};

use crate::support::{SECOND, builder, until_up};

/// Long enough that a busy machine does not make a server seem silent.
const INTERVAL: Duration = SECOND;

fn start(folder: &TempDir, name: &str) -> SiteProcess {
    let options = ServeOptions { heartbeat: INTERVAL, ..ServeOptions::default() };
    SiteProcess::start(env!("CARGO_BIN_EXE_site"), folder, name, options)
}

/// A call that has ended.
struct Ended {
    number: u64,
    began: Instant,
    ended: Instant,
    error: Option<Error>,
}

/// Callers that call for as long as they may.
#[derive(Default)]
struct Load {
    done: AtomicBool,
    next: AtomicU64,
    ended: Mutex<Vec<Ended>>,
}

impl Load {
    fn call(&self, client: &Client) {
        while !self.done.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let began = Instant::now();
            let error = client.call::<String>("note", (number, 0.002)).err();
            let ended = Ended { number, began, ended: Instant::now(), error };
            self.ended.lock().expect("no panic").push(ended);
        }
    }

    /// When the first call was lost by silence.
    fn detected(&self) -> Option<Instant> {
        let ended = self.ended.lock().expect("no panic");
        ended.iter().filter(|call| is_silent(call)).map(|call| call.ended).min()
    }

    /// How many calls that began after some time have ended.
    fn since(&self, time: Instant) -> usize {
        self.ended.lock().expect("no panic").iter().filter(|call| call.began > time).count()
    }
}

fn is_silent(call: &Ended) -> bool {
    matches!(call.error, Some(Error::LostRemote { loss: Loss::Silent { .. }, .. }))
}

#[test]
fn one_killed_and_one_stopped_cost_only_what_they_were_doing() {
    let folder = tempfile::tempdir().expect("a folder");
    let [stopped, mut killed, healthy] =
        ["stopped", "killed", "healthy"].map(|name| start(&folder, name));
    let client = [&stopped, &killed, &healthy]
        .into_iter()
        .fold(builder(), |builder, process| builder.connect(process.endpoint()))
        .heartbeat(INTERVAL)
        .build()
        .expect("a client");
    until_up(&client, 3);
    let load = Load::default();
    let (load, client) = (&load, &client);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| load.call(client));
        }
        let _end = End(&load.done);
        eventually("all three work", || {
            [&stopped, &killed, &healthy].iter().all(|process| process.ran().len() > 50)
        });
        stopped.signal(Signal::STOP);
        killed.kill();
        eventually("the silence is noticed", || load.detected().is_some());
        let detected = load.detected().expect("it was");
        // Long enough that a call that went to the stopped one after that would be lost as well.
        eventually("calls go on", || load.since(detected + 3 * INTERVAL) > 100);

        let before = stopped.ran().len();
        stopped.signal(Signal::CONT);
        eventually("it works again", || stopped.ran().len() > before + 100);
    });

    let detected = load.detected().expect("it was");
    let ended = load.ended.lock().expect("no panic");
    for call in ended.iter() {
        let Some(error) = &call.error else { continue };
        assert!(
            matches!(
                error,
                Error::LostRemote { loss: Loss::Silent { .. } | Loss::Disconnected { .. }, .. }
            ),
            "{error:?}"
        );
        assert!(call.began < detected, "a call after the detection: {error}");
    }
    let failed = ended.iter().filter(|call| call.error.is_some()).count();
    assert!((1..=8 * 2).contains(&failed), "each caller lost one call at most to each: {failed}");

    nothing_ran_twice([&stopped, &killed, &healthy]);
    let ran: BTreeSet<u64> = [stopped, killed, healthy].iter().flat_map(SiteProcess::ran).collect();
    let mut answered = ended.iter().filter(|call| call.error.is_none()).map(|call| call.number);
    assert!(answered.all(|number| ran.contains(&number)));
}

/// Ends the load, however the test ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
