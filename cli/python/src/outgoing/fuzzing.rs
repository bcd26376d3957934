//! Arbitrary bodies of frames that are for the sockets of a child.

use bytes::Bytes;
use zerorpc::Args;

use super::orders::{self, Choices, Link, Message};

/// Takes the body of a frame of such a kind apart. One that is understood is one msgpack value; of the others people are told.
pub(crate) fn order(kind: u8, body: &Bytes) {
    let (body, length) = (body.clone(), body.len());
    let is_value = Args::from_bytes(body.clone()).is_ok();
    let message = |message: Message| {
        assert!(message.method.len() + message.args.as_bytes().len() < length);
    };
    let read = match kind {
        orders::SOCKET => Choices::decode(body).map(drop),
        orders::LINK => Link::decode(body).map(|link| assert!(link.endpoint.len() < length)),
        orders::REQUEST => Message::decode_request(body).map(message),
        orders::EMIT => Message::decode_event(body).map(message),
        orders::GRANT => orders::granted(body).map(drop),
        _ => return,
    };
    match read {
        Ok(()) => assert!(is_value),
        Err(wrong) => assert!(!wrong.is_empty()),
    }
}
