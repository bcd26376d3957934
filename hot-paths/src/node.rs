//! A session with or without an engine under it: what one side of a conversation consists of.

use std::time::Instant;

use bytes::Bytes;
use zerorpc_proto::{
    Answer, Args, Blocked, CallId, CallOptions, Multipart, Notice, PeerEvent, PeerId, RequestId,
    Session, Target,
};
use zerorpc_zmtp::{Engine, ZmtpEvent};

use crate::{Error, Side, wire};

/// How each side names the other.
const PEER: PeerId = PeerId::new(1);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) side: Side,
    pub(crate) session: Session,
    engine: Option<Engine>,
}

impl Node {
    pub(crate) fn new(
        side: Side,
        mut session: Session,
        engine: Option<Engine>,
        now: Instant,
    ) -> Self {
        session.handle_peer_event(now, PeerEvent::Up(PEER));
        Self { side, session, engine }
    }

    /// Writes what the session has to say: one message, or the bytes of all of them if there is an engine.
    pub(crate) fn write(&mut self, bytes: &mut Vec<u8>) {
        let Some(engine) = &mut self.engine else {
            if let Some(transmit) = self.session.poll_transmit() {
                bytes.extend_from_slice(&transmit.payload.head);
                bytes.extend_from_slice(&transmit.payload.body);
            }
            return;
        };
        while let Some(transmit) = self.session.poll_transmit() {
            let envelope = transmit.envelope.frames().iter().cloned();
            engine.send_payload(envelope.chain([Bytes::new()]), transmit.payload);
        }
        wire::write(engine, bytes);
    }

    /// Reads what another node has written. It arrives in an allocation of its own, as from a socket.
    pub(crate) fn read(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Error> {
        let Self { session, engine, .. } = self;
        let Some(engine) = engine else {
            let message = Multipart::direct(Bytes::copy_from_slice(bytes));
            session.handle_message(now, PEER, message);
            return Ok(());
        };
        wire::read(engine, now, bytes, |event| {
            if let ZmtpEvent::Message(frames) = event
                && let Some(message) = Multipart::from_frames(None, frames)
            {
                session.handle_message(now, PEER, message);
            }
            Ok(())
        })
    }

    /// Hears that the other side is gone, and lets go of all that was open with it.
    pub(crate) fn part(&mut self, now: Instant) -> Result<(), Error> {
        self.session.handle_peer_event(now, PeerEvent::Down(PEER, "gone".into()));
        while let Some(notice) = self.session.poll_notice() {
            if let Notice::CallLost(call) = notice {
                self.ask(call)?.ok_or("a call is lost, but does not say so")?;
            }
        }
        match self.session.open_channels() {
            0 => Ok(()),
            left => Err(format!("{left} channels are left").into()),
        }
    }

    /// Opens a call with one small argument.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        method: &str,
        number: u64,
        options: &CallOptions,
    ) -> Result<CallId, Error> {
        let args = Args::encode_params(&(number,))?;
        Ok(self.session.open(now, Target::Any, method, args, options)?)
    }

    /// Asks for the next answer, having been told that there is one.
    pub(crate) fn told_answer(&mut self, call: CallId) -> Result<Answer, Error> {
        match self.session.poll_notice() {
            Some(Notice::Readable(readable)) if readable == call => {}
            other => return Err(format!("an answer was expected, not {other:?}").into()),
        }
        Ok(self.ask(call)?.ok_or("there is no answer though one was told")?)
    }

    /// Asks for the next answer, which also grants credit when it is time to.
    pub(crate) fn ask(&mut self, call: CallId) -> Result<Option<Answer>, Error> {
        Ok(self.session.call(call).ok_or("the call is gone")?.recv())
    }

    /// Finds out which request has come.
    pub(crate) fn requested(&mut self) -> Result<RequestId, Error> {
        match self.session.poll_notice() {
            Some(Notice::Requested(id)) => Ok(id),
            other => Err(format!("a request was expected, not {other:?}").into()),
        }
    }

    /// Answers the request that has come with its argument.
    pub(crate) fn echo(&mut self) -> Result<(), Error> {
        let id = self.requested()?;
        let mut request = self.session.request(id).ok_or("the request is gone")?;
        let args = request.take_args();
        let (number,): (u64,) = args.decode()?;
        Ok(request.reply(Args::encode(&number)?)?)
    }

    /// Sends an item of a stream, for which there is credit.
    pub(crate) fn send_item(&mut self, id: RequestId, number: u64) -> Result<(), Error> {
        while self.session.poll_notice().is_some() {}
        let item = Args::encode(&number)?;
        let request = self.session.request(id).ok_or("the request is gone");
        let sent = request?.send(item);
        Ok(sent.map_err(|blocked: Blocked| blocked)?)
    }
}
