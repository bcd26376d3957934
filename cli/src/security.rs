//! Makes what a socket needs of the files that the plan names.

use std::{path::Path, sync::Arc};

use zeroize::Zeroizing;
use zerorpc::{Authenticator, MechanismName, PlainCredentials, Security, SocketOptions};

use crate::{
    exit::CliError,
    guarded::Guarded,
    key_file,
    plan::{Admission, Link, Password, SecurityPlan, ServerKey, only_ipc},
    rules::{Rules, Source, Watched},
    status,
};

/// How a socket makes sure of its peers.
pub(crate) struct Secured {
    security: Security,
    /// Who may come in and what they may call, if that is limited.
    pub(crate) rules: Option<Arc<Watched>>,
}

impl Secured {
    /// Reads keys, password and rules, and says what they lead to.
    ///
    /// # Errors
    /// When a file cannot be used, or does not fit what else was given.
    pub(crate) fn open(plan: &SecurityPlan, links: &[Link]) -> Result<Self, CliError> {
        let without_rules = |security| Self { security, rules: None };
        Ok(match plan {
            SecurityPlan::None => without_rules(Security::Null),
            SecurityPlan::User { name, password } => {
                without_rules(Security::PlainClient(credentials(name, password)?))
            }
            SecurityPlan::ServerKey { server, own } => {
                let server = match server {
                    ServerKey::Key(key) => *key,
                    ServerKey::File(path) => key_file::read_servers(path)?,
                };
                let keys = match own {
                    Some(path) => key_file::read_pair(path)?,
                    None => key_file::generate()?,
                };
                without_rules(Security::CurveClient { keys, server })
            }
            SecurityPlan::Admission { own, admission } => {
                Self::of_server(own.as_deref(), admission, links)?
            }
        })
    }

    fn of_server(
        own: Option<&Path>,
        admission: &Admission,
        links: &[Link],
    ) -> Result<Self, CliError> {
        let keys = own.map(key_file::read_pair).transpose()?;
        let (rules, mechanism) = match admission {
            Admission::AnyKey => (Watched::fixed(Rules::any_key()), Some(MechanismName::Curve)),
            Admission::Processes { uids, gids } => {
                (Watched::fixed(Rules::processes(uids, gids)), Some(MechanismName::Null))
            }
            Admission::Rules(path) => of_files(path, keys.is_some(), links)?,
        };
        let security = match (keys, mechanism) {
            (Some(keys), _) => {
                status::print(format_args!("clients know this server by the key {}", keys.public));
                Security::CurveServer { keys }
            }
            (None, Some(MechanismName::Plain)) => Security::PlainServer,
            (None, _) => Security::Null,
        };
        Ok(Self { security, rules: Some(Arc::new(rules)) })
    }

    /// Has a socket make sure of its peers so.
    pub(crate) fn apply(&self, options: SocketOptions) -> SocketOptions {
        let authenticator = self.rules.clone().map(|rules| -> Arc<dyn Authenticator> { rules });
        options.security(self.security.clone()).authenticator(authenticator)
    }
}

/// The rules of a file or folder, and the mechanism that they are for.
fn of_files(
    path: &Path,
    has_key: bool,
    links: &[Link],
) -> Result<(Watched, Option<MechanismName>), CliError> {
    let mechanism = has_key.then_some(MechanismName::Curve);
    let watched = Watched::new(Source { path: path.into(), mechanism });
    let watched = watched.map_err(|error| CliError::failed(error.to_string()))?;
    let rules = watched.rules();
    match rules.mechanism() {
        Some(MechanismName::Curve) if !has_key => {
            return Err(CliError::failed(format!(
                "{path:?} authorizes keys, which takes a server that has one itself: make one by `zerorpc --keygen NAME` \
                 and give it as --key NAME.key_secret"
            )));
        }
        None if !has_key => {
            return Err(CliError::failed(format!(
                "{path:?} has no entries, so nobody knows by what peers are to be known: enter somebody first"
            )));
        }
        None => tracing::warn!("{path:?} has no entries yet: nobody can come in"),
        Some(MechanismName::Null) if !rules.reach_beyond_processes() => {
            only_ipc("a file of rules with `uid` and `gid` alone", links)
                .map_err(|error| CliError::failed(error.to_string()))?;
        }
        Some(_) => {}
    }
    let mechanism = rules.mechanism();
    Ok((watched, mechanism))
}

/// A name and its password, which is the whole of its file but for the end of the line.
fn credentials(name: &str, password: &Password) -> Result<PlainCredentials, CliError> {
    let password = match password {
        Password::Text(text) => text.clone(),
        Password::File(path) => {
            let failed =
                |why: String| CliError::failed(format!("the password file {path:?}: {why}"));
            let file = Guarded::read(path).map_err(|error| failed(error.to_string()))?;
            file.secret().map_err(|unguarded| failed(unguarded.to_string()))?;
            let text = file.text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                return Err(failed("it is empty, and is to hold the password".to_owned()));
            }
            Zeroizing::new(text.to_owned())
        }
    };
    PlainCredentials::new(name, password.as_str()).ok_or_else(|| {
        CliError::failed("names of users and passwords have at most 255 bytes, this has more")
    })
}
