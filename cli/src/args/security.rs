//! Flags that say who this side is, and whom it talks to.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

/// What encrypts, who may come in, and what they may call.
#[derive(Debug, Args)]
#[command(next_help_heading = "Security")]
pub(crate) struct SecurityFlags {
    /// Make a key: NAME.key, by which others know its owner, and NAME.key_secret, which nobody else may have
    ///
    /// Both are of the form that czmq and zmq.auth of pyzmq read and write. Files that exist are left as they are. The
    /// public key is printed.
    #[arg(long, value_name = "NAME", exclusive = true)]
    pub(crate) keygen: Option<PathBuf>,

    /// One's own key: a .key_secret file. With it everything is encrypted (CURVE). Also ZERORPC_KEY
    ///
    /// A server also says who may come in, by --authorized-keys or --allow-any-key; a client says which server it expects,
    /// by --server-key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// Client: the public key of the server that is expected, a .key file or 40 characters. Also ZERORPC_SERVER_KEY
    ///
    /// Everything is encrypted (CURVE). Without --key the client has a new key each time, for servers that let in any key.
    #[arg(long, value_name = "FILE|KEY")]
    pub(crate) server_key: Option<OsString>,

    /// Server: who may come in, and what they may call: a folder of .key files, or a file of rules. Also
    /// ZERORPC_AUTHORIZED_KEYS
    ///
    /// Each NAME.key in a folder is a peer that may call everything. A file of rules (TOML) has an entry `[NAME]` for each
    /// peer, with its `key` (or `user` and `password`, `uid`, `gid`, `anonymous = true`), and, if it may not call
    /// everything, with `allow = ["time.*", "strftime"]` or `deny = [...]`. Changes are taken up at once.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) authorized_keys: Option<PathBuf>,

    /// Server with --key: let everybody in who knows the server's public key
    #[arg(long)]
    pub(crate) allow_any_key: bool,

    /// Client: the name of a user, for servers that ask for a password (PLAIN, not encrypted). Also ZERORPC_USER
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// There only to be refused: every process can read command lines
    #[arg(long, value_name = "PASSWORD", hide = true)]
    pub(crate) password: Option<OsString>,

    /// Client: the file with the password of --user; or the password itself in ZERORPC_PASSWORD. Also
    /// ZERORPC_PASSWORD_FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// Server at ipc addresses: let processes of these users in, by name or number. Also ZERORPC_ALLOW_UID
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    pub(crate) allow_uid: Vec<String>,

    /// Server at ipc addresses: let processes in whose main group is one of these. Also ZERORPC_ALLOW_GID
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub(crate) allow_gid: Vec<String>,
}
