//! Ending threads.

use crate::sync::{JoinHandle, thread};

/// Waits for the end of a socket's thread, unless it is this one: the last handle may be dropped there.
pub(crate) fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread
        && thread.thread().id() != thread::current().id()
        && thread.join().is_err()
    {
        tracing::error!("the thread of a socket panicked");
    }
}
