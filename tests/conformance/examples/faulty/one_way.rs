//! What a client pushes and publishes, and what a server pulls and subscribes to: a socket of its own for each, in a thread of
//! its own.

use std::{error::Error, sync::mpsc, time::Instant};

use zerorpc_proto::{
    Args, Context, Limits, Multipart, Notice, OneWayWriter, Session, Transmit, read_one_way,
    transport::SocketKind,
};

use super::{
    fault::Fault,
    peer::{Application, Peer, Setup},
    places::Place,
};

/// Takes events for one socket.
pub(crate) struct Sender {
    writer: OneWayWriter,
    events: mpsc::Sender<Transmit>,
    wake: Box<dyn Fn() + Send>,
}

/// Nothing comes to such a socket.
struct Nobody;

impl Application for Nobody {
    fn handle_notice(&mut self, _session: &mut Session, _now: Instant, notice: Notice) {
        eprintln!("{notice:?}");
    }

    fn poll(&mut self, _session: &mut Session, _now: Instant) -> Option<Instant> {
        None
    }
}

impl Sender {
    /// A socket of this kind, bound there.
    pub(crate) fn bind(
        place: Place,
        kind: SocketKind,
        heartbeat: std::time::Duration,
        fault: Option<&'static Fault>,
    ) -> Result<Self, Box<dyn Error>> {
        let setup = Setup { places: vec![place], heartbeat, fault, others: Vec::new() };
        let (events, orders) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        // A socket stays with its thread.
        std::thread::spawn(move || {
            let peer = match Peer::new(setup, kind) {
                Ok(peer) => peer.with_orders(orders),
                Err(error) => return drop(tell.send(Err(error.to_string()))),
            };
            let _ = tell.send(peer.waker().map_err(|error| error.to_string()));
            if let Err(error) = peer.run(Nobody) {
                eprintln!("{kind:?}: {error}");
            }
        });
        let wake = Box::new(told.recv()??);
        let seed = u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?);
        Ok(Self { writer: OneWayWriter::new(seed), events, wake })
    }

    pub(crate) fn send(&mut self, method: &str, args: &Args) -> Result<(), String> {
        let event = self.writer.event(method, args, &Context::default());
        let event = event.map_err(|error| error.to_string())?;
        self.events.send(event).map_err(|_| "the socket is gone".to_owned())?;
        (self.wake)();
        Ok(())
    }
}

/// Binds a socket of this kind there, which hands to `record` what it is called with. No other method shows what it did.
pub(crate) fn receive(
    place: Place,
    kind: SocketKind,
    heartbeat: std::time::Duration,
    fault: Option<&'static Fault>,
    record: impl Fn(rmpv::Value) + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let setup = Setup { places: vec![place], heartbeat, fault, others: Vec::new() };
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let receiver = move |message: &Multipart| match recorded(message) {
            Ok(Some(value)) => record(value),
            Ok(None) => {}
            Err(why) => eprintln!("{kind:?}: {why}"),
        };
        let peer = match Peer::new(setup, kind) {
            Ok(peer) => peer.with_receiver(receiver),
            Err(error) => return drop(tell.send(Err(error.to_string()))),
        };
        let _ = tell.send(Ok(()));
        if let Err(error) = peer.run(Nobody) {
            eprintln!("{kind:?}: {error}");
        }
    });
    Ok(told.recv()??)
}

/// What an event has recorded, if it does that.
fn recorded(message: &Multipart) -> Result<Option<rmpv::Value>, String> {
    let event = read_one_way(message, &Limits::default()).map_err(|error| error.to_string())?;
    if event.name != "record" {
        return Ok(None);
    }
    let value = event.args.decode::<(rmpv::Value,)>().map_err(|error| error.to_string())?;
    Ok(Some(value.0))
}
