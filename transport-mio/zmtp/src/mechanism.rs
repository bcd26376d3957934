//! The dialogue of a security mechanism: commands until the two sides know each other.

mod curve;
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
pub(super) use curve::{Ciphers, Decryption, Encryption, public_half};
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
                Credential::Key(key) => Violation::KeyDenied { key, reason },
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
    CurveClient(curve::Client),
    CurveServer(curve::Server),
}

impl Dialogue {
    /// Says what is to be said unasked.
    pub(super) fn start(context: Context<'_>, outbox: &mut Outbox) -> Result<Self, Violation> {
        let dialogue = match &context.config.security {
            Security::PlainClient(credentials) => {
                plain::Client::start(credentials, context, outbox).map(Self::PlainClient)
            }
            Security::PlainServer => Ok(Self::PlainServer(plain::Server::AwaitHello)),
            Security::CurveClient { keys, server } => {
                curve::Client::start(keys, *server, context, outbox).map(Self::CurveClient)
            }
            Security::CurveServer { keys } => {
                Ok(Self::CurveServer(curve::Server::AwaitHello { keys: keys.clone() }))
            }
            _ => null::AwaitReady::start(context, outbox).map(Self::Null),
        };
        dialogue.inspect_err(|violation| part(violation, context.config, outbox))
    }

    /// Takes a command. Tells the peer why, where it refuses one that is well-formed.
    pub(super) fn receive(
        self,
        body: &[u8],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        let turn = refused(body, context.config).and_then(|()| match self {
            Self::Null(state) => state.receive(body, context).map(Turn::Done),
            Self::PlainClient(state) => {
                state.receive(body, context, outbox).map(|turn| turn.map(Self::PlainClient))
            }
            Self::PlainServer(state) => {
                state.receive(body, context, outbox).map(|turn| turn.map(Self::PlainServer))
            }
            Self::CurveClient(state) => {
                state.receive(body, context, outbox).map(|turn| turn.map(Self::CurveClient))
            }
            Self::CurveServer(state) => {
                state.receive(body, context, outbox).map(|turn| turn.map(Self::CurveServer))
            }
        });
        turn.inspect_err(|violation| part(violation, context.config, outbox))
    }

    /// How long the next command may be.
    pub(super) fn limit(&self, config: &EngineConfig) -> u64 {
        let limit = config.limits.handshake_command_bytes;
        let is_short = match self {
            Self::CurveClient(state) => state.awaits_short(),
            Self::CurveServer(state) => state.awaits_short(),
            Self::Null(_) | Self::PlainClient(_) | Self::PlainServer(_) => false,
        };
        if is_short { limit.min(curve::SHORT_COMMAND) } else { limit }
    }
}

/// Tells the peer why it is refused, if it is to know. Clients of CURVE have no command for that.
fn part(violation: &Violation, config: &EngineConfig, outbox: &mut Outbox) {
    if let Some(words) = violation.parting_words()
        && !matches!(config.security, Security::CurveClient { .. })
    {
        outbox.error(words);
    }
}

/// ERROR ends every dialogue.
fn refused(body: &[u8], config: &EngineConfig) -> Result<(), Violation> {
    let data = match (split(body), &config.security) {
        (Some((b"ERROR", data)), _) => data,
        // So libzmq's PLAIN writes it: the C of its source has `"\x5ERROR"`, which begins with the byte 0x5e.
        (_, Security::PlainClient(_)) if body.starts_with(b"^RROR") => &body[5..],
        _ => return Ok(()),
    };
    match (split(data), &config.security) {
        (Some((b"400", _)), Security::CurveClient { keys, .. }) => {
            Err(Violation::NotAuthorized { key: keys.public })
        }
        (Some((reason, _)), _) => Err(Violation::Refused { reason: quote(reason) }),
        (None, _) => {
            Err(Violation::Malformed { command: "ERROR", reason: "its reason goes beyond the end" })
        }
    }
}
