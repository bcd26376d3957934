//! PLAIN: HELLO with name and password, WELCOME, INITIATE with the client's properties, READY with the
//! server's.

use std::fmt;

use super::Turn;
use crate::{
    Credentials, EngineConfig, PlainCheck, Violation,
    command::{expect, split},
    error::show,
    metadata,
    outbox::Outbox,
};

/// The side that shows its credentials.
#[derive(Debug)]
pub(crate) enum Client {
    AwaitWelcome,
    AwaitReady,
}

impl Client {
    pub(super) fn start(credentials: &Credentials, outbox: &mut Outbox) -> Self {
        let (username, password) = (credentials.username(), credentials.password());
        let length = |text: &[u8]| [u8::try_from(text.len()).unwrap_or(u8::MAX)];
        outbox.command("HELLO", &[&length(username), username, &length(password), password]);
        Self::AwaitWelcome
    }

    pub(super) fn receive(
        self,
        body: &[u8],
        config: &EngineConfig,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        match self {
            Self::AwaitWelcome => {
                if !expect("WELCOME", body)?.is_empty() {
                    let reason = "there is something behind its name";
                    return Err(Violation::Malformed { command: "WELCOME", reason });
                }
                outbox.command("INITIATE", &[&metadata::write(config)]);
                Ok(Turn::Next(Self::AwaitReady))
            }
            Self::AwaitReady => {
                let properties = expect("READY", body)?;
                metadata::read("READY", properties, config.kind).map(Turn::Done)
            }
        }
    }
}

/// The side that looks at them.
pub(crate) enum Server {
    AwaitHello(PlainCheck),
    AwaitInitiate,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitHello(_) => "AwaitHello",
            Self::AwaitInitiate => "AwaitInitiate",
        })
    }
}

impl Server {
    pub(super) fn start(check: PlainCheck) -> Self {
        Self::AwaitHello(check)
    }

    pub(super) fn receive(
        self,
        body: &[u8],
        config: &EngineConfig,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        match self {
            Self::AwaitHello(check) => {
                let (username, password) = hello(expect("HELLO", body)?)?;
                if !check(username, password) {
                    return Err(Violation::BadCredentials { username: show(username) });
                }
                outbox.command("WELCOME", &[]);
                Ok(Turn::Next(Self::AwaitInitiate))
            }
            Self::AwaitInitiate => {
                let properties = expect("INITIATE", body)?;
                let metadata = metadata::read("INITIATE", properties, config.kind)?;
                outbox.command("READY", &[&metadata::write(config)]);
                Ok(Turn::Done(metadata))
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
