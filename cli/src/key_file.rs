//! Files with keys, in the form that czmq and `zmq.auth` of pyzmq read and write (4/ZPL): `NAME.key` for others, with
//! the public half, and `NAME.key_secret` for its owner alone, with both.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;
use zerorpc::{InvalidKey, KeyPair, PublicKey, SecretKey};
use zerorpc_zmtp::key_pair;

use crate::guarded::{Guarded, Unguarded};

/// What is wrong with a file of keys, or with its making.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFileError {
    #[error("cannot read the key file {path:?}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path:?} holds a secret key, but {unguarded}")]
    Unguarded { path: PathBuf, unguarded: Unguarded },
    #[error("{path:?} says whom to trust, but {unguarded}")]
    Changeable { path: PathBuf, unguarded: Unguarded },
    #[error("{path:?}, line {line}: this is no {half} key: {source}")]
    Invalid { path: PathBuf, line: usize, half: &'static str, source: InvalidKey },
    #[error(
        "{path:?} is no key file: it has no line `public-key = \"...\"`; `zerorpc --keygen NAME` makes key files"
    )]
    NoKey { path: PathBuf },
    #[error(
        "{path:?} holds the server's secret key, with which anybody can pass for the server: it should not be here; take its .key \
         file, which is for clients"
    )]
    NotForClients { path: PathBuf },
    #[error("cannot read {path:?}: {source}; nor is it a key itself, which has 40 characters")]
    NeitherFileNorKey { path: PathBuf, source: io::Error },
    #[error("{path:?} holds no secret key: name the file whose name ends with `.key_secret`")]
    NoSecret { path: PathBuf },
    #[error("{path:?} is damaged: its public key is not that of its secret key")]
    Unrelated { path: PathBuf },
    #[error("no random numbers for a key can be had: {0}")]
    Random(getrandom::Error),
    #[error(
        "{path:?} exists already and is left as it is: choose another name, or remove it first"
    )]
    Exists { path: PathBuf },
    #[error("cannot write the key file {path:?}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// The public key in a file, which may be either of the two.
///
/// # Errors
/// When there is none, or a secret one that others can read, or when everybody can change the file.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, KeyFileError> {
    let (public, secret) = read(path)?;
    match (public, secret) {
        (Some(public), _) => Ok(public),
        (None, Some(secret)) => Ok(key_pair(secret).public),
        (None, None) => Err(KeyFileError::NoKey { path: path.into() }),
    }
}

/// The public key of a server, as its clients have it.
///
/// # Errors
/// When there is none, or the secret one, too, or when everybody can change the file.
pub(crate) fn read_servers(path: &Path) -> Result<PublicKey, KeyFileError> {
    match read(path) {
        Ok((_, Some(_))) | Err(KeyFileError::Unguarded { .. }) => {
            Err(KeyFileError::NotForClients { path: path.into() })
        }
        Ok((Some(public), None)) => Ok(public),
        Ok((None, None)) => Err(KeyFileError::NoKey { path: path.into() }),
        Err(KeyFileError::Read { path, source }) => {
            Err(KeyFileError::NeitherFileNorKey { path, source })
        }
        Err(error) => Err(error),
    }
}

/// Both halves of the key in a file, of which the secret one is enough.
///
/// # Errors
/// When there is no secret key, or others can read it.
pub(crate) fn read_pair(path: &Path) -> Result<KeyPair, KeyFileError> {
    let (public, secret) = read(path)?;
    let Some(secret) = secret else {
        return Err(match public {
            Some(_) => KeyFileError::NoSecret { path: path.into() },
            None => KeyFileError::NoKey { path: path.into() },
        });
    };
    let keys = key_pair(secret);
    match public {
        Some(public) if public != keys.public => Err(KeyFileError::Unrelated { path: path.into() }),
        _ => Ok(keys),
    }
}

