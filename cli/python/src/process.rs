//! One running child: the pipe to it, what it says it is at, and its end.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IoSlice, Read, Seek, SeekFrom, Write},
    os::{fd::AsFd, unix::fs::FileExt},
    path::PathBuf,
    process::{Child, ChildStdin, ExitStatus},
    time::{Duration, SystemTime},
};

use bytes::{Buf, Bytes};
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid},
};
use tracing::debug;

use super::guard::Guard;

/// How long a child may take to end once its stdin is closed, before it is killed with its whole group. Not measured: time to
/// leave `finally` and `atexit`, and no longer than whoever interrupts a server waits. [`Guard`] has the same.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// How many bytes the numbers take that tell what a child's main thread is at.
pub(super) const NUMBERS: u64 = 16;

/// A Python process that has been started. It leads a process group of its own, which ends with it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Gone once the child is to end.
    input: Option<ChildStdin>,
    /// What the pipe had no room for.
    unsent: VecDeque<Bytes>,
    /// Where the child writes what its main thread is at: two numbers, and behind them lines of text, when it is asked.
    current: File,
    /// A folder that the child may make, for what its own children import.
    folder: PathBuf,
    _guard: Option<Guard>,
}

/// What the main thread of a child is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Current {
    /// The call.
    pub(super) number: u64,
    /// When it was begun, or went on.
    pub(super) since: SystemTime,
}

impl Process {
    pub(super) fn new(child: Child, input: ChildStdin, current: File, folder: PathBuf) -> Self {
        // Without a guard, only a server that is killed leaves something behind.
        let guard = Guard::start(child.id(), &folder);
        let guard = guard.inspect_err(|error| debug!(%error, "there is no shell to guard Python"));
        Self {
            child,
            input: Some(input),
            unsent: VecDeque::new(),
            current,
            folder,
            _guard: guard.ok(),
        }
    }

    /// The child's process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes all of it, however long the child takes to read; for what comes before the first frame.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(bytes)?;
        // From now on, nobody waits for the child to read.
        let flags = fcntl_getfl(&*input)?;
        Ok(fcntl_setfl(&*input, flags | OFlags::NONBLOCK)?)
    }

    /// Sends a frame, now or by a later [`flush`](Self::flush).
    pub(super) fn send(&mut self, frame: impl IntoIterator<Item = Bytes>) {
        let is_first = self.unsent.is_empty();
        self.unsent.extend(frame);
        if is_first {
            self.flush();
        }
    }

    /// Sends what the pipe has room for. A child that cannot be written to is made to end, and its end is what its
    /// calls hear of.
    pub(super) fn flush(&mut self) {
        /// So many parts are written with one system call. Not measured: 32 calls with bodies of their own, as many as a
        /// child is given ahead (`AHEAD` of `queue.rs`).
        const PARTS: usize = 64;
        let Some(input) = &mut self.input else { return self.unsent.clear() };
        while !self.unsent.is_empty() {
            let parts: Vec<_> =
                self.unsent.iter().take(PARTS).map(|part| IoSlice::new(part)).collect();
            match input.write_vectored(&parts) {
                Ok(written) => advance(&mut self.unsent, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    debug!(%error, "the Python process does not read");
                    self.input = None;
                    return self.signal_group(Signal::KILL);
                }
            }
        }
    }

    /// The pipe, if there is something that it had no room for.
    pub(super) fn blocked_input(&self) -> Option<impl AsFd> {
        let has_unsent = !self.unsent.is_empty();
        self.input.as_ref().filter(|_| has_unsent).map(AsFd::as_fd)
    }

    /// What the child's main thread is at, if it is at any call.
    pub(super) fn current(&self) -> Option<Current> {
        let mut bytes = [0; 16];
        self.current.read_exact_at(&mut bytes, 0).ok()?;
        let [number, millis] = [&bytes[..8], &bytes[8..]].map(|mut half| half.get_u64_ne());
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        (number != 0).then_some(Current { number, since })
    }

    /// Has the child write where its main thread is, as long as it imports the module. At any other time, it ignores the signal.
    pub(super) fn ask_where(&self) {
        // What cannot be asked is not told. The child writes where this file stands, which is open in both.
        let _ = self.current.set_len(NUMBERS);
        let _ = (&self.current).seek(SeekFrom::Start(NUMBERS));
        let _ = kill_process(Pid::from_child(&self.child), Signal::URG);
    }

    /// What it has written since it was asked.
    pub(super) fn told_where(&self) -> String {
        let mut text = Vec::new();
        let begin = (&self.current).seek(SeekFrom::Start(NUMBERS));
        let _ = begin.and_then(|_| (&self.current).read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Tells the child to end: its stdin closes, and a signal wakes it wherever it waits.
    pub(super) fn ask_to_end(&mut self) {
        self.input = None;
        self.unsent.clear();
        // Fails only for a process that is gone.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Sends a signal to the child and whatever it has started.
    pub(super) fn signal_group(&self, signal: Signal) {
        // Fails only for a group that is gone.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Makes sure that a child which has closed its stdout ends, with its group, and gives its exit status.
    ///
    /// A child that is ending already keeps the status with which it ends.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        // It stays a zombie until its group has ended: nobody else can get its number meanwhile.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(Pid::from_child(&self.child)), ended)
        {}
        self.signal_group(Signal::KILL);
        let status = self.child.wait()?;
        if let Err(error) = std::fs::remove_dir_all(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            debug!(%error, folder = %self.folder.display(), "a folder is left");
        }
        Ok(status)
    }
}

/// Takes what was written off the front.
fn advance(parts: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(part) = parts.front_mut() {
        if written < part.len() {
            return part.advance(written);
        }
        written -= part.len();
        parts.pop_front();
    }
}
