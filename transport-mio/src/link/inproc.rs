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
use zerorpc_proto::Cause;

use super::Bell;

/// All names of the process.
static NAMES: Mutex<Names> = Mutex::new(Names { bound: BTreeMap::new(), awaited: BTreeMap::new() });

struct Names {
    bound: BTreeMap<String, Door>,
    awaited: BTreeMap<String, Vec<Weak<Bell>>>,
}

/// The outer side of a listener.
struct Door {
    arrived: VecDeque<UnixStream>,
    /// A byte written here is an event for whoever polls the listener.
    knocker: UnixStream,
}

/// A name that is bound; free again when this is dropped. To be registered with mio as any listener.
#[derive(Debug)]
pub(super) struct Binding {
    name: String,
    knocks: UnixStream,
}

impl Binding {
    /// Takes a name, and wakes those who wait for it.
    pub(super) fn new(name: &str) -> Result<Self, Cause> {
        let (knocks, knocker) = UnixStream::pair()?;
        let mut names = NAMES.lock();
        if names.bound.contains_key(name) {
            let words = "another socket of this process is already bound there; choose another name or unbind it";
            return Err(Cause::new(ErrorKind::AddrInUse, words));
        }
        let door = Door { arrived: VecDeque::new(), knocker };
        names.bound.insert(name.to_string(), door);
        let awaiting = names.awaited.remove(name).unwrap_or_default();
        // Whoever is woken may look here at once.
        drop(names);
        awaiting.iter().filter_map(Weak::upgrade).for_each(|bell| bell.ring());
        Ok(Self { name: name.to_string(), knocks })
    }

    /// The next connection.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock) when there is none; an event will tell of the next.
    pub(super) fn accept(&mut self) -> io::Result<UnixStream> {
        let mut names = NAMES.lock();
        let door = names.bound.get_mut(&self.name).ok_or(ErrorKind::NotConnected)?;
        if let Some(stream) = door.arrived.pop_front() {
            return Ok(stream);
        }
        // Under the lock nobody knocks, so no knock without an arrival is lost.
        while matches!(self.knocks.read(&mut [0; 256]), Ok(1..)) {}
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

/// Kept by somebody whose bell is to ring when the name is bound.
#[derive(Debug)]
pub(super) struct Awaiting {
    _bell: Arc<Bell>,
}

/// Connects to whoever is bound to `name`.
pub(super) fn connect(name: &str, bell: &Bell) -> io::Result<Attempt> {
    let mut names = NAMES.lock();
    if let Some(door) = names.bound.get_mut(name) {
        let (ours, theirs) = UnixStream::pair()?;
        door.arrived.push_back(theirs);
        // A knocker that has no room has announced enough.
        let _announced = door.knocker.write(&[0]);
        return Ok(Attempt::Connected(ours));
    }
    let bell = Arc::new(bell.clone());
    names.awaited.retain(|_, bells| {
        bells.retain(|bell| bell.strong_count() > 0);
        !bells.is_empty()
    });
    names.awaited.entry(name.to_string()).or_default().push(Arc::downgrade(&bell));
    Ok(Attempt::Waiting(Awaiting { _bell: bell }))
}

impl Source for Binding {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.knocks.register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        self.knocks.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.knocks.deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Rings;

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
        let bell = Rings::default().bell();
        let connect = |byte: u8| {
            let Ok(Attempt::Connected(mut stream)) = connect("in order", &bell) else {
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
        let rings = Rings::default();
        let waiting = connect("awaited", &rings.bell()).expect("no failure");
        let given_up = Rings::default();
        drop(connect("awaited", &given_up.bell()));
        let _binding = Binding::new("awaited").expect("the name is free");
        assert!(matches!(waiting, Attempt::Waiting(_)));
        assert_eq!((rings.count(), given_up.count()), (1, 0));
        assert!(!NAMES.lock().awaited.contains_key("awaited"));
    }

    #[test]
    fn what_was_not_accepted_ends_with_the_binding() {
        let binding = Binding::new("short").expect("the name is free");
        let Ok(Attempt::Connected(mut stream)) = connect("short", &Rings::default().bell()) else {
            panic!("somebody listens");
        };
        drop(binding);
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    }
}
