//! A socket with its session, and what its embedder knows.

use std::collections::{BTreeSet, VecDeque};

use arbitrary::Unstructured;
use web_time::{Duration, Instant};
use zerorpc_proto::{
    Args, CallId, CallOptions, Config, HeartbeatMode, Limits, Notice, RemoteError, RequestId,
    Session, Target,
    transport::{SocketKind, SocketOptions},
};

use crate::{ConnectionId, RpcOutput, RpcSocket, Socket, SocketEvent};

/// What a session and its socket may keep.
const TOTAL: usize = 200_000;

/// What goes beyond it, before somebody is cut off: a few messages of the largest kind.
const SLACK: usize = 100_000;

pub(super) struct End {
    pub(super) rpc: RpcSocket,
    pub(super) connections: BTreeSet<ConnectionId>,
    calls: Vec<CallId>,
    requests: Vec<RequestId>,
    /// Requests that were not to be started yet: they are told of again.
    held_up: BTreeSet<RequestId>,
    limits: Limits,
    pub(super) answered: usize,
}

impl End {
    pub(super) fn new(is_client: bool, script: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let limits = Limits::default()
            .message_bytes(20_000)
            .channels(20)
            .channels_per_peer(8)
            .buffered_events(8)
            .peer_bytes(30_000)
            .total_bytes(TOTAL)
            .stream_items(40)
            .unsent_items(4)
            .stalled(Duration::from_secs(60));
        let config = if is_client { Config::client(1) } else { Config::server(2) };
        let heartbeat = match script.int_in_range(0..=3_u8)? {
            0 => None,
            _ => Some(Duration::from_secs(5)),
        };
        let mode = if script.arbitrary()? { HeartbeatMode::Passive } else { HeartbeatMode::Active };
        let config = config.heartbeat(heartbeat).heartbeat_mode(mode).limits(limits.clone());
        let options = SocketOptions::default()
            .max_frame(20_000)
            .high_water_mark(u32::from(script.int_in_range(1..=20_u8)?))
            .high_water_bytes(10_000);
        let kind = if is_client { SocketKind::Dealer } else { SocketKind::Router };
        Ok(Self {
            rpc: RpcSocket::new(Session::new(config), Socket::new(kind, &options)),
            connections: BTreeSet::new(),
            calls: Vec::new(),
            requests: Vec::new(),
            held_up: BTreeSet::new(),
            limits,
            answered: 0,
        })
    }

