//! How the two sides are to make sure of each other, resolved from flags and environment. No file is read here; it
//! is only looked whether a word names one.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;
use zerorpc::PublicKey;

use super::Link;
use crate::{
    args::SecurityFlags,
    rules::{group_id, user_id},
};

/// Variables of the environment by their names.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What a side is to show of itself, and to expect of others.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum SecurityPlan {
    /// Nothing.
    #[default]
    None,
    /// A client shows a name and a password.
    User { name: String, password: Password },
    /// A client knows the server's key.
    ServerKey {
        server: ServerKey,
        /// The file of its own; one is made if there is none.
        own: Option<PathBuf>,
    },
    /// A server lets only some in.
    Admission {
        /// The file of its own key.
        own: Option<PathBuf>,
        admission: Admission,
    },
}

/// The public key of a server.
#[derive(Debug, PartialEq)]
pub(crate) enum ServerKey {
    Key(PublicKey),
    File(PathBuf),
}

/// Where a password is.
#[derive(PartialEq)]
pub(crate) enum Password {
    File(PathBuf),
    /// As it stands in the environment.
    Text(Zeroizing<String>),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text(..)"),
        }
    }
}

/// Whom a server lets in.
#[derive(Debug, PartialEq)]
pub(crate) enum Admission {
    AnyKey,
    /// Those that a file or folder names.
    Rules(PathBuf),
    Processes {
        uids: Vec<u32>,
        gids: Vec<u32>,
    },
}

