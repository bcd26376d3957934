//! Connections within the process: pairs of unix sockets, handed over under a name.
//!
//! So inproc has all of ZMTP and none of its own. The one thing of which no socket tells is that somebody
//! has begun to listen; those who wait for it are woken.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, ErrorKind, Read, Write},
    sync::{Arc, Weak},
};

use mio::{Interest, Registry, Token, event::Source, net::UnixStream};
use parking_lot::Mutex;
use zerorpc_proto::transport::Cause;

use super::Notifier;

/// All names of the process.
static NAMES: Mutex<Names> = Mutex::new(Names { bound: BTreeMap::new(), awaited: BTreeMap::new() });

struct Names {
    bound: BTreeMap<String, Acceptor>,
    awaited: BTreeMap<String, Vec<Weak<Notifier>>>,
}

/// The outer side of a listener.
struct Acceptor {
    arrived: VecDeque<UnixStream>,
    /// A byte written here is an event for whoever polls the listener.
    wake_tx: UnixStream,
}

/// A name that is bound; free again when this is dropped. To be registered with mio as any listener.
#[derive(Debug)]
pub(super) struct Binding {
    name: String,
    wake_rx: UnixStream,
}

impl Binding {
    /// Takes a name, and wakes those who wait for it.
    pub(super) fn new(name: &str) -> Result<Self, Cause> {
        let (wake_rx, wake_tx) = UnixStream::pair()?;
        let mut names = NAMES.lock();
        if names.bound.contains_key(name) {
            let words = "another socket of this process is already bound there; choose another name or unbind it";
            return Err(Cause::new(ErrorKind::AddrInUse, words));
        }
        let acceptor = Acceptor { arrived: VecDeque::new(), wake_tx };
        names.bound.insert(name.to_string(), acceptor);
        let awaiting = names.awaited.remove(name).unwrap_or_default();
        // Whoever is woken may look here at once.
        drop(names);
        awaiting.iter().filter_map(Weak::upgrade).for_each(|notifier| notifier.notify());
        Ok(Self { name: name.to_string(), wake_rx })
    }

    /// The next connection.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock) when there is none; an event will tell of the next.
    pub(super) fn accept(&mut self) -> io::Result<UnixStream> {
        let mut names = NAMES.lock();
        let acceptor = names.bound.get_mut(&self.name).ok_or(ErrorKind::NotConnected)?;
        if let Some(stream) = acceptor.arrived.pop_front() {
            return Ok(stream);
        }
        // Under the lock nobody writes there, so no wake of an arrival is lost.
        while matches!(self.wake_rx.read(&mut [0; 256]), Ok(1..)) {}
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        // What nobody has accepted ends as well, and its peers notice.
        NAMES.lock().bound.remove(&self.name);
    }
}

/// What came of an attempt to connect.
#[derive(Debug)]
pub(super) enum Attempt {
    Connected(UnixStream),
    /// Nobody is bound to the name.
    Waiting(Awaiting),
}

/// Kept by a dialer, whose notifier is used when the name is bound.
#[derive(Debug)]
pub(super) struct Awaiting {
    _notifier: Arc<Notifier>,
}

/// Connects to whoever is bound to `name`.
pub(super) fn connect(name: &str, notifier: &Notifier) -> io::Result<Attempt> {
    let mut names = NAMES.lock();
    if let Some(acceptor) = names.bound.get_mut(name) {
        let (ours, theirs) = UnixStream::pair()?;
        acceptor.arrived.push_back(theirs);
        // Where there is no room, it has been woken already.
        let _woken = acceptor.wake_tx.write(&[0]);
        return Ok(Attempt::Connected(ours));
    }
    let notifier = Arc::new(notifier.clone());
    names.awaited.retain(|_, notifiers| {
        notifiers.retain(|notifier| notifier.strong_count() > 0);
        !notifiers.is_empty()
    });
    names.awaited.entry(name.to_string()).or_default().push(Arc::downgrade(&notifier));
    Ok(Attempt::Waiting(Awaiting { _notifier: notifier }))
}

impl Source for Binding {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.wake_rx.register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.wake_rx.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.wake_rx.deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::CountingWaker;

    #[test]
    fn names_are_taken_once() {
        let first = Binding::new("taken").expect("the name is free");
        assert!(
            Binding::new("taken").expect_err("it is taken").to_string().contains("already bound")
        );
        let _other = Binding::new("not taken").expect("the name is free");
        drop(first);
        Binding::new("taken").expect("the name is free again");
    }

    #[test]
    fn connections_arrive_in_order() {
        let mut binding = Binding::new("in order").expect("the name is free");
        let nobody = binding.accept().expect_err("nobody connects");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
        let notifier = CountingWaker::default().notifier();
        let connect = |byte: u8| {
            let Ok(Attempt::Connected(mut stream)) = connect("in order", &notifier) else {
                panic!("somebody listens");
            };
            stream.write_all(&[byte]).expect("there is room");
            stream
        };
        let _streams = [connect(1), connect(2), connect(3)];
        for expected in 1..=3 {
            let mut byte = [0];
            binding.accept().expect("a connection").read_exact(&mut byte).expect("a byte");
            assert_eq!(byte, [expected]);
        }
    }

    #[test]
    fn those_who_wait_are_woken_once() {
        let waker = CountingWaker::default();
        let waiting = connect("awaited", &waker.notifier()).expect("no failure");
        let given_up = CountingWaker::default();
        drop(connect("awaited", &given_up.notifier()));
        let _binding = Binding::new("awaited").expect("the name is free");
        assert!(matches!(waiting, Attempt::Waiting(_)));
        assert_eq!((waker.count(), given_up.count()), (1, 0));
        assert!(!NAMES.lock().awaited.contains_key("awaited"));
    }

    #[test]
    fn what_was_not_accepted_ends_with_the_binding() {
        let binding = Binding::new("short").expect("the name is free");
        let Ok(Attempt::Connected(mut stream)) =
            connect("short", &CountingWaker::default().notifier())
        else {
            panic!("somebody listens");
        };
        drop(binding);
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    }
}
