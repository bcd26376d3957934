//! Serving: a socket, a service, and workers that run its methods.

mod builder;
mod contention;
mod responder;
mod worker;

use std::time::{Duration, Instant};

pub use builder::ServerBuilder;
pub use responder::send_together;

use crate::{
    driver::Driver,
    link_control::LinkControl,
    socket::Endpoints,
    sync::{Arc, JoinHandle, Mutex},
    thread::join,
};

/// How many methods run at a time unless [`ServerBuilder::pool_size`] says otherwise.
pub const DEFAULT_POOL_SIZE: usize = 1024;

/// A server at work. It serves from the moment it is built until it is shut down or dropped.
///
/// Methods run on a pool of threads that grows with need. However long they take, heartbeats leave on time and
/// other calls are taken. A stream that waits for its caller occupies no thread.
///
/// ```
/// use zerorpc::{Client, Methods, Server};
///
/// let service = Methods::new("calculator")
///     .method("add", |a: i64, b: i64| Ok(a + b))
///     .stream("count", |n: u64| Ok(0..n));
/// let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
///
/// let client = Client::connect(&server.endpoints()[0])?;
/// assert_eq!(client.call::<i64>("add", (20, 22))?, 42);
/// let counted: Result<Vec<u64>, _> = client.stream("count", (3,))?.collect();
/// assert_eq!(counted?, [0, 1, 2]);
/// # Ok::<(), zerorpc::Error>(())
/// ```
///
/// # Forking
///
/// A server serves in the process that has made it, and nowhere else. In a forked child it has no threads: dropping it or
/// shutting it down does nothing there and does not disturb the parent, and its links cannot be changed
/// ([`Error::Forked`](crate::Error::Forked)). The child of a method that forks should become another program or end: where it returns from the
/// method, its thread ends, and with it the child. As long as a child lives that became no other program, the ports of the
/// server stay taken, since it has a copy of them.
pub struct Server {
    driver: Arc<Driver>,
    watchdog: Mutex<Option<JoinHandle<()>>>,
    endpoints: Endpoints,
}

/// How far a server that takes no new calls has come with those that were running.
// Exhaustive: what else it may come to is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All have ended.
    Complete,
    /// Some still run; or it is no server of this process, but of the one that was forked.
    Incomplete,
}

impl Drained {
    /// Whether all calls have ended.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self == Self::Complete
    }
}

impl Server {
    /// What to serve, and where.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// The endpoints that were bound when the server was built, with the ports that the system chose.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints.bound
    }

    /// Makes and undoes links while calls go on.
    #[must_use]
    pub fn links(&self) -> LinkControl<'_> {
        LinkControl { socket: &*self.driver, endpoints: &self.endpoints }
    }

    /// Ends the server: it [takes no new calls](Self::drain), those that are running get `grace` to finish, then the socket
    /// is closed. Tells whether they all did.
    ///
    /// Calls that wait for a thread are begun in the first half of that time, so that they may end in the other; those that
    /// are left are given back, to run elsewhere. Methods cannot be interrupted: one that is still running goes on, but
    /// nobody gets its answer. Later calls do nothing.
    pub fn shutdown(&self, grace: Duration) -> Drained {
        if self.driver.home.is_elsewhere() {
            return Drained::Incomplete;
        }
        let mut drained = self.drain(grace / 2);
        if drained == Drained::Incomplete {
            let mut state = self.driver.lock();
            self.driver.give_back(&mut state);
            drop(state);
            drained = self.drain(grace / 2);
        }
        let mut state = self.driver.lock();
        if state.session.open_channels() == 0 {
            self.driver.finish(&mut state);
        }
        drop(state);
        self.driver.shut();
        join(self.watchdog.lock().take());
        drained
    }

    /// Takes no new calls from now on, and waits until those that are running have ended, for `grace` at most. Tells whether
    /// they all have.
    ///
    /// Nothing is lost by it: nobody is let in any more, clients of this crate are told that the server is about to stop, and
    /// send what reaches it all the same to another server, or wait for one as long as they have time. Other clients get
    /// the error `ServerStopping`. (libzmq cannot refuse connections and keep those it has: there, requests are turned
    /// down, and those that are on their way when the socket is closed are lost.)
    pub fn drain(&self, grace: Duration) -> Drained {
        if self.driver.home.is_elsewhere() {
            return Drained::Incomplete;
        }
        let deadline = Instant::now().checked_add(grace);
        let mut state = self.driver.lock();
        self.driver.drain(&mut state);
        while state.session.open_channels() > 0 && state.closed.is_none() {
            let timed_out;
            (state, timed_out) = state.wait_until(&self.driver.quiet_cv, deadline);
            if timed_out {
                break;
            }
        }
        match state.session.open_channels() {
            0 => Drained::Complete,
            _ => Drained::Incomplete,
        }
    }

    /// Blocks until the server was shut down by another thread, or its socket failed.
    pub fn wait(&self) {
        if self.driver.home.is_elsewhere() {
            return;
        }
        let mut state = self.driver.lock();
        while state.closed.is_none() {
            (state, _) = state.wait_until(&self.driver.closed_cv, None);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.driver.home.is_elsewhere() {
            return self.driver.abandon(self.watchdog.get_mut().take());
        }
        self.shutdown(Duration::ZERO);
    }
}