/// Why security is not what was meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecurityError {
    #[error("{0} is for servers")]
    ForServers(&'static str),
    #[error("{0} is for clients")]
    ForClients(&'static str),
    #[error("{0} and {1} exclude each other: {2}")]
    Exclude(&'static str, &'static str, &'static str),
    #[error(
        "{0} goes with --server-key: a client with a key says which server it expects, by the server's .key file or its 40 \
         characters"
    )]
    NoServerKey(&'static str),
    #[error(
        "{0} does not say who may come in: give --authorized-keys FILE|DIR, or --allow-any-key to let everybody in who knows \
         the server's public key"
    )]
    NoAdmission(&'static str),
    #[error(
        "--allow-any-key goes with --key: without a key of its own a server cannot speak CURVE"
    )]
    NoKey,
    #[error("{0} needs a password: name its file by --password-file, or set ZERORPC_PASSWORD")]
    NoPassword(&'static str),
    #[error(
        "a password does not belong on the command line, which every process of the machine can read: use --password-file \
         FILE, or ZERORPC_PASSWORD"
    )]
    ReadableByAll,
    #[error("{0} goes with --user")]
    NoUser(&'static str),
    #[error(
        "{0} works at ipc addresses alone, where the system tells who is there: nobody could come in at {1:?}"
    )]
    NotIpc(&'static str, String),
    #[error("{0}: this system has no user or group {1:?}")]
    Unknown(&'static str, String),
    #[error("{0} is not valid UTF-8")]
    NotText(&'static str),
}

/// A value, and where it was given, for messages.
struct Given<T> {
    by: &'static str,
    value: T,
}

/// The value of a flag, or else of a variable that is not empty.
fn given<T>(
    flag: (&'static str, Option<T>),
    variable: &'static str,
    environment: Environment<'_>,
    read: impl FnOnce(OsString) -> Option<T>,
) -> Result<Option<Given<T>>, SecurityError> {
    if let (by, Some(value)) = flag {
        return Ok(Some(Given { by, value }));
    }
    let Some(value) = environment(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let value = read(value).ok_or(SecurityError::NotText(variable))?;
    Ok(Some(Given { by: variable, value }))
}

fn path(value: OsString) -> Option<PathBuf> {
    Some(value.into())
}

fn text(value: OsString) -> Option<String> {
    value.into_string().ok()
}

impl SecurityPlan {
    /// What a client is to do. Of the environment, it leaves alone what is for servers.
    pub(super) fn of_client(
        flags: SecurityFlags,
        environment: Environment<'_>,
    ) -> Result<Self, SecurityError> {
        for (is_given, flag) in [
            (flags.authorized_keys.is_some(), "--authorized-keys"),
            (flags.allow_any_key, "--allow-any-key"),
            (!flags.allow_uid.is_empty(), "--allow-uid"),
            (!flags.allow_gid.is_empty(), "--allow-gid"),
        ] {
            if is_given {
                return Err(SecurityError::ForServers(flag));
            }
        }
        if flags.password.is_some() {
            return Err(SecurityError::ReadableByAll);
        }
        let own = given(("--key", flags.key), "ZERORPC_KEY", environment, path)?;
        let server =
            given(("--server-key", flags.server_key), "ZERORPC_SERVER_KEY", environment, Some)?;
        let user = given(("--user", flags.user), "ZERORPC_USER", environment, text)?;
        let password = password(flags.password_file, environment)?;

        match (user, server, own) {
            (Some(user), Some(Given { by, .. }), _)
            | (Some(user), None, Some(Given { by, .. })) => {
                let reason = "passwords are of PLAIN, keys of CURVE";
                Err(SecurityError::Exclude(user.by, by, reason))
            }
            (Some(user), None, None) => {
                let password = password.ok_or(SecurityError::NoPassword(user.by))?.value;
                Ok(Self::User { name: user.value, password })
            }
            (None, server, own) => match (password, server, own) {
                (Some(password), ..) => Err(SecurityError::NoUser(password.by)),
                (None, None, None) => Ok(Self::None),
                (None, None, Some(own)) => Err(SecurityError::NoServerKey(own.by)),
                (None, Some(server), own) => Ok(Self::ServerKey {
                    server: ServerKey::of(server.value),
                    own: own.map(|own| own.value),
                }),
            },
        }
    }

    /// What a server is to do. Of the environment, it leaves alone what is for clients.
    pub(super) fn of_server(
        flags: SecurityFlags,
        environment: Environment<'_>,
        links: &[Link],
    ) -> Result<Self, SecurityError> {
        for (is_given, flag) in [
            (flags.server_key.is_some(), "--server-key"),
            (flags.user.is_some(), "--user"),
            (flags.password.is_some(), "--password"),
            (flags.password_file.is_some(), "--password-file"),
        ] {
            if is_given {
                return Err(SecurityError::ForClients(flag));
            }
        }
        let own = given(("--key", flags.key), "ZERORPC_KEY", environment, path)?;
        let authorized = ("--authorized-keys", flags.authorized_keys);
        let authorized = given(authorized, "ZERORPC_AUTHORIZED_KEYS", environment, path)?;
        let uids =
            ids(("--allow-uid", flags.allow_uid), "ZERORPC_ALLOW_UID", environment, user_id)?;
        let gids =
            ids(("--allow-gid", flags.allow_gid), "ZERORPC_ALLOW_GID", environment, group_id)?;

        let processes = uids.as_ref().or(gids.as_ref()).map(|given| given.by);
        let admission = match (authorized, flags.allow_any_key, processes) {
            (Some(Given { by, .. }), true, _) => {
                let reason = "a file of rules lets any key in by an entry with `key = \"*\"`";
                return Err(SecurityError::Exclude("--allow-any-key", by, reason));
            }
            (Some(Given { by, .. }), false, Some(processes)) => {
                let reason = "a file of rules has entries with `uid` and `gid`";
                return Err(SecurityError::Exclude(processes, by, reason));
            }
            (None, true, Some(processes)) => {
                let reason = "a server with a key knows peers by their keys";
                return Err(SecurityError::Exclude(processes, "--allow-any-key", reason));
            }
            (Some(rules), false, None) => Some(Admission::Rules(rules.value)),
            (None, true, None) => Some(Admission::AnyKey),
            (None, false, Some(by)) => {
                if let Some(own) = &own {
                    let reason = "a server with a key knows peers by their keys";
                    return Err(SecurityError::Exclude(by, own.by, reason));
                }
                only_ipc(by, links)?;
                let ids = |given: Option<Given<_>>| given.map_or_else(Vec::new, |ids| ids.value);
                Some(Admission::Processes { uids: ids(uids), gids: ids(gids) })
            }
            (None, false, None) => None,
        };
        match (own, admission) {
            (None, None) => Ok(Self::None),
            (Some(own), None) => Err(SecurityError::NoAdmission(own.by)),
            (None, Some(Admission::AnyKey)) => Err(SecurityError::NoKey),
            (own, Some(admission)) => {
                Ok(Self::Admission { own: own.map(|own| own.value), admission })
            }
        }
    }
}

impl ServerKey {
    /// A path may be as long as a key, and of no other characters: a file that is there is meant, and so is one that is called
    /// as files with keys are.
    fn of(value: OsString) -> Self {
        let path = Path::new(&value);
        let is_path = path.exists() || path.extension().is_some_and(|extension| extension == "key");
        match value.to_str().map(str::parse) {
            Some(Ok(key)) if !is_path => Self::Key(key),
            _ => Self::File(value.into()),
        }
    }
}

/// A flag counts more than the environment, in which two say too much.
fn password(
    flag: Option<PathBuf>,
    environment: Environment<'_>,
) -> Result<Option<Given<Password>>, SecurityError> {
    let by_flag = flag.is_some();
    let file = ("--password-file", flag);
    let file = given(file, "ZERORPC_PASSWORD_FILE", environment, path)?;
    let text = given(("", None), "ZERORPC_PASSWORD", environment, text)?;
    match (file, text) {
        (Some(file), Some(text)) if !by_flag => {
            Err(SecurityError::Exclude(file.by, text.by, "there is one password"))
        }
        (Some(Given { by, value }), _) => Ok(Some(Given { by, value: Password::File(value) })),
        (None, text) => Ok(text
            .map(|Given { by, value }| Given { by, value: Password::Text(Zeroizing::new(value)) })),
    }
}

/// Numbers of users or groups.
fn ids(
    (flag, values): (&'static str, Vec<String>),
    variable: &'static str,
    environment: Environment<'_>,
    id: fn(&str) -> Option<u32>,
) -> Result<Option<Given<Vec<u32>>>, SecurityError> {
    let values = (!values.is_empty()).then_some(values);
    let split = |value: OsString| Some(text(value)?.split(',').map(str::to_owned).collect());
    let Some(Given { by, value }) = given((flag, values), variable, environment, split)? else {
        return Ok(None);
    };
    let ids = value.into_iter().map(|name| id(&name).ok_or(SecurityError::Unknown(by, name)));
    Ok(Some(Given { by, value: ids.collect::<Result<_, _>>()? }))
}

/// Makes sure that all links are of sockets whose processes the system knows.
pub(crate) fn only_ipc(by: &'static str, links: &[Link]) -> Result<(), SecurityError> {
    let others = links.iter().map(Link::address).find(|address| !address.starts_with("ipc://"));
    others.map_or(Ok(()), |address| Err(SecurityError::NotIpc(by, address.to_owned())))
}

#[cfg(test)]
mod tests;
