//! What a child would do, by hand.

use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use rmpv::{Value, encode::write_value};

use super::{
    super::{
        Outgoing,
        answers::{ERROR, LINKED},
        orders::{EMIT, LINK, REQUEST, SOCKET},
    },
    PATIENCE,
};

/// What a child would do.
pub(super) struct Child {
    pub(super) outgoing: Outgoing,
    pub(super) frames: Receiver<(u8, u64, Bytes)>,
    last: u64,
}

/// A frame's kind and content.
pub(super) type Frame = (u8, Value);

impl Child {
    pub(super) fn new() -> Self {
        let (sender, frames) = channel();
        let outgoing = Outgoing::new(move |kind, number, body| {
            // A test that is over reads no more.
            let _ = sender.send((kind, number, body));
        });
        Self { outgoing: outgoing.expect("a thread"), frames, last: 0 }
    }

    pub(super) fn send(&mut self, kind: u8, body: &Value) -> u64 {
        self.last += 1;
        let mut bytes = Vec::new();
        write_value(&mut bytes, body).expect("a Vec takes everything");
        self.outgoing.handle(kind, self.last, bytes.into());
        self.last
    }

    pub(super) fn socket(&mut self, role: &str, options: Vec<(Value, Value)>) -> u64 {
        self.send(SOCKET, &Value::Array(vec![role.into(), Value::Map(options)]))
    }

    pub(super) fn link(&mut self, socket: u64, change: &str, endpoint: &str) -> Frame {
        let link = Value::Array(vec![socket.into(), change.into(), endpoint.into()]);
        let number = self.send(LINK, &link);
        self.next(number)
    }

    /// A client that is connected.
    pub(super) fn client(&mut self, endpoint: &str, options: Vec<(Value, Value)>) -> u64 {
        let socket = self.socket("client", options);
        assert_eq!(self.link(socket, "connect", endpoint), (LINKED, endpoint.into()));
        socket
    }

    pub(super) fn request(&mut self, socket: u64, method: &str, args: Vec<Value>) -> u64 {
        self.request_with(socket, method, args, vec![], vec![])
    }

    pub(super) fn request_with(
        &mut self,
        socket: u64,
        method: &str,
        args: Vec<Value>,
        options: Vec<(Value, Value)>,
        header: Vec<(Value, Value)>,
    ) -> u64 {
        let (options, header) = (Value::Map(options), Value::Map(header));
        let body = vec![socket.into(), method.into(), Value::Array(args), options, header];
        self.send(REQUEST, &Value::Array(body))
    }

    pub(super) fn emit(&mut self, socket: u64, method: &str, args: Vec<Value>) -> u64 {
        let header = Value::Map(vec![("trace".into(), 7.into())]);
        let body = vec![socket.into(), method.into(), Value::Array(args), header];
        self.send(EMIT, &Value::Array(body))
    }

    /// The next frame, which must be about this number.
    pub(super) fn next(&self, number: u64) -> Frame {
        let (kind, about, body) = self.frames.recv_timeout(PATIENCE).expect("a frame");
        assert_eq!(about, number, "a frame of kind {kind} about something else");
        let body = match body.is_empty() {
            true => Value::Nil,
            false => rmpv::decode::read_value(&mut &body[..]).expect("msgpack"),
        };
        (kind, body)
    }

    pub(super) fn call(&mut self, socket: u64, method: &str, args: Vec<Value>) -> Frame {
        let number = self.request(socket, method, args);
        self.next(number)
    }

    /// The parts of an error.
    pub(super) fn error(&self, number: u64) -> [String; 4] {
        let (kind, body) = self.next(number);
        assert_eq!(kind, ERROR, "{body}");
        let parts: Option<Vec<String>> = body
            .as_array()
            .expect("an array")
            .iter()
            .map(|part| part.as_str().map(str::to_owned))
            .collect();
        parts.expect("texts").try_into().expect("four of them")
    }
}
