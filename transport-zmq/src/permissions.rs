//! Who may connect to a socket file.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use nix::unistd::Group;
use zerorpc_proto::transport::{Cause, SocketOptions};

/// What is not given is left as the system and libzmq have it: up to the umask of the process.
#[derive(Debug, Clone)]
pub(crate) struct Permissions {
    mode: Option<u32>,
    group: Option<String>,
}

impl Permissions {
    pub(crate) fn new(options: &SocketOptions) -> Self {
        Self { mode: options.ipc_mode, group: options.ipc_group.clone() }
    }

    /// Gives them to a file. libzmq listens there already: what the umask allows, is allowed until now.
    pub(crate) fn apply(&self, path: &Path) -> Result<(), Cause> {
        if let Some(name) = &self.group {
            let group = group(name)?;
            let words = |error: &io::Error| {
                let path = path.display();
                format!(
                    "cannot give {path} to the group {name:?}: {error}; this user must be in it"
                )
            };
            chown(path, None, Some(group)).map_err(|error| Cause::explained(error, words))?;
        }
        let Some(mode) = self.mode else { return Ok(()) };
        if mode > 0o777 {
            let words = format!(
                "{mode:#o} is no mode of a socket file; it must be from 0 to 0o777, such as 0o660"
            );
            return Err(Cause::new(io::ErrorKind::InvalidInput, words));
        }
        let words =
            |error: &io::Error| format!("cannot change the mode of {}: {error}", path.display());
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|error| Cause::explained(error, words))
    }

    /// Makes sure that none are asked for where there is no file.
    pub(crate) fn ensure_none(&self) -> Result<(), Cause> {
        if self.mode.is_none() && self.group.is_none() {
            return Ok(());
        }
        let words = "a name without a file has no mode and no group, everybody on this machine may connect there: use \
                     ipc:///path/to/socket, or leave them out";
        Err(Cause::new(io::ErrorKind::InvalidInput, words))
    }
}

/// The number of a group.
fn group(name: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!(
            "this system has no group {name:?}; create it, or give the name or number of another"
        )),
        Err(error) => Err(format!("cannot look up the group {name:?}: {error}; give its number")),
    }
}
