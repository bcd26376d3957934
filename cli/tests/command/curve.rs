//! The command with keys: encrypted, and open to those who are entered.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tempfile::TempDir;
use zerorpc::{Client, Error, KeyPair, Security, SocketOptions};
use zerorpc_tests::peers;

use crate::{
    keys::{keygen, python},
    security::{ask, serve, start_in, write},
    support::{Running, Server, free_port, until},
};

/// A folder with some keys.
fn folder(names: &[&str]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for name in names {
        assert!(keygen(folder.path(), name).is_success(), "{name}");
    }
    folder
}

#[test]
fn who_is_entered_comes_in() {
    let folder = folder(&["server", "ada", "bob"]);
    let folder = folder.path();
    fs::create_dir(folder.join("in")).expect("a folder");
    fs::copy(folder.join("ada.key"), folder.join("in/ada.key")).expect("a copy");
    let server = serve(folder, &["--key", "server.key_secret", "--authorized-keys", "in"]);
    let to_it = ["--server-key", "server.key"];
    let [as_ada, as_bob] =
        ["ada.key_secret", "bob.key_secret"].map(|key| [&to_it[..], &["--key", key]].concat());
    ask(&server, folder, &[], &as_ada).expect(0, "\"%\"\n");
    let text = fs::read_to_string(folder.join("server.key")).expect("a file");
    let key = text.split('"').nth(1).expect("a key");
    let variables = [("ZERORPC_KEY", "ada.key_secret"), ("ZERORPC_SERVER_KEY", key)];
    ask(&server, folder, &variables, &[]).expect(0, "\"%\"\n");

    // Nobody else: with another key, a new one, no key, or the expectation of another server.
    ask(&server, folder, &[], &as_bob).expect(8, "");
    server.running.wait_for_stderr("is not authorized");
    ask(&server, folder, &[], &to_it).expect(8, "").tells(&["give --key FILE with a key that"]);
    ask(&server, folder, &[], &[]).expect(8, "").tells(&[
        "mechanism is CURVE, ours is NULL",
        "give --server-key FILE (its .key) and --key FILE",
    ]);
    let password = [("ZERORPC_PASSWORD", "lovelace")];
    ask(&server, folder, &password, &["--user", "ada"])
        .expect(8, "")
        .tells(&["instead of --user give --server-key"]);
    let wrong = ["--key", "ada.key_secret", "--server-key", "bob.key"];
    ask(&server, folder, &[], &wrong).expect(8, "").tells(&["check --server-key"]);

    // It is seen at once who is entered, and who is not any more.
    fs::rename(folder.join("in/ada.key"), folder.join("in/bob.key")).expect("it can");
    fs::copy(folder.join("bob.key"), folder.join("in/bob.key")).expect("a copy");
    ask(&server, folder, &[], &as_bob).expect(0, "\"%\"\n");
    ask(&server, folder, &[], &as_ada).expect(8, "");
}

#[test]
fn any_key_does_where_that_is_said() {
    let folder = folder(&["server"]);
    let folder = folder.path();
    let server = serve(folder, &["--key", "server.key_secret", "--allow-any-key"]);
    ask(&server, folder, &[], &["--server-key", "server.key"]).expect(0, "\"%\"\n");
    ask(&server, folder, &[], &[]).expect(8, "");
    // A server that has no key is none that was expected.
    let open = serve(folder, &[]);
    ask(&open, folder, &[], &["--server-key", "server.key"])
        .expect(8, "")
        .tells(&["mechanism is NULL, ours is CURVE", "leave --server-key and --key out"]);
}

#[test]
fn the_side_that_serves_has_the_rules_also_when_it_connects() {
    let folder = folder(&["worker", "ada"]);
    let folder = folder.path();
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let words = ["--server", &endpoint, "--key", "worker.key_secret", "time"];
    let worker = start_in(folder, &[], &[&words[..], &["--authorized-keys", "ada.key"]].concat());
    let words = ["--bind", &endpoint, "--server-key", "worker.key", "--key", "ada.key_secret"];
    let words = [&words[..], &["strftime", "%%"]].concat();
    start_in(folder, &[], &words).wait().expect(0, "\"%\"\n");
    drop(worker);
}

#[test]
fn rules_say_what_may_be_called() {
    let folder = folder(&["server", "ada", "bob"]);
    let folder = folder.path();
    let rules =
        "[ada]\nkey = 'ada.key'\n[bob]\nkey = 'bob.key'\nallow = ['str*']\ndeny = 'strptime'\n";
    write(folder, "rules.toml", 0o644, rules);
    let server = serve(folder, &["--key", "server.key_secret", "--authorized-keys", "rules.toml"]);
    let call = |who: &str, words: &[&str]| {
        let key = format!("{who}.key_secret");
        let flags = ["--server-key", "server.key", "--key", &key, &server.endpoint];
        start_in(folder, &[], &[&flags[..], words].concat()).wait()
    };
    assert!(call("ada", &["strptime", "1999", "%Y"]).is_success());
    call("bob", &["strftime", "%%"]).expect(0, "\"%\"\n");
    for method in ["strptime", "ctime", "no_such_method"] {
        let refused = call("bob", &[method]).expect(1, "");
        assert!(refused.last_words().starts_with("PermissionDenied: bob may not"), "{refused}");
    }
    let (seen_by_ada, seen_by_bob) = (call("ada", &[]).stdout, call("bob", &[]).stdout);
    assert!(
        seen_by_ada.contains("\nctime ") && seen_by_ada.contains("\nstrptime "),
        "{seen_by_ada}"
    );
    let shown = |method: &str| seen_by_bob.lines().any(|line| line.starts_with(method));
    assert!(shown("strftime ") && !shown("strptime ") && !shown("ctime "), "{seen_by_bob}");
}

