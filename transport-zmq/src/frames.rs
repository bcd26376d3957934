//! Whole messages in and out of a libzmq socket, frame by frame (protocol section 2).

use bytes::Bytes;
use smallvec::SmallVec;
use zerorpc_proto::{Envelope, Multipart, Payload, Transmit};
use zmq::{DONTWAIT, Error, Message, SNDMORE, Socket};

use crate::{backlog::Outcome, principal::Senders};

/// The longest envelope accepted, in frames, not counting a ROUTER's routing id. Not measured: a bound, as
/// `zerorpc-zmtp` has it; each device on the way adds one frame.
pub const MAX_ENVELOPE_FRAMES: usize = 1024;

/// The largest envelope accepted, in bytes: room for [`MAX_ENVELOPE_FRAMES`] routing ids of the greatest
/// length (255 bytes).
pub const MAX_ENVELOPE_BYTES: usize = 256 << 10;

/// Received frames up to this length are copied, longer ones stay where libzmq put them.
///
/// A frame that is kept where it is holds on to libzmq's receive buffer of 8 KiB that it may share with
/// others, and costs an allocation for its owner. Not measured: at 1 KiB the memory held is never more
/// than eight times what was received, and a copy takes some tens of nanoseconds.
const COPIED: usize = 1 << 10;

/// What a socket had to give.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A whole message.
    Message(Multipart),
    /// A message that was read to its end and dropped.
    Refused,
    /// Nothing: libzmq has handled all that its descriptor announced, and there is no message.
    Nothing,
}

/// Sends all frames of a message or none.
///
/// The frames are copied: libzmq could take over an allocation of ours, but not one that is still needed
/// for another attempt, nor a part of one. On a ROUTER the first frame is an identity of `senders`.
pub(crate) fn send(
    socket: &Socket,
    delimiter: bool,
    message: &Transmit,
    senders: Option<&Senders>,
) -> Result<Outcome, Error> {
    let mut frames = message.envelope.frames().iter().map(|id| &id[..]);
    let first = match (senders, frames.next()) {
        (Some(senders), Some(identity)) => match senders.routing_id(identity) {
            None => return Ok(Outcome::Gone),
            routing_id => routing_id,
        },
        (_, first) => first,
    };
    let opening = first.into_iter().chain(frames).chain(delimiter.then_some(&[][..]));
    let mut started = false;
    for frame in opening {
        match send_frame(socket, started, || Message::from(frame), SNDMORE)? {
            Outcome::Sent => started = true,
            refused => return Ok(refused),
        }
    }
    send_frame(socket, started, || assemble(&message.payload), 0)
}

fn send_frame(
    socket: &Socket,
    started: bool,
    frame: impl Fn() -> Message,
    more: i32,
) -> Result<Outcome, Error> {
    loop {
        return match socket.send(frame(), more | DONTWAIT) {
            Ok(()) => Ok(Outcome::Sent),
            Err(Error::EINTR) => continue,
            // Room is made for messages, not for frames. In the middle of a message this says that the
            // connection broke: the message is lost with it, and libzmq discards the rest, which it
            // expects nevertheless.
            Err(Error::EAGAIN) if started => Ok(Outcome::Sent),
            Err(Error::EAGAIN) => Ok(Outcome::Full),
            Err(Error::EHOSTUNREACH) => Ok(Outcome::Gone),
            Err(error) => Err(error),
        };
    }
}

/// Head and body as one frame, which libzmq takes over as it is.
///
/// It would have an allocation of its own for both of them, but one so large that the thread that frees it, which is
/// not the one that has made it, waits for the lock of the allocator.
fn assemble(payload: &Payload) -> Message {
    Message::from([&payload.head[..], &payload.body[..]].concat())
}

/// Takes the next message from the socket. Sockets that have `senders` put the routing id of the sender in
/// front.
pub(crate) fn receive(socket: &Socket, senders: Option<&mut Senders>) -> Result<Arrival, Error> {
    let Some(mut frame) = receive_frame(socket)? else { return Ok(Arrival::Nothing) };
    let mut assembly = Assembly::default();
    let mut more = frame.get_more();
    let mut sender = None;
    let is_routed = senders.is_some();
    match senders {
        Some(senders) => sender = senders.identify(frame),
        None => assembly.push(frame, more),
    }
    while more {
        frame = match receive_frame(socket)? {
            Some(frame) => frame,
            // libzmq hands out whole messages only; this is a second line of defence.
            None => return Ok(Arrival::Refused),
        };
        more = frame.get_more();
        assembly.push(frame, more);
    }
    if assembly.excessive {
        tracing::warn!(peer = ?sender, "dropped a message with an excessive envelope");
        return Ok(Arrival::Refused);
    }
    if is_routed && sender.is_none() {
        tracing::error!("dropped a message: libzmq does not say who has sent it");
        return Ok(Arrival::Refused);
    }
    match Multipart::from_frames(sender, assembly.frames) {
        Some(message) => Ok(Arrival::Message(message)),
        None => Ok(Arrival::Refused),
    }
}

