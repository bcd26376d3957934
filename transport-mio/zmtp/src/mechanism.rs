//! The dialogue of a security mechanism: commands until the two sides know each other.

mod null;
mod plain;
mod turn;

use std::sync::Arc;

use zerorpc_proto::transport::{Credential, Principal, Security};

use super::{
    EngineConfig, Violation,
    command::split,
    error::{quote, show},
    outbox::Outbox,
    remote::Remote,
};
pub(super) use turn::{Agreement, Turn};

/// What a dialogue is led with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) config: &'a EngineConfig,
    pub(super) remote: &'a Remote,
}

impl Context<'_> {
    /// Lets a peer in that has proven this of itself, if the socket's authenticator does.
    pub(super) fn admit(self, credential: Credential<'_>) -> Result<Arc<Principal>, Violation> {
        self.remote.admit(self.config, credential.clone()).map_err(|denied| {
            let reason = denied.to_string();
            match credential {
                Credential::Password { username, .. } => {
                    Violation::BadCredentials { username: show(username), reason }
                }
                _ => Violation::Denied { reason },
            }
        })
    }
}

/// Where a dialogue stands.
#[derive(Debug)]
pub(super) enum Dialogue {
    Null(null::AwaitReady),
    PlainClient(plain::Client),
    PlainServer(plain::Server),
}

impl Dialogue {
    /// Says what is to be said unasked.
    pub(super) fn start(context: Context<'_>, outbox: &mut Outbox) -> Result<Self, Violation> {
        let dialogue = match &context.config.security {
            Security::PlainClient(credentials) => {
                plain::Client::start(credentials, context, outbox).map(Self::PlainClient)
            }
            Security::PlainServer => Ok(Self::PlainServer(plain::Server::AwaitHello)),
            _ => null::AwaitReady::start(context, outbox).map(Self::Null),
        };
        dialogue.inspect_err(|violation| part(violation, outbox))
    }

    /// Takes a command. Tells the peer why, where it refuses one that is well-formed.
    pub(super) fn receive(
        self,
        body: &[u8],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        let turn = refused(body).and_then(|()| match self {
            Self::Null(state) => state.receive(body, context).map(Turn::Done),
            Self::PlainClient(state) => {
                state.receive(body, context, outbox).map(|turn| turn.map(Self::PlainClient))
            }
            Self::PlainServer(state) => {
                state.receive(body, context, outbox).map(|turn| turn.map(Self::PlainServer))
            }
        });
        turn.inspect_err(|violation| part(violation, outbox))
    }
}

/// Tells the peer why it is refused, if it is to know.
fn part(violation: &Violation, outbox: &mut Outbox) {
    if let Some(words) = violation.parting_words() {
        outbox.error(words);
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