fn read(path: &Path) -> Result<(Option<PublicKey>, Option<SecretKey>), KeyFileError> {
    let failed = |source| KeyFileError::Read { path: path.into(), source };
    let file = Guarded::read(path).map_err(failed)?;
    let (mut public, mut secret) = (None, None);
    // Some editors put a mark of the byte order in front.
    for (text, line) in file.text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let text = text.trim();
        let invalid =
            |half, source| KeyFileError::Invalid { path: path.into(), line, half, source };
        if let Some(value) = value_of(text, "public-key") {
            public = Some(value.parse().map_err(|why| invalid("public", why))?);
        } else if let Some(value) = value_of(text, "secret-key") {
            file.secret()
                .map_err(|unguarded| KeyFileError::Unguarded { path: path.into(), unguarded })?;
            secret = Some(value.parse().map_err(|why| invalid("secret", why))?);
        }
    }
    file.trusted()
        .map_err(|unguarded| KeyFileError::Changeable { path: path.into(), unguarded })?;
    Ok((public, secret))
}

/// The value of a property. Whatever its section: `zmq.auth` does not look at that either.
fn value_of<'a>(line: &'a str, property: &str) -> Option<&'a str> {
    let value = line.strip_prefix(property)?.trim_start().strip_prefix('=')?.trim();
    // A comment may follow what stands in quotes; without them, `#` is a character of keys.
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote))
        {
            return Some(inner.trim());
        }
    }
    Some(value.trim_matches(['"', '\'', ' ', '\t']))
}

/// The files of a key.
#[derive(Debug)]
pub(crate) struct KeyFiles {
    pub(crate) public: PathBuf,
    pub(crate) secret: PathBuf,
}

impl KeyFiles {
    /// Those of this name, which may have folders in front of it.
    pub(crate) fn named(name: &Path) -> Self {
        let with = |ending: &str| {
            let mut path = name.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        };
        Self { public: with(".key"), secret: with(".key_secret") }
    }

    /// Makes a key and writes it. Nothing that exists is touched.
    ///
    /// # Errors
    /// When one of the files exists, or cannot be written; then neither is left behind.
    pub(crate) fn generate(&self) -> Result<PublicKey, KeyFileError> {
        let keys = generate()?;
        let public_text = format!("{PUBLIC}    public-key = \"{}\"\n", keys.public);
        let secret_text = Zeroizing::new(format!(
            "{SECRET}    public-key = \"{}\"\n    secret-key = \"{}\"\n",
            keys.public,
            *keys.secret.to_z85()
        ));
        let mut secret = create(&self.secret, 0o600)?;
        let mut public = create(&self.public, 0o644).inspect_err(|_| remove(&self.secret))?;
        for (file, path, text) in [
            (&mut secret, &self.secret, secret_text.as_str()),
            (&mut public, &self.public, &public_text),
        ] {
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|source| {
                remove(&self.secret);
                remove(&self.public);
                KeyFileError::Write { path: path.clone(), source }
            })?;
        }
        Ok(keys.public)
    }
}

/// A key that nobody has had before.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn generate() -> Result<KeyPair, KeyFileError> {
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *random).map_err(KeyFileError::Random)?;
    Ok(key_pair(SecretKey::new(*random)))
}

/// The file with its permissions from the first moment on.
fn create(path: &Path, mode: u32) -> Result<File, KeyFileError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    opened.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
        _ => KeyFileError::Write { path: path.into(), source },
    })
}

/// Takes back what this process has just created.
fn remove(path: &Path) {
    // Nothing is to be done where this fails, too; the error that led here is told.
    let _ = fs::remove_file(path);
}

const PUBLIC: &str = "\
#   ZeroMQ CURVE Public Certificate, made by zerorpc
#   Give it to others by a way on which nobody can exchange it, or have them compare
#   what they got.

metadata
curve
";

const SECRET: &str = "\
#   ZeroMQ CURVE **Secret** Certificate, made by zerorpc
#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.

metadata
curve
";

#[cfg(test)]
mod tests;
