//! Which connections a socket has, by what its monitor tells.
//!
//! libzmq queues messages for every endpoint that it was told to connect to, whether anybody is there or not.
//! It could be made to wait for a connection (`ZMQ_IMMEDIATE`), but then it throws away what has arrived
//! and was not received yet as soon as the connection ends: the last answers of a server that closes.

use std::{
    collections::BTreeMap,
    os::fd::{AsRawFd, RawFd},
    time::{Duration, Instant},
};

use zmq::{Error, Socket, SocketEvent};

use crate::{frames, lingering::Lingering};

/// Where the socket tells its monitor; every socket has a context of its own.
const CHANNEL: &str = "inproc://links";

/// How many events may wait to be noted. Further ones make libzmq's thread wait, which is no harm while
/// nobody uses the socket, and ends when somebody does.
const MOST_EVENTS: i32 = 1 << 16;

/// How long it may go unnoticed that the last connection has ended. To look takes a system call, which
/// is too much to be done for every message.
const FRESHNESS: Duration = Duration::from_millis(1);

const CONNECTED: u16 = SocketEvent::CONNECTED as u16;
const ACCEPTED: u16 = SocketEvent::ACCEPTED as u16;
const READY: u16 = SocketEvent::HANDSHAKE_SUCCEEDED as u16;
const DISCONNECTED: u16 = SocketEvent::DISCONNECTED as u16;

/// The connections of one socket, as far as they are known.
pub(crate) struct Links {
    monitor: Socket,
    looked: Instant,
    table: Table,
}

impl Links {
    /// Follows `socket`, which must be dropped first, from now on.
    pub(crate) fn of(socket: &Socket, context: &Lingering) -> Result<Self, Error> {
        socket.monitor(CHANNEL, i32::from(CONNECTED | ACCEPTED | READY | DISCONNECTED))?;
        let monitor = context.socket(zmq::PAIR)?;
        monitor.set_rcvhwm(MOST_EVENTS)?;
        monitor.connect(CHANNEL)?;
        Ok(Self { monitor, looked: Instant::now(), table: Table::default() })
    }

    /// Becomes readable when there is news, until [`refresh`](Self::refresh) takes note of it, which may take
    /// [`FRESHNESS`] of trying: news is rare.
    pub(crate) fn readiness(&self) -> RawFd {
        self.monitor.as_raw_fd()
    }

    /// Takes note of what has happened, unless that was done a moment ago and there was a connection.
    pub(crate) fn refresh(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.any() && now.duration_since(self.looked) < FRESHNESS {
            return Ok(());
        }
        self.looked = now;
        while let Some(head) = frames::receive_frame(&self.monitor)? {
            let Some(endpoint) = frames::receive_frame(&self.monitor)? else { break };
            if let &[e0, e1, d0, d1, d2, d3] = &head[..] {
                let (event, value) = ([e0, e1], [d0, d1, d2, d3]);
                self.table.note(u16::from_ne_bytes(event), u32::from_ne_bytes(value), &endpoint);
            }
        }
        Ok(())
    }

    /// Whether there is somebody to talk to.
    pub(crate) fn any(&self) -> bool {
        self.table.0.values().any(|link| link.ready)
    }

    /// Forgets the connections of an endpoint that was given up: libzmq ends them without a word.
    ///
    /// A connection to a name that broke and came back goes by its address, and may be missed. It is taken for
    /// alive until its descriptor is used again.
    pub(crate) fn forget(&mut self, endpoint: &str) {
        self.table.0.retain(|_, link| link.endpoint != endpoint.as_bytes());
    }
}

/// Connections by their descriptors.
#[derive(Debug, Default)]
struct Table(BTreeMap<u32, Link>);

#[derive(Debug)]
struct Link {
    /// Of a connection that was accepted, where it was.
    endpoint: Vec<u8>,
    accepted: bool,
    ready: bool,
}

impl Table {
    fn note(&mut self, event: u16, value: u32, endpoint: &[u8]) {
        match event {
            CONNECTED | ACCEPTED => {
                let accepted = event == ACCEPTED;
                let link = Link { endpoint: endpoint.to_vec(), accepted, ready: false };
                self.0.insert(value, link);
            }
            // This comes without a descriptor, and for accepted connections with another form of the
            // endpoint. To take one of them for ready too early does no harm: libzmq has no queue for it yet.
            READY => {
                for link in self.0.values_mut() {
                    link.ready |= link.accepted || link.endpoint == endpoint;
                }
            }
            DISCONNECTED => {
                self.0.remove(&value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_there_follows_from_the_events() {
        let table = [
            ("nothing", vec![], false),
            ("connected", vec![(CONNECTED, 5, "a")], false),
            ("greeted", vec![(CONNECTED, 5, "a"), (READY, 0, "a")], true),
            ("another greeted", vec![(CONNECTED, 5, "a"), (READY, 0, "b")], false),
            ("never greeted", vec![(CONNECTED, 5, "a"), (DISCONNECTED, 5, "a")], false),
            ("gone", vec![(CONNECTED, 5, "a"), (READY, 0, "a"), (DISCONNECTED, 5, "a")], false),
            (
                "one of two gone",
                vec![
                    (CONNECTED, 5, "a"),
                    (READY, 0, "a"),
                    (CONNECTED, 6, "b"),
                    (READY, 0, "b"),
                    (DISCONNECTED, 5, "a"),
                ],
                true,
            ),
            (
                "a stranger failed",
                vec![
                    (ACCEPTED, 5, "a"),
                    (READY, 0, "a"),
                    (ACCEPTED, 6, "a"),
                    (DISCONNECTED, 6, "a"),
                ],
                true,
            ),
            ("any address", vec![(ACCEPTED, 5, "*:1"), (READY, 0, "local:1")], true),
            (
                "the number again",
                vec![(CONNECTED, 5, "a"), (READY, 0, "a"), (CONNECTED, 5, "b")],
                false,
            ),
        ];
        for (case, events, expected) in table {
            let mut links = Table::default();
            for (event, value, endpoint) in events {
                links.note(event, value, endpoint.as_bytes());
            }
            assert_eq!(links.0.values().any(|link| link.ready), expected, "{case}");
        }
    }
}
