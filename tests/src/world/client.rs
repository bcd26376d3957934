//! A client: makes calls, reads their answers at its own pace, and keeps what it got.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use zerorpc_proto::{Answer, Args, CallId, Config, Notice, RemoteError, Session, Target};

use super::{manner::Manner, model::Model, task::Task};

/// What became of a call.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was asked for.
    pub task: Task,
    /// Which call it was.
    pub token: u64,
    /// What was answered.
    pub got: Vec<Answer>,
    /// The caller lost interest.
    pub cancelled: bool,
    /// A fault came between the caller and its server.
    pub disturbed: bool,
}

impl Outcome {
    /// Whether it is what was asked for, with a failure as version 1 shows it.
    #[must_use]
    pub fn is_as_of_version_1(&self) -> bool {
        let mut expected = self.task.answers(self.token);
        if let Some(Answer::Failed(failure)) = expected.last_mut() {
            let text = format!("{}('{}')", failure.name, failure.message);
            **failure = RemoteError::new("RemoteError", text);
        }
        self.got == expected
    }
}

#[derive(Debug)]
struct Open {
    outcome: Outcome,
    manner: Manner,
    ahead: VecDeque<Args>,
    readable: bool,
    next_read: Instant,
}

/// The application of a calling session.
#[derive(Debug)]
pub struct Client {
    /// Which node it is.
    node: usize,
    /// The session.
    pub session: Session,
    /// All calls that came to an end.
    pub outcomes: Vec<Outcome>,
    open: BTreeMap<CallId, Open>,
}

impl Client {
    pub(super) fn new(node: usize, config: Config) -> Self {
        Self { node, session: Session::new(config), outcomes: Vec::new(), open: BTreeMap::new() }
    }

    pub(super) fn call(
        &mut self,
        now: Instant,
        to: Target,
        token: u64,
        task: Task,
        manner: Manner,
    ) {
        let (method, args) = task.call(token);
        let call = self.session.open(now, to, method, args, &manner.options());
        let call = call.expect("a simulated client stays within its limits");
        let outcome = Outcome { task, token, got: Vec::new(), cancelled: false, disturbed: false };
        let open =
            Open { outcome, manner, ahead: VecDeque::new(), readable: false, next_read: now };
        self.open.insert(call, open);
    }

    /// Something came between this client and its server: open calls may be lost.
    pub(super) fn disturb_all(&mut self) {
        for open in self.open.values_mut() {
            open.outcome.disturbed = true;
        }
    }

    /// A call that is made into a black hole.
    pub(super) fn disturb(&mut self, token: u64) {
        for open in self.open.values_mut().filter(|open| open.outcome.token == token) {
            open.outcome.disturbed = true;
        }
    }

    /// Forgets all calls that are open.
    pub(super) fn quit_all(&mut self, model: &mut Model) {
        for (id, mut open) in std::mem::take(&mut self.open) {
            if let Some(call) = self.session.call(id) {
                model.quit(self.node, open.outcome.token);
                call.cancel();
            }
            open.outcome.cancelled = true;
            self.outcomes.push(open.outcome);
        }
    }

    /// Begins anew, with nothing of what was.
    pub(super) fn restart(&mut self, config: Config, model: &mut Model) {
        self.session = Session::new(config);
        for (_, mut open) in std::mem::take(&mut self.open) {
            model.quit(self.node, open.outcome.token);
            open.outcome.cancelled = true;
            self.outcomes.push(open.outcome);
        }
    }

    /// Whether calls are open.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.open.is_empty()
    }

    /// When there is something to read next.
    pub(super) fn next_read(&self) -> Option<Instant> {
        self.open.values().filter(|open| open.readable).map(|open| open.next_read).min()
    }

    /// Takes notices, and reads what may be read by now.
    pub(super) fn settle(&mut self, now: Instant, model: &mut Model) {
        while let Some(notice) = self.session.poll_notice() {
            let (Notice::Readable(id) | Notice::CallLost(id)) = notice else {
                panic!("a client got {notice:?}")
            };
            if let Some(open) = self.open.get_mut(&id) {
                open.readable = true;
                if let Notice::CallLost(_) = notice {
                    model.call_lost(now, self.node, open.outcome.token);
                }
            }
        }
        let due = |open: &Open| open.readable && open.next_read <= now;
        let ready: Vec<_> =
            self.open.iter().filter(|(_, open)| due(open)).map(|(id, _)| *id).collect();
        for id in ready {
            self.read(now, id, model);
        }
    }

    fn read(&mut self, now: Instant, id: CallId, model: &mut Model) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let (node, token) = (self.node, open.outcome.token);
        while open.readable && open.next_read <= now {
            let mut call = self.session.call(id).expect("the call is open");
            let answer = match open.ahead.pop_front().map(Answer::Item) {
                Some(answer) => answer,
                None => match call.recv() {
                    Some(answer) => {
                        model.took(node, token, &answer);
                        answer
                    }
                    None => {
                        model.asked(node, token);
                        open.readable = false;
                        return;
                    }
                },
            };
            if open.manner.ahead
                && let Some(mut call) = self.session.call(id)
            {
                let before = open.ahead.len();
                call.recv_ahead(&mut open.ahead, 100);
                for item in open.ahead.iter().skip(before) {
                    model.took(node, token, &Answer::Item(item.clone()));
                }
            }
            let last = answer.is_last();
            open.outcome.got.push(answer);
            if open.outcome.got.len() >= open.manner.paced_from {
                open.next_read = now + open.manner.pace;
            }
            let enough = open.manner.quit_after == Some(open.outcome.got.len());
            if let Some(call) = self.session.call(id).filter(|_| enough) {
                call.cancel();
                model.quit(node, token);
                open.outcome.cancelled = true;
            }
            if last || open.outcome.cancelled {
                assert!(self.session.call(id).is_none(), "the call is gone");
                self.outcomes.extend(self.open.remove(&id).map(|open| open.outcome));
                return;
            }
        }
    }
}
