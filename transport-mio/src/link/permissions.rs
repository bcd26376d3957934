//! Who may use a socket file, and who may not and why.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use nix::unistd::Group;
use rustix::fs::{Access, access};
use zerorpc_proto::transport::Cause;

/// Who may connect to a socket file unless it is said: its owner.
const OWNER_ONLY: u32 = 0o600;

/// Who may connect to the socket files of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// As `chmod` takes it; `None` is for the owner alone.
    pub(crate) mode: Option<u32>,
    /// The name or the number of a group; `None` leaves it to the system.
    pub(crate) group: Option<String>,
}

impl Permissions {
    /// Gives them to a file that nobody can connect to yet.
    pub(super) fn apply(&self, path: &Path) -> Result<(), Cause> {
        let mode = self.mode.unwrap_or(OWNER_ONLY);
        if mode > 0o777 {
            let words = format!(
                "{mode:#o} is no mode of a socket file; it must be from 0 to 0o777, such as 0o660"
            );
            return Err(Cause::new(io::ErrorKind::InvalidInput, words));
        }
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
        // The mode at birth is up to the umask, which belongs to the whole process.
        let words =
            |error: &io::Error| format!("cannot change the mode of {}: {error}", path.display());
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(|error| Cause::explained(error, words))
    }

    /// Makes sure that none are asked for where there is no file.
    pub(super) fn ensure_none(&self) -> Result<(), Cause> {
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

/// Why this user may not make a socket file there, or take away an old one.
pub(super) fn explain_bind(path: &Path) -> String {
    let user = user();
    if let Some(locked) = locked_folder(path) {
        return format!("{locked}; choose another path, or have the folder opened for {user}");
    }
    let folder = folder(path);
    let what = match fs::symlink_metadata(path) {
        Ok(old) => format!(
            "the file of an earlier socket belongs to {}, and {user} may not remove it from the folder {}, which {}",
            owner(&old),
            folder.display(),
            belongs(folder)
        ),
        Err(_) => format!(
            "{user} may not create files in the folder {}, which {}",
            folder.display(),
            belongs(folder)
        ),
    };
    format!("permission denied: {what}; choose a path that this user may write to")
}

/// Why this user may not connect to a socket file.
pub(super) fn explain_connect(path: &Path) -> String {
    let user = user();
    if let Some(locked) = locked_folder(path) {
        return format!("{locked}; have the folder opened for {user}");
    }
    format!(
        "permission denied: the socket file {} {}, and {user} may not write to it, which connecting takes; run this as its \
         owner, or have the server bind it with a mode and a group (--ipc-mode 660 --ipc-group NAME)",
        path.display(),
        belongs(path)
    )
}

/// The first folder on the way that this user may not enter.
fn locked_folder(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
    folders.reverse();
    let locked = folders
        .into_iter()
        .find(|folder| access(*folder, Access::EXEC_OK) == Err(rustix::io::Errno::ACCESS))?;
    Some(format!(
        "permission denied: {} may not enter the folder {}, which {}",
        user(),
        locked.display(),
        belongs(locked)
    ))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn user() -> String {
    format!("user {}", nix::unistd::geteuid())
}

/// Numbers: to look up names may take its time, and this is told again and again.
fn owner(metadata: &fs::Metadata) -> String {
    format!("user {} and group {}", metadata.uid(), metadata.gid())
}

fn belongs(path: &Path) -> String {
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            format!("belongs to {} with mode {:03o}", owner(&metadata), metadata.mode() & 0o7777)
        }
        Err(error) => format!("cannot be looked at ({error})"),
    }
}

pub(super) fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_given_or_what_is_wrong_with_them_is_said() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        fs::write(&path, "").expect("there is room");
        let own = fs::metadata(&path).expect("it is there").gid();
        let table = [
            (None, None, 0o600),
            (Some(0o660), None, 0o660),
            (Some(0o666), Some(own.to_string()), 0o666),
            (Some(0), None, 0),
        ];
        for (mode, group, expected) in table {
            Permissions { mode, group }.apply(&path).expect("it is ours");
            let metadata = fs::metadata(&path).expect("it is there");
            assert_eq!((metadata.mode() & 0o777, metadata.gid()), (expected, own));
        }
        let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(own));
        if let Ok(Some(group)) = group {
            assert_eq!(super::group(&group.name), Ok(own));
        }
        let table = [
            (Some(0o1777), None, "0o1777 is no mode"),
            (Some(660), None, "0o1224 is no mode"),
            (None, Some("no such group!".to_owned()), "no group \"no such group!\""),
        ];
        for (mode, group, words) in table {
            let told = Permissions { mode, group }.apply(&path).expect_err(words).to_string();
            assert!(told.contains(words) && told.contains(';'), "{told}");
        }
    }
}