/// The next frame that is there. Without one, libzmq has looked for news before it says so, as it does
/// when asked for its events: nothing that its descriptor announced is left unseen.
pub(crate) fn receive_frame(socket: &Socket) -> Result<Option<Message>, Error> {
    loop {
        return match socket.recv_msg(DONTWAIT) {
            Ok(frame) => Ok(Some(frame)),
            Err(Error::EINTR) => continue,
            Err(Error::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        };
    }
}

/// The frames of a message as they come, as long as they are within bounds.
#[derive(Default)]
struct Assembly {
    /// Two, as most messages have, cost no allocation.
    frames: SmallVec<[Bytes; 2]>,
    envelope_bytes: usize,
    excessive: bool,
}

impl Assembly {
    fn push(&mut self, frame: Message, more: bool) {
        if more {
            self.envelope_bytes += frame.len();
        }
        // Behind the envelope come the delimiter and the payload.
        self.excessive |= self.frames.len() >= MAX_ENVELOPE_FRAMES + 2
            || self.envelope_bytes > MAX_ENVELOPE_BYTES;
        if self.excessive {
            self.frames = SmallVec::new();
        } else {
            self.frames.push(into_bytes(frame));
        }
    }
}

struct Received(Message);

impl AsRef<[u8]> for Received {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn into_bytes(frame: Message) -> Bytes {
    if frame.len() <= COPIED {
        Bytes::copy_from_slice(&frame)
    } else {
        Bytes::from_owner(Received(frame))
    }
}

/// Where a message of a `routed` socket goes, or the empty name; `None` when it goes nowhere.
pub(crate) fn destination(routed: bool, envelope: &Envelope) -> Option<Bytes> {
    if routed { envelope.frames().first().cloned() } else { Some(Bytes::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_assembled_whole() {
        for head in [0, 1, 20, 33, 40, 4 << 10, 100_000] {
            for body in [0, 1, 13, 20, 33, (4 << 10) - 20, 4 << 10, 100_000] {
                let payload = Payload {
                    head: Bytes::from(vec![b'h'; head]),
                    body: Bytes::from(vec![b'b'; body]),
                };
                assert_eq!(assemble(&payload)[..], payload.to_bytes()[..], "{head} + {body}");
            }
        }
    }

    #[test]
    fn frames_keep_their_bytes() {
        for length in [0, 1, 33, 34, COPIED, COPIED + 1, 1 << 20] {
            let content: Vec<u8> = (0..=255).cycle().take(length).collect();
            assert_eq!(into_bytes(Message::from(&content[..])), content, "{length}");
        }
    }

    #[test]
    fn excessive_messages_hold_no_memory() {
        let table = [
            (MAX_ENVELOPE_FRAMES + 2, 255, 0, false),
            (MAX_ENVELOPE_FRAMES + 3, 0, 0, true),
            (3, 0, 10 * MAX_ENVELOPE_BYTES, false),
            (2, MAX_ENVELOPE_BYTES, 0, false),
            (2, MAX_ENVELOPE_BYTES + 1, 0, true),
            (1_000_000, 1, 1, true),
        ];
        for (count, size, payload, excessive) in table {
            let mut assembly = Assembly::default();
            for _ in 1..count {
                assembly.push(Message::from(vec![0; size]), true);
            }
            assembly.push(Message::from(vec![0; payload]), false);
            assert_eq!(assembly.excessive, excessive, "{count} frames of {size} bytes");
            assert_eq!(assembly.frames.len(), if excessive { 0 } else { count });
        }
    }

    #[test]
    fn a_router_needs_a_routing_id() {
        let id = Bytes::from_static(b"id");
        let envelope: Envelope = [id.clone(), Bytes::new()].into_iter().collect();
        assert_eq!(destination(true, &envelope), Some(id));
        assert_eq!(destination(true, &Envelope::default()), None);
        assert_eq!(destination(false, &envelope), Some(Bytes::new()));
    }
}
