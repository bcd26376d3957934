//! A server: works off requests, and counts how often it was asked for each.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use zerorpc_proto::{Config, Envelope, Notice, PeerId, RequestId, Session};

use super::{
    model::{Caller, Model},
    task::Task,
};

#[derive(Debug)]
struct Job {
    task: Task,
    caller: Caller,
    sent: u64,
    /// When it has something to say; `None` as long as it waits for others.
    due: Option<Instant>,
}

/// The application of a serving session.
#[derive(Debug)]
pub struct Server {
    /// Which node it is.
    node: usize,
    /// The session.
    pub session: Session,
    /// How often each token was asked for.
    pub executed: BTreeMap<u64, u32>,
    jobs: BTreeMap<RequestId, Job>,
    /// Until when requests wait, since all its workers are busy.
    busy_until: Option<Instant>,
}

impl Server {
    pub(super) fn new(node: usize, config: Config) -> Self {
        let (executed, jobs) = (BTreeMap::new(), BTreeMap::new());
        Self { node, session: Session::new(config), executed, jobs, busy_until: None }
    }

    /// It forgets everything, but what it has executed.
    pub(super) fn restart(&mut self, config: Config) {
        self.session = Session::new(config);
        self.jobs.clear();
        self.busy_until = None;
    }

    /// Requests wait from now on, until then.
    pub(super) fn occupy(&mut self, until: Instant) {
        self.busy_until = self.busy_until.max(Some(until));
    }

    /// Takes no more requests, and turns down those that wait.
    pub(super) fn stop(&mut self, model: &mut Model) {
        self.session.stop_accepting();
        let Self { node, session, jobs, .. } = self;
        jobs.retain(|id, job| {
            let waiting = session.request(*id).filter(|_| job.due.is_none());
            let waits = waiting.is_some();
            if let Some(request) = waiting {
                request.refuse();
                model.turned_down(*node, &job.caller);
            }
            !waits
        });
    }

    /// When a job has something to say next.
    pub(super) fn next_job(&self) -> Option<Instant> {
        let due = |job: &Job| job.due.or(self.busy_until);
        self.jobs.values().filter(|job| job.sent == 0).filter_map(due).min()
    }

    /// Takes notices, and answers what can be answered by now.
    pub(super) fn settle(&mut self, now: Instant, model: &mut Model) {
        while let Some(notice) = self.session.poll_notice() {
            match notice {
                Notice::Requested(id) => self.take(id),
                Notice::Writable(id) => self.work(now, id, model),
                Notice::RequestLost(id, loss) => {
                    assert!(self.session.request(id).is_none());
                    let job = self.jobs.remove(&id).expect("a request is lost once");
                    model.request_lost(now, self.node, &job.caller, &loss);
                }
                _ => panic!("a server got {notice:?}"),
            }
        }
        self.begin(now, model);
        let due = |job: &Job| job.sent == 0 && job.due.is_some_and(|due| due <= now);
        let ready: Vec<_> =
            self.jobs.iter().filter(|(_, job)| due(job)).map(|(id, _)| *id).collect();
        for id in ready {
            self.work(now, id, model);
        }
    }

    /// A request waits for its turn.
    fn take(&mut self, id: RequestId) {
        // It may have been lost again already; that notice comes later.
        let asked = self.session.request(id).map(|mut request| {
            let args = request.take_args();
            let (task, token) = Task::read(request.method(), &args).expect("a task");
            (task, Caller { peer: request.peer(), envelope: request.envelope(), token })
        });
        let nobody =
            || Caller { peer: PeerId::NAMELESS, envelope: Envelope::default(), token: u64::MAX };
        let (task, caller) = asked.unwrap_or_else(|| (Task::Echo, nobody()));
        self.jobs.insert(id, Job { task, caller, sent: 0, due: None });
    }

    /// Begins with what waits, if anybody has time for it.
    fn begin(&mut self, now: Instant, model: &mut Model) {
        if self.busy_until.is_some_and(|until| until > now) {
            return;
        }
        self.busy_until = None;
        for (id, job) in self.jobs.iter_mut().filter(|(_, job)| job.due.is_none()) {
            *self.executed.entry(job.caller.token).or_default() += 1;
            let wait = match job.task {
                Task::Late(milliseconds) => Duration::from_millis(milliseconds),
                _ => Duration::ZERO,
            };
            job.due = Some(now + wait);
            if self.session.request(*id).is_some() {
                model.begun((self.node, &job.caller), now + wait);
            }
        }
    }

    fn work(&mut self, now: Instant, id: RequestId, model: &mut Model) {
        let is_due = |job: &&mut Job| job.due.is_some_and(|due| due <= now);
        let Some(job) = self.jobs.get_mut(&id).filter(is_due) else { return };
        let Some(mut request) = self.session.request(id) else { return };
        while job.sent < job.task.items() {
            if request.send(job.task.item(job.caller.token, job.sent)).is_err() {
                return;
            }
            job.sent += 1;
        }
        match job.task {
            Task::Echo | Task::Late(_) => {
                request.reply(job.task.item(job.caller.token, 0)).expect("no stream has begun");
            }
            Task::Items(_) | Task::Swell(_) => request.finish(),
            Task::Fail | Task::Break(_) => request.fail(Task::failure(job.caller.token)),
        }
        if let Some(job) = self.jobs.remove(&id) {
            model.finished(self.node, &job.caller);
        }
    }
}
