//! Who starts everything, ends peers and starts them again, and looks at those that stay.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Deserialize;
use tempfile::TempDir;

use super::{
    Plan, Result,
    call::{Report, Seen},
    part::Part,
    plot,
    samples::{Needs, RESTARTS, Sample, complaints},
    serve::Served,
};

/// How many connections one endpoint is given at most.
const EACH: usize = 64;
/// How many samples are taken.
const SAMPLES: u32 = 240;
/// How long everything may take to be as it is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// Descriptors that a process needs beside its connections.
const SPARE: u64 = 200;

#[derive(Deserialize)]
struct Serving {
    endpoints: Vec<String>,
}

#[derive(Deserialize)]
struct Drained {
    drained: bool,
}

#[derive(Deserialize)]
struct Connecting {
    #[serde(rename = "connecting")]
    _is_so: bool,
}

pub(crate) fn run(plan: &Plan) -> Result<()> {
    allow_descriptors(plan.connections as u64 + SPARE)?;
    let folder = tempfile::tempdir()?;
    let mut soak = Soak::start(plan, &folder)?;
    let samples = soak.endure(plan)?;
    soak.print(&samples);
    if let Some(file) = &plan.plot {
        plot::draw(&samples, file)?;
    }
    let mut complaints = complaints(&samples);
    complaints.extend(soak.end()?);
    match complaints.is_empty() {
        true => Ok(()),
        false => Err(complaints.join("\n      ").into()),
    }
}

