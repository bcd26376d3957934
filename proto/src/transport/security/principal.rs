//! What is known of a peer that came in.

use std::{fmt, sync::Arc};

use super::{AuthRequest, Credential, PublicKey};

/// Who a peer is, as far as it was made sure of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// The name that the socket's [`Authenticator`](super::Authenticator) gave it; `None` where there is no authenticator.
    pub name: Option<Arc<str>>,
    /// How it was made sure of.
    pub mechanism: MechanismName,
    /// Its key, whose secret part it has: CURVE.
    pub key: Option<PublicKey>,
    /// The user whose password it knows: PLAIN.
    pub username: Option<Arc<str>>,
    /// Where it is, as an endpoint; empty where that is not known.
    pub remote: Arc<str>,
    /// Who runs it, over `ipc://`, where the system tells.
    pub process: Option<ProcessCredentials>,
}

impl Principal {
    /// What is known after this request was granted, under this name.
    #[must_use]
    pub fn new(name: Option<String>, request: &AuthRequest<'_>) -> Self {
        let (mechanism, key, username) = match &request.credential {
            Credential::Anonymous => (MechanismName::Null, None, None),
            Credential::Password { username, .. } => {
                let username = String::from_utf8_lossy(username).into();
                (MechanismName::Plain, None, Some(username))
            }
            Credential::Key(key) => (MechanismName::Curve, Some(*key), None),
        };
        Self {
            name: name.map(Into::into),
            mechanism,
            key,
            username,
            remote: request.remote.into(),
            process: request.process,
        }
    }

    /// Somebody of whom nothing is known, but where it is.
    #[must_use]
    pub fn anonymous(remote: &str) -> Self {
        Self::new(None, &AuthRequest::new(Credential::Anonymous, remote))
    }
}

impl fmt::Display for Principal {
    /// For people: its name if it has one, or else the best that is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.key, &self.username, &self.process) {
            (Some(name), ..) => f.write_str(name),
            (_, Some(key), ..) => write!(f, "key {key}"),
            (_, _, Some(username), _) => write!(f, "user {username}"),
            (.., Some(process)) => write!(f, "uid {}", process.uid),
            _ => f.write_str("an anonymous peer"),
        }
    }
}

/// The process at the other end of an `ipc://` connection, as the system tells (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessCredentials {
    /// The number of its user.
    pub uid: u32,
    /// The number of its main group.
    pub gid: u32,
    /// Its own number, where the system tells.
    pub pid: Option<u32>,
}

impl ProcessCredentials {
    /// A process of this user and group.
    #[must_use]
    pub fn new(uid: u32, gid: u32, pid: Option<u32>) -> Self {
        Self { uid, gid, pid }
    }
}

/// The security mechanisms of ZMTP that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MechanismName {
    /// Nobody is made sure of, nothing is encrypted.
    Null,
    /// A name and a password, in the clear.
    Plain,
    /// Keys; everything is encrypted.
    Curve,
}

impl MechanismName {
    /// As it stands in greetings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Plain => "PLAIN",
            Self::Curve => "CURVE",
        }
    }
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A peer may not come in, and why, for this side's log: the peer is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    reason: String,
}

impl Denied {
    /// For this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
