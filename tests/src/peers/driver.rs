use std::collections::HashMap;
use std::io::Write;
use std::process::{ChildStdin, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Answer, PeerError};
use super::process::PeerProcess;

/// How long the answer to a command may take before the test is taken for hung.
const PATIENCE: Duration = Duration::from_secs(300);

type Answered = Result<Value, PeerError>;

/// The commands that are under way by number; `None` once the program has closed its output.
type Waiting = Arc<Mutex<Option<HashMap<u64, Sender<Answered>>>>>;

/// A peer program that takes commands on stdin and answers each on stdout, in any order.
#[derive(Debug)]
pub(super) struct Driver {
    process: PeerProcess,
    stdin: Mutex<ChildStdin>,
    waiting: Waiting,
    commands: AtomicU64,
}

#[derive(Serialize)]
struct Order<'a, R> {
    id: u64,
    r#do: &'a str,
    #[serde(flatten)]
    request: &'a R,
}

#[derive(Deserialize)]
struct Report {
    id: u64,
    #[serde(flatten)]
    answer: Answer,
}

impl Driver {
    pub(super) fn start(name: &str, program: Command, options: &Value) -> Self {
        let (mut process, lines) = PeerProcess::start(name, program, options);
        let stdin = Mutex::new(process.take_stdin());
        let waiting = Waiting::new(Mutex::new(Some(HashMap::new())));
        let answered = Arc::clone(&waiting);
        thread::spawn(move || {
            for line in lines {
                deliver(&answered, &line);
            }
            *lock(&answered) = None;
        });
        Self { process, stdin, waiting, commands: AtomicU64::new(0) }
    }

    /// Gives a command to the program; `read` turns its answer into what the caller wants.
    pub(super) fn command<R: Serialize, T>(
        &self,
        r#do: &str,
        request: &R,
        read: fn(Answered) -> T,
    ) -> Pending<T> {
        let id = self.commands.fetch_add(1, Ordering::Relaxed);
        let mut line =
            serde_json::to_string(&Order { id, r#do, request }).expect("commands are JSON");
        line.push('\n');

        let (sender, answer) = mpsc::channel();
        if let Some(waiting) = lock(&self.waiting).as_mut() {
            waiting.insert(id, sender);
        }
        // A program that is gone shows in the answer, which is then known never to come.
        let _ = lock(&self.stdin).write_all(line.as_bytes());
        let what = format!("{}, command {}", self.process.name(), shortened(&line));
        Pending { what, answer, read }
    }

    pub(super) fn process(&self) -> &PeerProcess {
        &self.process
    }
}

fn deliver(waiting: &Waiting, line: &str) {
    let Report { id, answer } = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("no answer to any command ({error}): {line}"));
    let sender = lock(waiting).as_mut().and_then(|waiting| waiting.remove(&id));
    // A test may lose interest in an answer.
    sender.map(|sender| sender.send(answer.into_result()).ok());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shortened(line: &str) -> String {
    const ENOUGH: usize = 200;
    line.trim_end().chars().take(ENOUGH).collect()
}

/// A command that a peer is carrying out.
#[derive(Debug)]
pub struct Pending<T> {
    what: String,
    answer: Receiver<Answered>,
    read: fn(Answered) -> T,
}

impl<T> Pending<T> {
    /// Waits for the answer.
    ///
    /// # Panics
    ///
    /// When the peer process is gone, or silent for minutes.
    pub fn wait(self) -> T {
        self.wait_for(PATIENCE)
            .unwrap_or_else(|late| panic!("no answer after {PATIENCE:?} from {}", late.what))
    }

    /// Waits for the answer no longer than `time`; gives the command back when it has not come.
    ///
    /// # Errors
    ///
    /// The command itself, to be asked again.
    ///
    /// # Panics
    ///
    /// When the peer process is gone.
    pub fn wait_for(self, time: Duration) -> Result<T, Self> {
        match self.answer.recv_timeout(time) {
            Ok(answered) => Ok((self.read)(answered)),
            Err(RecvTimeoutError::Timeout) => Err(self),
            Err(RecvTimeoutError::Disconnected) => panic!("ended without an answer: {}", self.what),
        }
    }
}
