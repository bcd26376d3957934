//! Unix sockets, and the care of their files.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use zerorpc_proto::transport::Cause;

use super::{
    BACKLOG, Stream,
    permissions::{self, Permissions},
    tcp::is_under_way,
};

/// How many folders of earlier processes may be in the way of a new one.
const MOST_FOLDERS: usize = 1000;

/// Listens at a socket file, which is removed when the returned owner is dropped. An abandoned socket file
/// is replaced.
pub(super) fn listen(
    path: &Path,
    permissions: &Permissions,
) -> Result<(UnixListener, SocketFile), Cause> {
    make_way(path)?;
    let explain = |error: io::Error| Cause::explained(error, |error| explain_bind(path, error));
    let socket = open().map_err(explain)?;
    socket.bind(&SockAddr::unix(path).map_err(explain)?).map_err(explain)?;
    let file = SocketFile::adopt(path).map_err(explain)?;
    // Nobody can connect before `listen`, so there is no moment at which others could than those who may.
    permissions.apply(&file.path)?;
    socket.listen(BACKLOG).map_err(explain)?;
    Ok((UnixListener::from_std(socket.into()), file))
}

/// Listens at a socket file in a folder of its own, which is removed with it.
pub(super) fn listen_anywhere(
    permissions: &Permissions,
) -> Result<(UnixListener, SocketFile), Cause> {
    let folder = Folder::create().map_err(|error| {
        let parent = std::env::temp_dir();
        Cause::explained(error, |error| {
            format!("cannot make a folder in {}: {error}", parent.display())
        })
    })?;
    let (listener, mut file) = listen(&folder.0.join("socket"), permissions)?;
    file.folder = Some(folder);
    Ok((listener, file))
}

/// Listens at an abstract name.
pub(super) fn listen_abstract(name: &str) -> Result<UnixListener, Cause> {
    let explain = |error: io::Error| {
        Cause::explained(error, |error| match error.kind() {
            ErrorKind::AddrInUse => {
                "another process already listens there; choose another name or stop it".into()
            }
            _ => error.to_string(),
        })
    };
    let address = abstract_address(name)?;
    let socket = open().map_err(explain)?;
    socket.bind(&address).map_err(explain)?;
    socket.listen(BACKLOG).map_err(explain)?;
    Ok(UnixListener::from_std(socket.into()))
}

/// Begins to connect to a socket file.
pub(super) fn connect(path: &Path, endpoint: Arc<str>) -> Result<Stream, String> {
    let address = SockAddr::unix(path).map_err(|error| explain_connect(&error))?;
    connect_to(&address, endpoint).map_err(|error| match permissions::is_denied(&error) {
        true => permissions::explain_connect(path),
        false => explain_connect(&error),
    })
}

/// Begins to connect to an abstract name.
pub(super) fn connect_abstract(name: &str, endpoint: Arc<str>) -> Result<Stream, String> {
    connect_to(&abstract_address(name)?, endpoint).map_err(|error| explain_connect(&error))
}

fn connect_to(address: &SockAddr, endpoint: Arc<str>) -> io::Result<Stream> {
    let socket = open()?;
    match socket.connect(address) {
        Err(error) if !is_under_way(&error) => return Err(error),
        _ => {}
    }
    Stream::unix(UnixStream::from_std(socket.into()), endpoint)
}

fn explain_connect(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "nobody listens: there is no such socket file".into(),
        ErrorKind::ConnectionRefused => "nobody listens there".into(),
        ErrorKind::WouldBlock => "too many connections wait to be accepted there".into(),
        _ => error.to_string(),
    }
}

fn abstract_address(name: &str) -> Result<SockAddr, String> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err("names without a file exist only on Linux; use ipc:///path/to/socket".into());
    }
    // The system tells such names from paths by the zero in front.
    SockAddr::unix(format!("\0{name}")).map_err(|error| error.to_string())
}

fn open() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Makes sure that no socket is in use at `path`, and that the file of an abandoned one is gone.
fn make_way(path: &Path) -> Result<(), Cause> {
    let explain = |error| Cause::explained(error, |error| explain_bind(path, error));
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            Err("there is a file that is not a socket; remove it or choose another path".into())
        }
        Ok(_) if is_live(path) => {
            let words = "another process already listens there; choose another path or stop it";
            Err(Cause::new(ErrorKind::AddrInUse, words))
        }
        Ok(_) => fs::remove_file(path).map_err(explain),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(explain(error)),
    }
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

