//! The side that knows the other's key beforehand.

use std::{fmt, sync::Arc};

use zerorpc_proto::transport::{Credential, KeyPair, Principal, PublicKey};

use super::{BoxKey, Ciphers, KEY, Nonce, ShortTerm, WELCOME, cut, draw, exactly, prefix};
use crate::{
    Violation,
    command::expect,
    mechanism::{Agreement, Context, Turn},
    metadata,
    outbox::Outbox,
};

/// Numbers of the nonces that a client's handshake takes.
const HELLO: u64 = 1;
const INITIATE: u64 = 2;

/// Where a client stands.
pub(crate) enum Client {
    /// HELLO is out.
    AwaitWelcome(Box<Opening>),
    /// INITIATE is out.
    AwaitReady { key: BoxKey, principal: Arc<Principal> },
}

/// What a client has, and knows, when it says HELLO.
pub(crate) struct Opening {
    keys: KeyPair,
    server: PublicKey,
    short_term: ShortTerm,
    to_server: BoxKey,
}

impl Client {
    pub(crate) fn start(
        keys: &KeyPair,
        server: PublicKey,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Self, Violation> {
        let short_term = ShortTerm::generate(&*context.config.random)?;
        let to_server = BoxKey::between(server.as_bytes(), &short_term.secret)
            .ok_or(Violation::WeakKey { key: server })?;
        let mut sealed = Vec::new();
        to_server.write(&Nonce::short(prefix::HELLO, HELLO), &[0; 64], &mut sealed);
        let number = HELLO.to_be_bytes();
        outbox.command("HELLO", &[&[1, 0], &[0; 72], &short_term.public, &number, &sealed]);
        let opening = Opening { keys: keys.clone(), server, short_term, to_server };
        Ok(Self::AwaitWelcome(Box::new(opening)))
    }

    /// Whether a command of a known length is due.
    pub(crate) fn awaits_short(&self) -> bool {
        matches!(self, Self::AwaitWelcome(_))
    }

    pub(crate) fn receive(
        self,
        body: &[u8],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        match self {
            Self::AwaitWelcome(opening) => {
                let Opening { keys, server, short_term, to_server } = *opening;
                let (theirs, cookie) = welcome(expect("WELCOME", body)?, &to_server)?;
                let principal = context.admit(Credential::Key(server))?;
                let weak = || Violation::WeakKey { key: PublicKey::new(theirs) };
                let key = BoxKey::between(&theirs, &short_term.secret).ok_or_else(weak)?;
                let vouching = BoxKey::between(&theirs, &keys.secret).ok_or_else(weak)?;
                let nonce = draw(&*context.config.random)?;
                let vouch = [short_term.public, *server.as_bytes()].concat();
                let mut claim = [&keys.public.as_bytes()[..], &nonce[..]].concat();
                vouching.write(&Nonce::long(prefix::VOUCH, &nonce), &vouch, &mut claim);
                claim.extend_from_slice(&metadata::write(context.config));
                let mut sealed = Vec::new();
                key.write(&Nonce::short(prefix::INITIATE, INITIATE), &claim, &mut sealed);
                outbox.command("INITIATE", &[&cookie, &INITIATE.to_be_bytes(), &sealed]);
                Ok(Turn::Next(Self::AwaitReady { key, principal }))
            }
            Self::AwaitReady { key, principal } => {
                let mut data = expect("READY", body)?;
                let number = u64::from_be_bytes(*cut("READY", &mut data)?);
                let properties = key
                    .read(&Nonce::short(prefix::READY, number), data)
                    .ok_or(Violation::Unopened { command: "READY" })?;
                let metadata = metadata::read("READY", &properties, context.config.kind)?;
                let ciphers = Ciphers::of_client(key, INITIATE, number, &context.config.buffers);
                Ok(Turn::Done(Agreement { metadata, principal, ciphers: Some(ciphers) }))
            }
        }
    }
}

/// The server's short-term key, and the cookie.
fn welcome(data: &[u8], to_server: &BoxKey) -> Result<([u8; KEY], Vec<u8>), Violation> {
    let mut data = &exactly::<WELCOME>("WELCOME", data)?[..];
    let nonce = cut("WELCOME", &mut data)?;
    let content = to_server
        .read(&Nonce::long(prefix::WELCOME, nonce), data)
        .ok_or(Violation::Unopened { command: "WELCOME" })?;
    let mut content = &content[..];
    Ok((*cut("WELCOME", &mut content)?, content.to_vec()))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitWelcome(_) => "AwaitWelcome",
            Self::AwaitReady { .. } => "AwaitReady",
        })
    }
}