/// Lets processes open as many descriptors as the system allows.
fn allow_descriptors(needed: u64) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < needed) {
        let most = maximum.unwrap_or_default();
        return Err(format!(
            "{needed} descriptors are needed, {most} allowed: raise `ulimit -Hn`, or ask for fewer `--connections`"
        )
        .into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// All processes.
struct Soak {
    server: Part,
    /// What the server needed when nobody was connected.
    bare: usize,
    other: Part,
    serve_other: Vec<String>,
    callers: Vec<Part>,
    call: Vec<String>,
    /// Callers that were told to end.
    ending: Vec<Part>,
    /// What callers have said last; of those that are gone, it counts on.
    reports: Vec<Report>,
    past: Report,
    restarts: u32,
}

impl Soak {
    /// Starts all, and waits until all connections are made and all channels open.
    fn start(plan: &Plan, folder: &TempDir) -> Result<Self> {
        let callers = plan.callers.max(1);
        let [connections, channels] =
            [plan.connections, plan.channels].map(|all| all.div_ceil(callers).max(1));
        let heartbeat = format!("--heartbeat={}", plan.heartbeat.as_secs_f64());
        let endpoints = connections.div_ceil(EACH);
        let each = connections.div_ceil(endpoints);

        let mut serve = vec![heartbeat.clone()];
        serve.extend((0..endpoints).map(|_| "tcp://127.0.0.1:*".to_owned()));
        let server = Part::start("serve", &serve)?;
        let Serving { endpoints } = server.hear()?;
        let bare = server.descriptors()?;

        let ipc = |index: usize| format!("ipc://{}/{index}", folder.path().display());
        let mut serve_other = vec![heartbeat.clone()];
        serve_other.extend((0..connections.div_ceil(10)).map(ipc));
        let other = Part::start("serve", &serve_other)?;
        let _bound: Serving = other.hear()?;

        let pace = format!("--pace={}", plan.pace.as_secs_f64());
        let mut call = vec![heartbeat, pace, format!("--channels={channels}")];
        call.extend(endpoints.iter().map(|it| format!("--steady={it}?connections={each}")));
        call.extend(serve_other[1..].iter().map(|endpoint| format!("--restarted={endpoint}")));
        let mut soak = Self {
            server,
            bare,
            other,
            serve_other,
            callers: Vec::new(),
            call,
            ending: Vec::new(),
            reports: vec![Report::default(); callers],
            past: Report::default(),
            restarts: 0,
        };
        for _ in 0..callers {
            soak.callers.push(soak.caller()?);
        }
        let connected = bare + callers * each * endpoints.len();
        let begin = Instant::now();
        soak.until("all are connected, and all channels open", |soak| {
            Ok(soak.look(Duration::ZERO)?.open == callers * channels
                && soak.server.descriptors()? == connected)
        })?;
        println!(
            "all are connected, and all channels open, after {:.1} s",
            begin.elapsed().as_secs_f64()
        );
        Ok(soak)
    }

    fn caller(&self) -> Result<Part> {
        let caller = Part::start("call", &self.call)?;
        let _begun: Connecting = caller.hear()?;
        Ok(caller)
    }

    /// Takes samples and restarts peers for as long as is planned, and until all are connected again.
    fn endure(&mut self, plan: &Plan) -> Result<Vec<Sample>> {
        let begin = Instant::now();
        let mut samples = vec![self.look(Duration::ZERO)?];
        let [from, to] = [RESTARTS.0, RESTARTS.1].map(|share| plan.duration.mul_f64(share));
        let restart_due = |done: u32| {
            let share = f64::from(done) / f64::from(plan.restarts);
            (done < plan.restarts).then(|| from + (to - from).mul_f64(share))
        };
        let pause = plan.duration / SAMPLES;
        let mut sample_due = pause;
        while begin.elapsed() < plan.duration || self.restarts < plan.restarts {
            let due = restart_due(self.restarts).map_or(sample_due, |due| due.min(sample_due));
            thread::sleep(due.saturating_sub(begin.elapsed()));
            if restart_due(self.restarts).is_some_and(|due| begin.elapsed() >= due) {
                self.restart()?;
            }
            if begin.elapsed() >= sample_due {
                samples.push(self.look(begin.elapsed())?);
                sample_due += pause;
            }
        }
        let first = samples[0];
        self.until("all are connected again", |soak| {
            let sample = soak.look(begin.elapsed())?;
            samples.push(sample);
            let [before, after] = [first, sample]
                .map(|sample| (sample.server.descriptors, sample.caller.descriptors, sample.open));
            Ok(before == after)
        })?;
        Ok(samples)
    }

    /// Ends one peer and starts it again.
    fn restart(&mut self) -> Result<()> {
        let number = self.restarts as usize;
        let is_killed = (number + number / 10).is_multiple_of(2);
        self.restarts += 1;
        if number % 10 == 9 || self.callers.len() == 1 {
            if !is_killed {
                // Calls may be open, and streams without an end: it does not wait for all of them.
                self.other.stop();
                let _either_way: Drained = self.other.hear()?;
            }
            self.other.kill()?;
            self.other = Part::start("serve", &self.serve_other)?;
            let _bound: Serving = self.other.hear()?;
            return Ok(());
        }
        let index = 1 + number % (self.callers.len() - 1);
        let mut last: Report = self.callers[index].ask()?;
        (last.steady.open, last.restarted.open) = (0, 0);
        add(&mut self.past, &last);
        self.reports[index] = Report::default();
        if !is_killed {
            self.callers[index].stop();
        }
        let next = self.caller()?;
        let mut old = std::mem::replace(&mut self.callers[index], next);
        match is_killed {
            true => old.kill()?,
            false => self.ending.push(old),
        }
        Ok(())
    }

    /// What is to be seen now.
    fn look(&mut self, at: Duration) -> Result<Sample> {
        let mut still = Vec::new();
        for mut part in self.ending.drain(..) {
            match part.has_ended()? {
                true => part.wait()?,
                false => still.push(part),
            }
        }
        self.ending = still;
        for (caller, report) in self.callers.iter_mut().zip(&mut self.reports) {
            *report = caller.ask()?;
        }
        Ok(Sample {
            at: at.as_secs_f64(),
            server: Needs { heap: self.server.ask::<Served>()?.heap, ..self.server.needs()? },
            caller: Needs { heap: self.reports[0].heap, ..self.callers[0].needs()? },
            open: self.reports.iter().map(|report| report.steady.open).sum(),
            restarts: self.restarts,
        })
    }

    /// What all callers have seen so far, those that are gone too.
    fn total(&self) -> Report {
        let mut total = self.past.clone();
        self.reports.iter().for_each(|report| add(&mut total, report));
        total
    }

    fn until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        let patience = Instant::now() + PATIENCE;
        while !is_so(self)? {
            if Instant::now() > patience {
                let needs = self.server.needs()?;
                let Served { accepted, .. } = self.server.ask()?;
                return Err(format!(
                    "it never happened that {what}; the server: {needs:?}, {accepted}"
                )
                .into());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// For people.
    fn print(&self, samples: &[Sample]) {
        let [first, last] = [samples[0], samples[samples.len() - 1]];
        println!("{:.0} s, {} restarts of peers", last.at, last.restarts);
        for (name, needs) in [
            ("server", [first, last].map(|it| it.server)),
            ("caller", [first, last].map(|it| it.caller)),
        ] {
            let [before, after] = needs;
            println!(
                "{name}: {:.1} MiB then, {:.1} MiB now, of which {:.1} and {:.1} are in use; {} and {} descriptors; {} and {} threads",
                before.memory,
                after.memory,
                before.heap,
                after.heap,
                before.descriptors,
                after.descriptors,
                before.threads,
                after.threads,
            );
        }
        let total = self.total();
        for (name, seen) in
            [("server that stays", &total.steady), ("other server", &total.restarted)]
        {
            let Seen { open, answered, items, forgotten, errors } = seen;
            println!(
                "{name}: {open} channels; {answered} answers, {items} items, {forgotten} streams forgotten; errors: {errors:?}"
            );
        }
    }

    /// Ends all in good order; what is wrong at the end.
    fn end(mut self) -> Result<Vec<String>> {
        let mut complaints = Vec::new();
        let lost = &self.reports[0].steady.errors;
        if !lost.is_empty() {
            complaints.push(format!("calls between the two that stay have failed: {lost:?}"));
        }
        self.callers.iter_mut().for_each(Part::stop);
        for part in self.callers.drain(..).chain(self.ending.drain(..)) {
            part.wait()?;
        }
        self.until("the server is alone", |soak| Ok(soak.server.descriptors()? <= soak.bare))?;
        self.server.stop();
        let Drained { drained } = self.server.hear()?;
        if !drained {
            complaints.push("the server has channels left though all callers have gone".into());
        }
        self.server.wait()?;
        Ok(complaints)
    }
}

/// Adds what a caller has seen to what others have.
fn add(total: &mut Report, report: &Report) {
    let pairs = [(&mut total.steady, &report.steady), (&mut total.restarted, &report.restarted)];
    for (total, seen) in pairs {
        total.open += seen.open;
        total.answered += seen.answered;
        total.items += seen.items;
        total.forgotten += seen.forgotten;
        for (kind, count) in &seen.errors {
            *total.errors.entry(kind.clone()).or_default() += count;
        }
    }
}
