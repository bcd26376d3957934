//! Who may talk to whom: the command's flags, with real processes on both sides.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::TempDir;

use crate::support::{Ended, Running, Server, ZERORPC, command};

/// Starts the command in a folder, with variables of the environment.
pub(crate) fn start_in(folder: &Path, variables: &[(&str, &str)], words: &[&str]) -> Running {
    let mut command = command(ZERORPC, words);
    command.current_dir(folder).envs(variables.iter().copied());
    Running::start(command)
}

/// Serves the module `time`.
fn serve(folder: &Path, flags: &[&str]) -> Server {
    let words = ["--server", "--bind", "tcp://127.0.0.1:*", "time"];
    let words: Vec<_> = words.into_iter().chain(flags.iter().copied()).collect();
    Server::of(start_in(folder, &[], &words), "5")
}

/// Asks a server for the day of the week when the epoch began.
fn ask(server: &Server, folder: &Path, variables: &[(&str, &str)], flags: &[&str]) -> Ended {
    let words = ["--timeout", "5", &server.endpoint, "strftime", "%%"];
    let words: Vec<_> = flags.iter().copied().chain(words).collect();
    start_in(folder, variables, &words).wait()
}

pub(crate) fn write(folder: &Path, name: &str, mode: u32, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
}

#[test]
fn users_come_in_by_their_passwords() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    write(folder, "rules.toml", 0o600, "[ada]\nuser = 'ada'\npassword = 'lovelace'\n");
    write(folder, "password", 0o600, "lovelace\n");
    write(folder, "readable", 0o644, "lovelace\n");
    let server = serve(folder, &["--authorized-keys", "rules.toml"]);
    let good = [("ZERORPC_PASSWORD", "lovelace")];
    ask(&server, folder, &good, &["--user", "ada"]).expect(0, "\"%\"\n");
    ask(&server, folder, &[], &["--user", "ada", "--password-file", "password"])
        .expect(0, "\"%\"\n");
    let variables = [("ZERORPC_USER", "ada"), ("ZERORPC_PASSWORD_FILE", "password")];
    ask(&server, folder, &variables, &[]).expect(0, "\"%\"\n");

    ask(&server, folder, &[], &["--user", "ada", "--password-file", "readable"])
        .expect(7, "")
        .tells(&["others can read it (its mode is 644): run `chmod 600 \"readable\"`"]);
    server.running.wait_for_stderr("serving");
}

#[test]
fn a_file_that_others_can_read_starts_no_server() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    write(folder, "rules.toml", 0o644, "[ada]\nuser = 'ada'\npassword = 'lovelace'\n");
    let words =
        ["--server", "--bind", "tcp://127.0.0.1:*", "--authorized-keys", "rules.toml", "time"];
    start_in(folder, &[], &words)
        .wait()
        .expect(7, "")
        .tells(&["rules.toml:3: here is a password, but others can read it"]);
}
