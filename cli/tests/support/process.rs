//! A program that a test has started: what it prints, and its end.

use std::{
    io::Read,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
};

use signal_hook::consts::SIGINT;

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. It is killed when dropped, if it has not ended by then.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        hear_ctrl_c();
        match command.spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("cannot start {command:?}: {error}"),
        }
    }

    /// How it ended.
    ///
    /// # Errors
    /// When it did not, within a minute.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() > patience => {
                    return Err(format!("it has not ended after {PATIENCE:?}"));
                }
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// Tests that were put into the background ignore Ctrl-C, and so would all that they start. A signal that has a
/// handler is back to its default in a new program.
fn hear_ctrl_c() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored =
            ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        if ignored & (1 << (SIGINT - 1)) != 0 {
            let heard = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(SIGINT, heard).expect("SIGINT can be handled");
        }
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a program that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came through a pipe so far. Clones are the same pipe.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    shared: Arc<(Mutex<Text>, Condvar)>,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Nobody holds the other end any more.
    ended: bool,
}

impl Output {
    /// Reads on in a thread of its own.
    pub(crate) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let writer = output.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = pipe.read(&mut buffer).unwrap_or(0);
                let mut text = writer.lock();
                text.bytes.extend_from_slice(&buffer[..count]);
                text.ended = count == 0;
                writer.shared.1.notify_all();
                if text.ended {
                    return;
                }
            }
        });
        output
    }

    /// Waits until the text is right, and returns it.
    ///
    /// # Errors
    /// The text, with a reason, when it is not right after a minute, or will not change any more.
    pub(crate) fn wait_for(&self, holds: impl Fn(&str) -> bool) -> Result<String, String> {
        self.wait(|text, _| holds(text))
    }

    /// Waits until everybody who could write has closed the pipe, also what the program itself has started.
    ///
    /// # Errors
    /// The text, with a reason, when somebody still holds it after a minute.
    pub(crate) fn wait_end(&self) -> Result<String, String> {
        self.wait(|_, ended| ended)
    }

    fn wait(&self, holds: impl Fn(&str, bool) -> bool) -> Result<String, String> {
        let patience = Instant::now() + PATIENCE;
        let mut text = self.lock();
        loop {
            let so_far = String::from_utf8_lossy(&text.bytes).into_owned();
            if holds(&so_far, text.ended) {
                return Ok(so_far);
            }
            if text.ended {
                return Err(format!("the output has ended:\n{so_far}"));
            }
            let left = patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("waited {PATIENCE:?}, the output so far:\n{so_far}"));
            }
            let waited = self.shared.1.wait_timeout(text, left);
            text = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Text> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
