//! Who may talk to whom: the command's flags, with real processes on both sides.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::TempDir;

use crate::support::{Ended, Running, Server, ZERORPC, command, free_port, run};

/// Starts the command in a folder, with variables of the environment.
pub(crate) fn start_in(folder: &Path, variables: &[(&str, &str)], words: &[&str]) -> Running {
    let mut command = command(ZERORPC, words);
    command.current_dir(folder).envs(variables.iter().copied());
    Running::start(command)
}

/// Serves the module `time`.
pub(crate) fn serve(folder: &Path, flags: &[&str]) -> Server {
    let words = ["--server", "--bind", "tcp://127.0.0.1:*", "time"];
    let words: Vec<_> = words.into_iter().chain(flags.iter().copied()).collect();
    Server::of(start_in(folder, &[], &words), "5")
}

/// Asks a server for a percent sign.
pub(crate) fn ask(
    server: &Server,
    folder: &Path,
    variables: &[(&str, &str)],
    flags: &[&str],
) -> Ended {
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

    write(folder, "empty", 0o600, "\n");
    ask(&server, folder, &[], &["--user", "ada", "--password-file", "empty"])
        .expect(7, "")
        .tells(&["\"empty\": it is empty, and is to hold the password"]);

    let wrong = [("ZERORPC_PASSWORD", "byron")];
    ask(&server, folder, &wrong, &["--user", "ada"])
        .expect(8, "")
        .tells(&["or the password is wrong", "check --user NAME and --password-file FILE"]);
    server.running.wait_for_stderr("unknown user or wrong password");
    ask(&server, folder, &[], &[]).expect(8, "").tells(&[
        "the peer's security mechanism is PLAIN, ours is NULL",
        "give a user name and a password",
        "give --user NAME and --password-file FILE",
    ]);
    // A refusal by one of several is not the end.
    let [endpoint, mute] = [server.endpoint.clone(), format!("tcp://127.0.0.1:{}", free_port())];
    let words = ["--timeout", "1", "--connect", &endpoint, "--connect", &mute, "ctime"];
    start_in(folder, &[], &words).wait().expect(5, "");
}

#[test]
fn what_a_server_does_not_ask_for_is_not_told_to_it() {
    let folder = TempDir::new().expect("a folder");
    let server = serve(folder.path(), &[]);
    ask(&server, folder.path(), &[("ZERORPC_PASSWORD", "lovelace")], &["--user", "ada"])
        .expect(8, "")
        .tells(&["the peer's security mechanism is NULL, ours is PLAIN", "leave --user out"]);
}

/// Two that both call, or both serve, are told so at once.
#[test]
fn who_calls_meets_who_serves() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    write(folder, "rules.toml", 0o600, "[ada]\nuser = 'ada'\npassword = 'lovelace'\n");
    let server = serve(folder, &["--authorized-keys", "rules.toml"]);
    let words = ["--server", &server.endpoint, "--authorized-keys", "rules.toml", "time"];
    start_in(folder, &[], &words).wait_for_stderr("both sides are servers of PLAIN");
    server.running.wait_for_stderr("both sides are servers of PLAIN");

    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let password = [("ZERORPC_PASSWORD", "lovelace")];
    let bound = ["--bind", &endpoint, "--user", "ada", "ctime"];
    let bound = start_in(folder, &password, &bound);
    bound.wait_for_stderr("binding to");
    let words = ["--user", "ada", &endpoint, "ctime"];
    let ended = start_in(folder, &password, &words).wait();
    ended.expect(8, "").tells(&["both sides are clients", "start one of the two with --server"]);
    bound.wait_for_stderr("both sides are clients");
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

#[test]
fn processes_come_in_by_their_user() {
    let folder = TempDir::new().expect("a folder");
    let own = rustix::process::getuid().as_raw();
    let (own, other) = (own.to_string(), (own + 1).to_string());
    for (flag, comes_in) in [(&own, true), (&other, false)] {
        let endpoint = format!("ipc://{}", folder.path().join("socket").display());
        let server = Server::at(&endpoint, &["--allow-uid", flag], "time");
        let ended = run([&endpoint, "strftime", "%%"]);
        if comes_in {
            ended.expect(0, "\"%\"\n");
        } else {
            ended.expect(8, "");
            server.running.wait_for_stderr(&format!("processes of uid {own} and gid"));
        }
    }
}
