//! PLAIN: HELLO with name and password, WELCOME, INITIATE with the client's properties, READY with the
//! server's.

use std::sync::Arc;

use zerorpc_proto::transport::{Credential, PlainCredentials, Principal};

use super::{Agreement, Context, Turn};
use crate::{
    Violation,
    command::{expect, split},
    metadata,
    outbox::Outbox,
};

/// The side that shows its credentials.
#[derive(Debug)]
pub(crate) enum Client {
    AwaitWelcome(Arc<Principal>),
    AwaitReady(Arc<Principal>),
}

impl Client {
    pub(super) fn start(
        credentials: &PlainCredentials,
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Self, Violation> {
        // A server of PLAIN proves nothing; a password is not for everybody who listens all the same.
        let principal = context.admit(Credential::Anonymous)?;
        let (username, password) = (credentials.username(), credentials.password());
        let length = |text: &str| [u8::try_from(text.len()).unwrap_or(u8::MAX)];
        let (of_username, of_password) = (length(username), length(password));
        let parts = [&of_username, username.as_bytes(), &of_password, password.as_bytes()];
        outbox.command("HELLO", &parts);
        Ok(Self::AwaitWelcome(principal))
    }

    pub(super) fn receive(
        self,
        body: &[u8],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        match self {
            Self::AwaitWelcome(principal) => {
                if !expect("WELCOME", body)?.is_empty() {
                    let reason = "there is something behind its name";
                    return Err(Violation::Malformed { command: "WELCOME", reason });
                }
                outbox.command("INITIATE", &[&metadata::write(context.config)]);
                Ok(Turn::Next(Self::AwaitReady(principal)))
            }
            Self::AwaitReady(principal) => {
                let properties = expect("READY", body)?;
                let metadata = metadata::read("READY", properties, context.config.kind)?;
                Ok(Turn::Done(Agreement { metadata, principal, ciphers: None }))
            }
        }
    }
}

/// The side that looks at them.
#[derive(Debug)]
pub(crate) enum Server {
    AwaitHello,
    AwaitInitiate(Arc<Principal>),
}

impl Server {
    pub(super) fn receive(
        self,
        body: &[u8],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        match self {
            Self::AwaitHello => {
                let (username, password) = hello(expect("HELLO", body)?)?;
                let principal = context.admit(Credential::password(username, password))?;
                outbox.command("WELCOME", &[]);
                Ok(Turn::Next(Self::AwaitInitiate(principal)))
            }
            Self::AwaitInitiate(principal) => {
                let properties = expect("INITIATE", body)?;
                let metadata = metadata::read("INITIATE", properties, context.config.kind)?;
                outbox.command("READY", &[&metadata::write(context.config)]);
                Ok(Turn::Done(Agreement { metadata, principal, ciphers: None }))
            }
        }
    }
}

/// Name and password; the password ends the command.
fn hello(data: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    split(data)
        .and_then(|(username, rest)| match split(rest) {
            Some((password, [])) => Some((username, password)),
            _ => None,
        })
        .ok_or(Violation::Malformed {
            command: "HELLO",
            reason: "it is not a user name and a password",
        })
}