    /// Does what there is to do until there is nothing, and tells which connections are over.
    pub(super) fn turn(&mut self, now: Instant) -> Vec<ConnectionId> {
        let mut closed = Vec::new();
        for _ in 0..100_000 {
            match self.rpc.poll_output(now) {
                RpcOutput::Event(SocketEvent::Closed(end)) => {
                    assert!(self.connections.remove(&end.connection), "it was open");
                    assert!(!end.words.is_empty(), "nobody is told why");
                    closed.push(end.connection);
                }
                RpcOutput::Event(SocketEvent::Ready { connection, .. }) => {
                    assert!(self.connections.contains(&connection), "{connection:?} is not there");
                }
                RpcOutput::Event(_) => {}
                RpcOutput::Notice(notice) => self.note(notice),
                RpcOutput::Flush(connection) => {
                    assert!(self.rpc.has_output(connection), "there is nothing to write");
                }
                RpcOutput::Wait(until) => {
                    if until.is_none_or(|until| until > now) {
                        return closed;
                    }
                    self.rpc.handle_timeout(now);
                }
            }
        }
        panic!("there is something to do for ever");
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Requested(id) => {
                let is_again = self.held_up.remove(&id);
                assert_eq!(self.requests.contains(&id), is_again, "a request comes once");
                if !is_again {
                    self.requests.push(id);
                }
            }
            Notice::RequestLost(id, _) => {
                assert!(self.rpc.request(id).is_none());
                assert!(self.requests.contains(&id), "it was there");
                self.forget(id);
            }
            Notice::Readable(id) => assert!(self.calls.contains(&id), "nobody called"),
            _ => {}
        }
    }

    pub(super) fn open(
        &mut self,
        now: Instant,
        to: Target,
        options: &CallOptions,
        script: &mut Unstructured<'_>,
    ) -> arbitrary::Result<()> {
        let size = match script.int_in_range(0..=7_u8)? {
            0 => script.int_in_range(0..=9000)?,
            _ => script.int_in_range(0..=30)?,
        };
        let args = Args::encode_params(&("x".repeat(size),)).expect("text");
        if let Ok(call) = self.rpc.open(now, to, "f", args, options) {
            self.calls.push(call);
        }
        Ok(())
    }

    pub(super) fn read(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.calls.is_empty() {
            return Ok(());
        }
        let id = *script.choose(&self.calls)?;
        for _ in 0..=script.int_in_range(0..=10_u8)? {
            let mut call = self.rpc.call(id).expect("its last answer was not read");
            let is_complete = call.is_complete();
            let Some(answer) = call.recv() else {
                assert!(!is_complete, "what is complete can be read");
                break;
            };
            self.answered += 1;
            if answer.is_last() {
                assert!(self.rpc.call(id).is_none(), "with its last answer a call is gone");
                self.calls.retain(|other| *other != id);
                break;
            }
            let mut ahead = VecDeque::new();
            call.recv_ahead(&mut ahead, 100);
            self.answered += ahead.len();
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if !self.calls.is_empty() {
            let id = self.calls.swap_remove(script.choose_index(self.calls.len())?);
            self.rpc.call(id).expect("its last answer was not read").cancel();
            assert!(self.rpc.call(id).is_none());
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, script: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.requests.is_empty() {
            return Ok(());
        }
        let id = *script.choose(&self.requests)?;
        // It may be lost, which was not told yet.
        let Some(mut request) = self.rpc.request(id) else { return Ok(()) };
        match script.int_in_range(0..=7_u8)? {
            0 => drop(request.take_args()),
            1 if !request.start() => drop(self.held_up.insert(id)),
            1 => {}
            2..=4 => {
                for number in 0..=script.int_in_range(0..=10_u8)? {
                    let item = Args::encode(&(number, "x".repeat(script.int_in_range(0..=99)?)));
                    if request.send(item.expect("text")).is_err() {
                        break;
                    }
                }
            }
            5 => drop(request.reply(Args::NIL)),
            6 => request.finish(),
            _ => request.fail(RemoteError::new("E", "m")),
        }
        if self.rpc.request(id).is_none() {
            self.forget(id);
        }
        Ok(())
    }

    fn forget(&mut self, id: RequestId) {
        self.requests.retain(|other| *other != id);
        self.held_up.remove(&id);
    }

    /// Nobody wants anything any more.
    pub(super) fn give_up(&mut self) {
        for id in std::mem::take(&mut self.calls) {
            self.rpc.call(id).expect("its last answer was not read").cancel();
        }
        for id in std::mem::take(&mut self.requests) {
            if let Some(request) = self.rpc.request(id) {
                request.fail(RemoteError::new("E", "the end"));
            }
        }
    }

    /// What holds after every step.
    pub(super) fn check(&mut self) {
        let (session, socket) = (self.rpc.session(), self.rpc.socket());
        session.check_invariants();
        assert!(session.open_channels() <= self.limits.channels);
        assert!(session.buffered_bytes() <= self.limits.total_bytes);
        let retained = session.retained_bytes() + socket.retained_bytes();
        assert!(retained <= TOTAL + SLACK, "{retained} bytes are kept");
        let of_routes: usize = socket.retained_by_route().iter().map(|(_, bytes)| bytes).sum();
        assert!(of_routes <= socket.retained_bytes());
        assert!(self.connections.len() >= socket.peer_count());
    }

    /// What holds when everything has ended.
    pub(super) fn check_empty(&self) {
        let session = self.rpc.session();
        assert_eq!(session.open_channels(), 0, "channels are left over");
        assert_eq!(session.buffered_bytes(), 0, "bytes are left over");
        assert_eq!(session.retained_bytes(), 0, "bytes are left over");
        assert_eq!(self.rpc.socket().peer_count(), 0);
        assert!(self.rpc.is_drained());
    }
}
