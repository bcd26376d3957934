//! A server: works off requests, and counts how often it was asked for each.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use zerorpc_proto::{Config, Notice, RequestId, Session};

use super::task::Task;

#[derive(Debug)]
struct Job {
    task: Task,
    token: u64,
    sent: u64,
    due: Instant,
}

/// The application of a serving session.
#[derive(Debug)]
pub struct Server {
    /// The session.
    pub session: Session,
    /// How often each token was asked for.
    pub executed: BTreeMap<u64, u32>,
    jobs: BTreeMap<RequestId, Job>,
}

impl Server {
    pub(super) fn new(config: Config) -> Self {
        let (executed, jobs) = (BTreeMap::new(), BTreeMap::new());
        Self { session: Session::new(config), executed, jobs }
    }

    /// When a job has something to say next.
    pub(super) fn next_job(&self) -> Option<Instant> {
        self.jobs.values().filter(|job| job.sent == 0).map(|job| job.due).min()
    }

    /// Takes notices, and answers what can be answered by now.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(notice) = self.session.poll_notice() {
            match notice {
                Notice::Requested(id) => self.begin(now, id),
                Notice::Writable(id) => self.work(now, id),
                Notice::RequestLost(id, _) => {
                    assert!(self.session.request(id).is_none());
                    self.jobs.remove(&id).expect("a request is lost once");
                }
                _ => panic!("a server got {notice:?}"),
            }
        }
        let due = |job: &Job| job.sent == 0 && job.due <= now;
        let ready: Vec<_> =
            self.jobs.iter().filter(|(_, job)| due(job)).map(|(id, _)| *id).collect();
        for id in ready {
            self.work(now, id);
        }
    }

    fn begin(&mut self, now: Instant, id: RequestId) {
        // It may have been lost again already; that notice comes later.
        let asked = self.session.request(id).map(|mut request| {
            let args = request.take_args();
            Task::read(request.method(), &args).expect("simulated clients ask for tasks")
        });
        let (task, token) = asked.unwrap_or((Task::Echo, u64::MAX));
        *self.executed.entry(token).or_default() += 1;
        let wait = match task {
            Task::Late(milliseconds) => Duration::from_millis(milliseconds),
            _ => Duration::ZERO,
        };
        self.jobs.insert(id, Job { task, token, sent: 0, due: now + wait });
    }

    fn work(&mut self, now: Instant, id: RequestId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.due <= now) else { return };
        let Some(mut request) = self.session.request(id) else { return };
        while job.sent < job.task.items() {
            if request.send(Task::item(job.token, job.sent)).is_err() {
                return;
            }
            job.sent += 1;
        }
        match job.task {
            Task::Echo | Task::Late(_) => {
                request.reply(Task::item(job.token, 0)).expect("no stream has begun");
            }
            Task::Items(_) => request.finish(),
            Task::Fail | Task::Break(_) => request.fail(Task::failure(job.token)),
        }
        self.jobs.remove(&id);
    }
}