fn key(folder: &Path, name: &str) -> KeyPair {
    let text = fs::read_to_string(folder.join(name)).expect("a key file");
    let parts: Vec<_> = text.split('"').collect();
    let (public, secret) = (parts[1].parse(), parts[3].parse());
    KeyPair::new(public.expect("a key"), secret.expect("a key"))
}

#[test]
fn rights_are_lost_at_the_next_call() {
    let folder = folder(&["server", "ada", "bob"]);
    let folder = folder.path();
    write(folder, "rules.toml", 0o644, "[ada]\nkey = 'ada.key'\n");
    let server = serve(folder, &["--key", "server.key_secret", "--authorized-keys", "rules.toml"]);
    let security = Security::CurveClient {
        keys: key(folder, "ada.key_secret"),
        server: key(folder, "server.key_secret").public,
    };
    let client = Client::builder()
        .socket_options(SocketOptions::new().security(security))
        .connect(&server.endpoint)
        .build()
        .expect("a client");
    let call = || client.call::<String>("strftime", ("%%",));
    assert_eq!(call().expect("it may"), "%");

    // What is broken changes nothing, and is told.
    write(folder, "rules.toml", 0o644, "[ada]\nkey = 'ada.key'\nalow = []\n");
    until("the broken file is looked at", || {
        assert_eq!(call().expect("it still may"), "%");
        server.running.stderr().contains("rules.toml:3: unknown `alow`")
    });
    write(folder, "rules.toml", 0o644, "[bob]\nkey = 'bob.key'\n");
    until("the call is refused", || match call() {
        Ok(_) => false,
        Err(Error::Remote { error, .. }) => error.name == "PermissionDenied",
        Err(error) => panic!("{error}"),
    });
}

#[test]
fn keys_of_pyzmq_do() {
    let Some(peer) = peers::python() else { return };
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    let program = "\
import zmq.auth
for name in ['server', 'ada']:
    zmq.auth.create_certificates('.', name, metadata={'name': name})";
    python(&peer, folder, program);
    for name in ["server.key_secret", "ada.key_secret"] {
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o644)).expect("it can");
    }
    let words = ["--server", "--bind", "tcp://127.0.0.1:*", "time", "--authorized-keys", "ada.key"];
    let words = [&words[..], &["--key", "server.key_secret"]].concat();
    start_in(folder, &[], &words).wait().expect(7, "").tells(&[
        "holds a secret key, but others can read it",
        "`chmod 600 \"server.key_secret\"`",
    ]);
    for name in ["server.key_secret", "ada.key_secret"] {
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).expect("it can");
    }
    let server = Server::of(start_in(folder, &[], &words), "5");
    let flags = ["--key", "ada.key_secret", "--server-key", "server.key"];
    ask(&server, folder, &[], &flags).expect(0, "\"%\"\n");
}

#[test]
fn served_modules_know_who_calls() {
    let folder = folder(&["server", "ada", "bob"]);
    let folder = folder.path();
    let module = "from _zerorpc_bridge.calls import current_peer\n\
        def who():\n    return [current_peer().name, current_peer().mechanism, current_peer().key]\n\
        def whose():\n    yield who()\n";
    write(folder, "whom.py", 0o644, module);
    write(folder, "rules.toml", 0o644, "[ada]\nkey = 'ada.key'\n['bob@home']\nkey = 'bob.key'\n");
    let words = ["--server", "--bind", "tcp://127.0.0.1:*", "--key", "server.key_secret"];
    let words = [&words[..], &["--authorized-keys", "rules.toml", "whom"]].concat();
    let server = Server::of(start_in(folder, &[], &words), "5");
    for (own, name) in [("ada", "ada"), ("bob", "bob@home")] {
        let secret = format!("{own}.key_secret");
        let public = key(folder, &secret).public;
        for method in ["who", "whose"] {
            let words = ["--server-key", "server.key", "--key", &secret, &server.endpoint, method];
            let told = format!("[\"{name}\",\"CURVE\",\"{public}\"]\n");
            start_in(folder, &[], &words).wait().expect(0, &told);
        }
    }
}

/// A program that docs/security.md shows, which begins with its name.
fn program(name: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let text = fs::read_to_string(page).expect("the page is there");
    let block = text.split("```").find(|block| block.starts_with(&format!("python\n# {name}\n")));
    let block = block.unwrap_or_else(|| panic!("the page shows no {name}"));
    block.strip_prefix("python\n").expect("it begins so").to_owned()
}

#[test]
fn programs_of_the_page_call_and_are_called() {
    let Some(peer) = peers::python() else { return };
    let folder = folder(&["server", "ada"]);
    let folder = folder.path();
    let server = serve(folder, &["--key", "server.key_secret", "--authorized-keys", "ada.key"]);
    write(folder, "caller.py", 0o644, &program("caller.py"));
    let mut caller = peer.interpreter();
    caller.args(["caller.py", &server.endpoint]).current_dir(folder);
    let called = Running::start(caller).wait();
    assert!(called.is_success() && called.stdout.trim().len() == 4, "{called}");

    write(folder, "service.py", 0o644, &program("service.py"));
    let endpoint = format!("tcp://127.0.0.1:{}", free_port());
    let mut service = peer.interpreter();
    service.args(["service.py", &endpoint]).current_dir(folder);
    let service = Running::start(service);
    let flags = ["--key", "ada.key_secret", "--server-key", "server.key", &endpoint];
    start_in(folder, &[], &[&flags[..], &["strftime", "%%"]].concat()).wait().expect(0, "\"%\"\n");
    drop(service);
}
