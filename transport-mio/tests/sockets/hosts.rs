//! A file of hosts of one's own, so that names can change.

use std::{fs, path::PathBuf};

use crate::namespaces::within;

/// Where a test finds the folder with the file that it may write.
const FOLDER: &str = "ZERORPC_TEST_HOSTS";

/// Puts files in the place of those that the system looks names up in, for this process and its children alone: no
/// other resolver is asked.
const SCRIPT: &str = r#"
mount --bind "$ZERORPC_TEST_HOSTS/hosts" /etc/hosts || exit 77
if [ -e /etc/nsswitch.conf ]; then
    mount --bind "$ZERORPC_TEST_HOSTS/nsswitch.conf" /etc/nsswitch.conf || exit 77
fi
exec "$@"
"#;

/// The addresses of a name that nobody else has.
pub(crate) struct Hosts(PathBuf);

impl Hosts {
    /// Within a namespace, where the file of hosts is one's own; `None` outside, where nothing is left to be done.
    pub(crate) fn own(test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("hosts"), "127.0.0.1 localhost\n").expect("a file");
        fs::write(folder.path().join("nsswitch.conf"), "hosts: files\n").expect("a file");
        within(test, &["--mount"], SCRIPT, (FOLDER, folder.path().as_os_str())).then(|| {
            let folder = std::env::var_os(FOLDER).expect("it is set by the test outside");
            Self(PathBuf::from(folder).join("hosts"))
        })
    }

    /// The name, with a port.
    #[expect(clippy::unused_self, reason = "who has no hosts has no name")]
    pub(crate) fn endpoint(&self, port: u16) -> String {
        format!("tcp://service.test:{port}")
    }

    /// From now on, the name has the addresses 127.0.0.x.
    pub(crate) fn set(&self, addresses: &[u8]) {
        let lines = addresses.iter().map(|address| format!("127.0.0.{address} service.test\n"));
        // The file stays the same: it is what was mounted.
        fs::write(&self.0, lines.collect::<String>()).expect("the file can be written");
    }
}