fn explain_bind(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path).display();
            format!("the folder {folder} does not exist; create it or choose another path")
        }
        ErrorKind::AddrInUse => {
            "another process just began to listen there; choose another path or stop it".into()
        }
        ErrorKind::PermissionDenied => permissions::explain_bind(path),
        _ => format!("{error}; choose another path"),
    }
}

/// The file of a listener; removed when this is dropped, unless somebody has put another in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    folder: Option<Folder>,
}

impl SocketFile {
    fn adopt(path: &Path) -> io::Result<Self> {
        // The working directory may change before the file is removed.
        let path = std::path::absolute(path)?;
        let identity = identity(&path)?;
        Ok(Self { path, identity, folder: None })
    }

    /// Where the file is, from the root.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // Nobody is left to be told; the next to listen there will replace the file.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A folder that only the owner may look into; removed when this is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn create() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        for _ in 0..MOST_FOLDERS {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("zerorpc-{}-{number}", process::id());
            let path = std::path::absolute(std::env::temp_dir())?.join(name);
            // Fails when there is anything of that name, whoever put it there.
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Self(path)),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::PermissionsExt, net};

    #[test]
    fn only_abandoned_sockets_are_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("socket");
        let others = net::UnixListener::bind(&path).expect("the path is free");
        assert!(
            listen(&path, &Permissions::default())
                .expect_err("somebody listens")
                .to_string()
                .contains("already listens")
        );
        drop(others);
        assert!(path.exists(), "the file outlives its socket");

        let (_listener, file) =
            listen(&path, &Permissions::default()).expect("the file was abandoned");
        assert!(
            listen(&path, &Permissions::default())
                .expect_err("we listen")
                .to_string()
                .contains("already listens")
        );
        drop(file);
        assert!(!path.exists());

        fs::write(&path, "precious").expect("the path is free");
        assert!(
            listen(&path, &Permissions::default())
                .expect_err("a file")
                .to_string()
                .contains("not a socket")
        );
        assert_eq!(fs::read_to_string(&path).expect("files of others stay"), "precious");
        listen(&path.join("socket"), &Permissions::default()).expect_err("a file is no folder");
        let nowhere = folder.path().join("no/socket");
        assert!(
            listen(&nowhere, &Permissions::default())
                .expect_err("no folder")
                .to_string()
                .contains("does not exist")
        );
        listen(Path::new(&"x".repeat(200)), &Permissions::default()).expect_err("too long");
    }

    #[test]
    fn only_the_own_file_is_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("socket");
        let (_first, file) = listen(&path, &Permissions::default()).expect("the path is free");
        fs::rename(&path, folder.path().join("aside")).expect("the file can be moved");
        let (_second, second) = listen(&path, &Permissions::default()).expect("the path is free");
        drop(file);
        assert!(path.exists(), "this is the file of somebody else");
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn socket_files_are_for_their_owner() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mode = |path: &Path| {
            fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
        };
        let path = folder.path().join("socket");
        let (_listener, _file) = listen(&path, &Permissions::default()).expect("the path is free");
        assert_eq!(mode(&path), 0o600);

        let (_listener, file) = listen_anywhere(&Permissions::default()).expect("a place is found");
        let path = file.path().to_path_buf();
        let parent = path.parent().expect("a folder").to_path_buf();
        assert_eq!((mode(&path), mode(&parent)), (0o600, 0o700));
        drop(file);
        assert!(!parent.exists());
    }

    #[test]
    fn others_may_use_what_they_are_given() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("socket");
        let open = Permissions { mode: Some(0o666), group: None };
        let (_listener, _file) = listen(&path, &open).expect("the path is free");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o666);
        let below = folder.path().join("other");
        let nobody = Permissions { group: Some("no such group!".into()), ..open };
        assert!(listen(&below, &nobody).expect_err("who?").to_string().contains("no such group!"));
        assert!(!below.exists(), "nothing is left behind");
    }
}
