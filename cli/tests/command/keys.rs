//! Files with keys: ours, and those of `zmq.auth`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;
use zerorpc_tests::peers::{self, PythonPeer};

use crate::support::{Ended, Running, ZERORPC, command};

/// Makes a key in a folder.
pub(crate) fn keygen(folder: &Path, name: &str) -> Ended {
    let mut command = command(ZERORPC, ["--keygen", name]);
    command.current_dir(folder);
    Running::start(command).wait()
}

/// What a Python program prints that has pyzmq at hand.
pub(crate) fn python(peer: &PythonPeer, folder: &Path, program: &str) -> String {
    let mut command = peer.interpreter();
    command.args(["-c", program]).current_dir(folder);
    let ended = Running::start(command).wait();
    assert!(ended.is_success(), "{ended}");
    ended.stdout
}

#[test]
fn a_key_is_made_and_never_overwritten() {
    let folder = TempDir::new().expect("a folder");
    let made = keygen(folder.path(), "server");
    assert!(made.is_success() && made.stdout.trim().len() == 40, "{made}");
    let public = made.stdout.clone();
    made.tells(&["wrote \"server.key\"", "wrote \"server.key_secret\", for its owner alone"]);
    let secret = folder.path().join("server.key_secret");
    let mode = fs::metadata(&secret).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(folder.path().join("server.key")).expect("it was written");
    assert!(text.contains(public.trim()) && !text.contains("secret-key"), "{text}");

    let before = fs::read(&secret).expect("it was written");
    keygen(folder.path(), "server")
        .expect(7, "")
        .expect_one_error(&["\"server.key_secret\" exists already and is left as it is"]);
    assert_eq!(fs::read(&secret).expect("it is still there"), before);
    keygen(folder.path(), "no/such/folder").expect(7, "").tells(&["cannot write the key file"]);
    keygen(folder.path(), "..").expect(2, "").tells(&["a name is missing"]);
}

#[test]
fn pyzmq_reads_our_keys() {
    let Some(peer) = peers::python() else { return };
    let folder = TempDir::new().expect("a folder");
    let public = keygen(folder.path(), "ours").stdout;
    let program = "\
import zmq, zmq.auth
public, secret = zmq.auth.load_certificate('ours.key_secret')
assert zmq.auth.load_certificate('ours.key') == (public, None)
assert zmq.auth.load_certificates('.') == {public: True}
assert zmq.curve_public(secret) == public
print(public.decode())";
    assert_eq!(python(&peer, folder.path(), program), public);
}
