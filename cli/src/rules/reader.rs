//! Reads a file of rules: TOML, in which each table is an entry.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::unistd::{Group, User};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use zeroize::Zeroizing;
use zerorpc::{MechanismName, PlainCredentials};

use super::{Entry, Rules, RulesError, Sign, pattern::Pattern};
use crate::{guarded::Guarded, key_file};

const FIELDS: &str = "`key`, `user` with `password`, `uid`, `gid`, `anonymous`, `allow` and `deny`";

/// Reads one file.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    /// That of the server, and so of all entries; `None`: that of the first entry.
    pub(super) mechanism: Option<MechanismName>,
    /// Gets all further files that were read.
    pub(super) files: &'a mut Vec<PathBuf>,
}

/// What is wrong, and where in the text.
struct Fault {
    at: usize,
    message: String,
}

type Faulty<T> = Result<T, Fault>;

fn fault<T>(at: &Spanned<T>, message: impl Into<String>) -> Fault {
    Fault { at: at.span().start, message: message.into() }
}

impl Reader<'_> {
    /// All entries of the file.
    pub(super) fn read(mut self, file: &Guarded) -> Result<Rules, RulesError> {
        let text = file.text.as_str();
        self.rules(text, file).map_err(|Fault { at, message }| RulesError {
            path: self.path.into(),
            line: Some(1 + text.get(..at).unwrap_or_default().matches('\n').count()),
            message,
        })
    }

    fn rules(&mut self, text: &str, file: &Guarded) -> Faulty<Rules> {
        let table = DeTable::parse(text).map_err(|error| Fault {
            at: error.span().map_or(0, |span| span.start),
            // The whole error shows the line, which may have a password.
            message: format!("this is not TOML: {}", error.message()),
        })?;
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut rules = Rules::default();
        for (name, value) in entries {
            let DeValue::Table(fields) = value.get_ref() else {
                let message =
                    format!("`{0}` is no entry: an entry begins with `[{0}]`", name.get_ref());
                return Err(fault(name, message));
            };
            self.entry(&mut rules, name, fields, file)?;
        }
        Ok(rules)
    }

    fn entry(
        &mut self,
        rules: &mut Rules,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        fields: &DeTable<'_>,
        file: &Guarded,
    ) -> Faulty<()> {
        let mut entry = Entry::named(name.get_ref());
        let mut signs = Vec::new();
        let mut kinds = Vec::new();
        let mut password = None;
        for (field, value) in fields {
            let kind = field.get_ref().as_ref();
            match kind {
                "key" | "user" | "uid" | "gid" | "anonymous" => kinds.push((kind, field, value)),
                "password" => password = Some((field, self.password(value, file)?)),
                "allow" => entry.allow = Some(patterns(value)?),
                "deny" => entry.deny = patterns(value)?,
                other => {
                    let message = format!("unknown `{other}`: an entry may have {FIELDS}");
                    return Err(fault(field, message));
                }
            }
        }
        let [(kind, field, value)] = kinds[..] else {
            let what =
                if kinds.is_empty() { "does not say who it is for" } else { "is for several" };
            let message = format!(
                "[{}] {what}: give it one of `key`, `user`, `uid`, `gid` and `anonymous`",
                name.get_ref()
            );
            return Err(fault(name, message));
        };
        if let (Some((field, _)), true) = (&password, kind != "user") {
            return Err(fault(field, "`password` goes with `user` alone"));
        }
        match kind {
            "key" => self.keys(value, &mut signs)?,
            "user" => {
                let password = password.map(|(_, password)| password);
                signs.push((value.span().start, self.user(value, password)?));
            }
            "uid" => ids(value, user_id, Sign::Uid, &mut signs)?,
            "gid" => ids(value, group_id, Sign::Gid, &mut signs)?,
            _ => match value.get_ref().as_bool() {
                Some(true) => signs.push((value.span().start, Sign::Anonymous)),
                _ => return Err(fault(value, "`anonymous` can only be `true`")),
            },
        }
        let entry = Arc::new(entry);
        for (at, sign) in signs {
            self.agree(name.get_ref(), field, &sign)?;
            let what = sign.describe();
            rules.enter(sign, &entry).map_err(|other| {
                let message = match Arc::ptr_eq(&other, &entry) {
                    true => format!("{what} stands here twice"),
                    false => format!("{what} is that of [{}] already", other.name),
                };
                Fault { at, message }
            })?;
        }
        Ok(())
    }

    /// All entries have to be of the mechanism that the server speaks.
    fn agree<T>(&mut self, name: &str, at: &Spanned<T>, sign: &Sign) -> Faulty<()> {
        let (own, others) = (sign.mechanism(), *self.mechanism.get_or_insert(sign.mechanism()));
        if own == others {
            return Ok(());
        }
        let reason = match others {
            MechanismName::Curve => "a server with a key knows peers by their `key` alone",
            MechanismName::Plain => "a server of users knows peers by `user` and `password` alone",
            _ => "a server without a key and users knows peers by `uid`, `gid` or `anonymous`",
        };
        Err(fault(at, format!("[{name}] can never come in: {reason}")))
    }

    fn keys(&mut self, value: &Spanned<DeValue<'_>>, signs: &mut Vec<(usize, Sign)>) -> Faulty<()> {
        for one in one_or_more(value) {
            let text = string(one, "a key")?;
            let sign = if text == "*" {
                Sign::AnyKey
            } else if text.ends_with(".key") {
                let path = self.path.parent().unwrap_or(Path::new("")).join(text);
                self.files.push(path.clone());
                let key = key_file::read_public(&path);
                Sign::Key(key.map_err(|error| fault(one, error.to_string()))?)
            } else {
                Sign::Key(text.parse().map_err(|why| {
                    fault(one, format!("this is neither a key nor the name of a .key file: {why}"))
                })?)
            };
            signs.push((one.span().start, sign));
        }
        Ok(())
    }

    fn password(&self, value: &Spanned<DeValue<'_>>, file: &Guarded) -> Faulty<Zeroizing<String>> {
        file.secret().map_err(|why| fault(value, format!("here is a password, but {why}")))?;
        match string(value, "a password")? {
            "" => Err(fault(value, "an empty password protects nothing")),
            text => Ok(Zeroizing::new(text.to_owned())),
        }
    }

    fn user(
        &self,
        value: &Spanned<DeValue<'_>>,
        password: Option<Zeroizing<String>>,
    ) -> Faulty<Sign> {
        let name = string(value, "a user")?.to_owned();
        let password = password.ok_or_else(|| fault(value, "a user needs a `password`"))?;
        if name.len().max(password.len()) > PlainCredentials::MAX_LEN {
            return Err(fault(value, "names and passwords have at most 255 bytes"));
        }
        Ok(Sign::User { name, password })
    }
}

