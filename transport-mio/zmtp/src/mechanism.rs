//! The dialogue of a security mechanism: commands until the two sides know each other.
//!
//! A mechanism that also wraps the traffic after it would be one more variant of [`Dialogue`], and hand its
//! keys on in [`Turn::Done`].

mod null;
mod plain;
mod turn;

use super::{EngineConfig, Mechanism, Violation, command::split, error::quote, outbox::Outbox};
pub(super) use turn::Turn;

/// Where a dialogue stands.
#[derive(Debug)]
pub(super) enum Dialogue {
    Null(null::AwaitReady),
    PlainClient(plain::Client),
    PlainServer(plain::Server),
}

impl Dialogue {
    /// Says what is to be said unasked.
    pub(super) fn start(config: &EngineConfig, outbox: &mut Outbox) -> Self {
        match &config.mechanism {
            Mechanism::Null => Self::Null(null::AwaitReady::start(config, outbox)),
            Mechanism::PlainClient(credentials) => {
                Self::PlainClient(plain::Client::start(credentials, outbox))
            }
            Mechanism::PlainServer(check) => Self::PlainServer(plain::Server::start(check.clone())),
        }
    }

    /// Takes a command. Tells the peer why, where it refuses one that is well-formed.
    pub(super) fn receive(
        self,
        body: &[u8],
        config: &EngineConfig,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        let turn = refused(body).and_then(|()| match self {
            Self::Null(state) => state.receive(body, config).map(Turn::Done),
            Self::PlainClient(state) => {
                state.receive(body, config, outbox).map(|turn| turn.map(Self::PlainClient))
            }
            Self::PlainServer(state) => {
                state.receive(body, config, outbox).map(|turn| turn.map(Self::PlainServer))
            }
        });
        turn.inspect_err(|violation| {
            if let Some(words) = violation.parting_words() {
                outbox.error(words);
            }
        })
    }
}

/// ERROR ends every dialogue.
fn refused(body: &[u8]) -> Result<(), Violation> {
    let Some((b"ERROR", data)) = split(body) else { return Ok(()) };
    match split(data) {
        Some((reason, _)) => Err(Violation::Refused { reason: quote(reason) }),
        None => {
            Err(Violation::Malformed { command: "ERROR", reason: "its reason goes beyond the end" })
        }
    }
}
