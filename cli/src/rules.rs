//! Who may come in, under which name, and what they may call.
//!
//! [`Rules`] are what is in force at one time, [`source`] is where they come from, and [`watched`] keeps them as their
//! files are.

mod entry;
mod pattern;
mod reader;
mod source;
mod watched;

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use zeroize::Zeroizing;
use zerorpc::{
    AuthRequest, Credential, Denied, MechanismName, Principal, ProcessCredentials, PublicKey,
};

pub(crate) use entry::Entry;
pub(crate) use reader::{group_id, user_id};
pub(crate) use source::Source;
pub(crate) use watched::Watched;

/// All entries, by what peers show.
#[derive(Default)]
pub(crate) struct Rules {
    keys: HashMap<PublicKey, Arc<Entry>>,
    /// For keys that no other entry has.
    any_key: Option<Arc<Entry>>,
    users: HashMap<String, (Zeroizing<String>, Arc<Entry>)>,
    uids: HashMap<u32, Arc<Entry>>,
    gids: HashMap<u32, Arc<Entry>>,
    /// For whoever shows nothing, and whose process no other entry has.
    anonymous: Option<Arc<Entry>>,
}

/// What is wrong with rules, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RulesError {
    pub(crate) path: PathBuf,
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// By what an entry knows its peers.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    Key(PublicKey),
    AnyKey,
    User { name: String, password: Zeroizing<String> },
    Uid(u32),
    Gid(u32),
    Anonymous,
}

impl Sign {
    /// The mechanism in which peers show it.
    fn mechanism(&self) -> MechanismName {
        match self {
            Self::Key(_) | Self::AnyKey => MechanismName::Curve,
            Self::User { .. } => MechanismName::Plain,
            Self::Uid(_) | Self::Gid(_) | Self::Anonymous => MechanismName::Null,
        }
    }

    /// For people; the password is not among it.
    fn describe(&self) -> String {
        match self {
            Self::Key(key) => format!("the key {key}"),
            Self::AnyKey => "any other key".to_owned(),
            Self::User { name, .. } => format!("the user {name:?}"),
            Self::Uid(uid) => format!("uid {uid}"),
            Self::Gid(gid) => format!("gid {gid}"),
            Self::Anonymous => "anonymous peers".to_owned(),
        }
    }
}

impl Rules {
    /// Whoever has a key may come in and call everything.
    pub(crate) fn any_key() -> Self {
        Self { any_key: Some(Arc::new(Entry::named("any key"))), ..Self::default() }
    }

    /// Processes of these users and groups may come in and call everything.
    pub(crate) fn processes(uids: &[u32], gids: &[u32]) -> Self {
        let entries = |what, ids: &[u32]| {
            let entry = |id: &u32| (*id, Arc::new(Entry::named(&format!("{what} {id}"))));
            ids.iter().map(entry).collect()
        };
        Self { uids: entries("uid", uids), gids: entries("gid", gids), ..Self::default() }
    }

    /// Enters one more sign.
    ///
    /// # Errors
    /// The name of the entry that has this sign.
    fn enter(&mut self, sign: Sign, entry: &Arc<Entry>) -> Result<(), Arc<Entry>> {
        let entry = Arc::clone(entry);
        let displaced = match sign {
            Sign::Key(key) => self.keys.insert(key, entry),
            Sign::AnyKey => self.any_key.replace(entry),
            Sign::User { name, password } => {
                self.users.insert(name, (password, entry)).map(|(_, entry)| entry)
            }
            Sign::Uid(uid) => self.uids.insert(uid, entry),
            Sign::Gid(gid) => self.gids.insert(gid, entry),
            Sign::Anonymous => self.anonymous.replace(entry),
        };
        displaced.map_or(Ok(()), Err)
    }

    /// The mechanism that they are for, which is that of all entries; `None` if there are none.
    pub(crate) fn mechanism(&self) -> Option<MechanismName> {
        if !self.keys.is_empty() || self.any_key.is_some() {
            Some(MechanismName::Curve)
        } else if !self.users.is_empty() {
            Some(MechanismName::Plain)
        } else if self.uids.is_empty() && self.gids.is_empty() && self.anonymous.is_none() {
            None
        } else {
            Some(MechanismName::Null)
        }
    }

    /// Whether somebody may come in who does not show by which user or group he is run.
    pub(crate) fn reach_beyond_processes(&self) -> bool {
        !self.keys.is_empty()
            || self.any_key.is_some()
            || !self.users.is_empty()
            || self.anonymous.is_some()
    }

    /// The entry of a peer that wants to come in.
    ///
    /// # Errors
    /// Why it has none.
    pub(crate) fn admit(&self, request: &AuthRequest<'_>) -> Result<&Arc<Entry>, Denied> {
        match &request.credential {
            Credential::Key(key) => {
                self.of_key(key).ok_or_else(|| Denied::new("it is in no entry of the rules"))
            }
            Credential::Password { username, password, .. } => {
                let user = str::from_utf8(username).ok().and_then(|name| self.users.get(name));
                let (expected, entry) = user.map_or((&b""[..], None), |(password, entry)| {
                    (password.as_bytes(), Some(entry))
                });
                let good = password.is(expected);
                let entry = entry.filter(|_| good);
                entry.ok_or_else(|| Denied::new("unknown user or wrong password"))
            }
            Credential::Anonymous => {
                self.of_process(request.process).ok_or_else(|| match request.process {
                    Some(process) => Denied::new(format!(
                        "processes of uid {} and gid {} are not authorized",
                        process.uid, process.gid
                    )),
                    None => Denied::new("anonymous peers are not authorized"),
                })
            }
            _ => Err(Denied::new("it shows something of a kind that rules do not know")),
        }
    }

    /// The entry of a peer that has come in, maybe under older rules.
    pub(crate) fn entry(&self, principal: &Principal) -> Option<&Arc<Entry>> {
        match (principal.mechanism, &principal.key, &principal.username) {
            (MechanismName::Curve, Some(key), _) => self.of_key(key),
            (MechanismName::Plain, _, Some(name)) => {
                self.users.get(&**name).map(|(_, entry)| entry)
            }
            (MechanismName::Null, ..) => self.of_process(principal.process),
            _ => None,
        }
    }

    fn of_key(&self, key: &PublicKey) -> Option<&Arc<Entry>> {
        self.keys.get(key).or(self.any_key.as_ref())
    }

    /// A user says more than a group.
    fn of_process(&self, process: Option<ProcessCredentials>) -> Option<&Arc<Entry>> {
        let of_user = process.and_then(|process| self.uids.get(&process.uid));
        let of_group = || process.and_then(|process| self.gids.get(&process.gid));
        of_user.or_else(of_group).or(self.anonymous.as_ref())
    }
}

#[cfg(test)]
mod tests;