fn patterns(value: &Spanned<DeValue<'_>>) -> Faulty<Vec<Pattern>> {
    let pattern = |one| string(one, "the name of a method").map(Pattern::new);
    one_or_more(value).iter().map(pattern).collect()
}

/// Ids by number or name.
fn ids(
    value: &Spanned<DeValue<'_>>,
    named: fn(&str) -> Option<u32>,
    sign: fn(u32) -> Sign,
    signs: &mut Vec<(usize, Sign)>,
) -> Faulty<()> {
    for one in one_or_more(value) {
        let id = match one.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            DeValue::String(name) => named(name),
            _ => None,
        };
        let id = id.ok_or_else(|| {
            fault(one, "this system has no such number or name; a name stands in quotes")
        })?;
        signs.push((one.span().start, sign(id)));
    }
    Ok(())
}

pub(crate) fn user_id(text: &str) -> Option<u32> {
    let named = || User::from_name(text).ok().flatten().map(|user| user.uid.as_raw());
    text.parse().ok().or_else(named)
}

pub(crate) fn group_id(text: &str) -> Option<u32> {
    let named = || Group::from_name(text).ok().flatten().map(|group| group.gid.as_raw());
    text.parse().ok().or_else(named)
}

fn one_or_more<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> &'a [Spanned<DeValue<'i>>] {
    match value.get_ref() {
        DeValue::Array(values) => values,
        _ => std::slice::from_ref(value),
    }
}

fn string<'a>(value: &'a Spanned<DeValue<'_>>, what: &str) -> Faulty<&'a str> {
    let text = value.get_ref().as_str();
    text.ok_or_else(|| fault(value, format!("{what} stands in quotes, like \"this\"")))
}
