//! The care of socket files: libzmq deletes whatever has the name, and leaves its own files behind.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt},
        net::{UnixDatagram, UnixListener},
    },
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use zerorpc_proto::transport::Cause;

/// How many names are tried for a folder before its parent is taken for full. Not measured: a bound; names that are taken are
/// those of earlier processes of the same number.
const MOST_FOLDERS: u32 = 1000;

/// Makes sure that a socket can be bound at `path`, and that none is in use there.
///
/// # Errors
/// The reason why not, for people.
pub(crate) fn make_way(path: &Path) -> Result<(), Cause> {
    let explain = |error| Cause::explained(error, |error| explain(path, error));
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(
                "there is a file that is not a socket; remove it or choose another path".into()
            );
        }
        Ok(_) if is_live(path) => {
            let words = "another process already listens there; choose another path or stop it";
            return Err(Cause::new(ErrorKind::AddrInUse, words));
        }
        Ok(_) => fs::remove_file(path).map_err(explain)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(explain(error)),
    }
    // A rehearsal: the system has more reasons to refuse than libzmq's binding has names for.
    let rehearsal = UnixListener::bind(path).map_err(explain)?;
    drop(rehearsal);
    fs::remove_file(path).map_err(explain)
}

/// Whether some process has the socket open.
///
/// A datagram socket cannot connect to a listener, but is refused in another way than at an abandoned
/// file. Unlike a stream it never waits for a busy listener, and the listener never hears of it.
fn is_live(path: &Path) -> bool {
    let attempt = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    !attempt.is_err_and(|error| {
        matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
    })
}

fn explain(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path).display();
            format!("the folder {folder} does not exist; create it or choose another path")
        }
        ErrorKind::AddrInUse => {
            "another process just began to listen there; choose another path or stop it".into()
        }
        ErrorKind::PermissionDenied => {
            "permission denied; choose a path that this user may write to".into()
        }
        _ => format!("{error}; choose another path"),
    }
}

/// A file that a socket of ours is bound to.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    /// Removed after the file.
    _folder: Option<Folder>,
}

impl SocketFile {
    /// Takes responsibility for the file at `path`, if it is there, and for its folder.
    pub(crate) fn adopt(path: &Path, folder: Option<Folder>) -> Option<Self> {
        // The working directory may change before the file is removed.
        let path = std::path::absolute(path).ok()?;
        let identity = identity(&path)?;
        Some(Self { path, identity, _folder: folder })
    }

    /// Removes the file, unless somebody has put another one in its place.
    pub(crate) fn remove(&self) {
        if identity(&self.path) != Some(self.identity) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "cannot remove a socket file");
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A folder that only its owner may look into; removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes a folder among the temporary files. libzmq would put the socket into the working directory, and leave
    /// it there.
    ///
    /// # Errors
    /// The reason why not, for people.
    pub(crate) fn create() -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let parent = std::env::temp_dir();
        let explain = |error: io::Error| {
            format!(
                "cannot make a folder in {}: {error}; set TMPDIR to a folder that can be written to",
                parent.display()
            )
        };
        for _ in 0..MOST_FOLDERS {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("zerorpc-{}-{number}", process::id());
            let path = std::path::absolute(parent.join(name)).map_err(explain)?;
            // Fails when there is anything of that name, whoever put it there.
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Self(path)).map_err(explain),
            }
        }
        Err(explain(ErrorKind::AlreadyExists.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "cannot remove a folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_abandoned_sockets_make_way() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("socket");
        assert_eq!(make_way(&path), Ok(()));
        assert!(!path.exists(), "the rehearsal leaves nothing behind");

        let listener = UnixListener::bind(&path).expect("the path is free");
        assert!(
            make_way(&path).expect_err("somebody listens").to_string().contains("already listens")
        );
        drop(listener);
        assert!(path.exists(), "the file outlives its socket");
        assert_eq!(make_way(&path), Ok(()));

        File::create(&path).expect("the path is free");
        assert!(make_way(&path).expect_err("a file").to_string().contains("not a socket"));
        assert!(path.exists(), "files of others stay");
        let below = path.join("socket");
        make_way(&below).expect_err("a file is no folder");
        let nowhere = folder.path().join("no/socket");
        assert!(make_way(&nowhere).expect_err("no folder").to_string().contains("does not exist"));
    }

    #[test]
    fn only_the_own_file_is_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("socket");
        assert!(SocketFile::adopt(&path, None).is_none());
        let _first = UnixListener::bind(&path).expect("the path is free");
        let file = SocketFile::adopt(&path, None).expect("the file is there");

        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).expect("the file can be moved");
        let _second = UnixListener::bind(&path).expect("the path is free");
        file.remove();
        assert!(path.exists(), "this is the file of somebody else");

        fs::rename(&aside, &path).expect("the file can be moved");
        file.remove();
        assert!(!path.exists());
    }
}
