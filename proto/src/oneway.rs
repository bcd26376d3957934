//! Push/pull and publish/subscribe: single events without channel, answer or heartbeat (protocol section 9).

use crate::{
    args::Args,
    error::{Malformed, OpenError},
    event::{Context, Event, Writer},
    limits::Limits,
    multipart::{Envelope, Multipart},
    peer::PeerId,
    transmit::Transmit,
};

/// Makes the events that PUSH and PUB sockets send.
#[derive(Debug, Clone)]
pub struct OneWayWriter(Writer);

impl OneWayWriter {
    /// The seed must be random, as for [`Config::seed`](crate::Config::seed).
    #[must_use]
    pub fn new(seed: u128) -> Self {
        Self(Writer::new(seed))
    }

    /// An event that calls `method` at whoever receives it.
    ///
    /// # Errors
    /// When the arguments are no array.
    pub fn event(
        &mut self,
        method: &str,
        args: &Args,
        context: &Context,
    ) -> Result<Transmit, OpenError> {
        if !args.is_array() {
            return Err(OpenError::ArgsNotArray);
        }
        let payload = self.0.one_way(context, method, args.as_bytes().clone());
        Ok(Transmit::new(PeerId::NAMELESS, Envelope::default(), payload))
    }
}

/// Reads the event that a PULL or SUB socket received.
///
/// # Errors
/// When the message is no event; the next one may be.
pub fn read_one_way(message: &Multipart, limits: &Limits) -> Result<Event, Malformed> {
    Event::decode(&message.payload, limits).map_err(|broken| broken.reason)
}
