//! Flags and variables, and what they mean together, as a table.

use std::fs;

use zerorpc::PublicKey;

use crate::{args::Flags, plan::Plan};

const KEY: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

/// Words, of which the first ones may be `VARIABLE=value`; all behind `zerorpc`.
fn resolve(line: &str) -> Result<String, String> {
    let is_variable = |word: &&str| word.starts_with("ZERORPC_");
    let variables: Vec<_> =
        line.split(' ').take_while(is_variable).filter_map(|word| word.split_once('=')).collect();
    let words = line.split(' ').skip_while(is_variable).map(Into::into);
    let flags = Flags::parse_from_argv(std::iter::once("zerorpc".into()).chain(words));
    let environment = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    };
    let plan = flags.and_then(|flags| Plan::resolve(flags, &environment).map_err(Flags::error));
    plan.map(|plan| format!("{:?}", plan.security)).map_err(|error| error.to_string())
}

#[test]
fn flags_and_variables_say_who_may_talk_to_whom() {
    for (line, expected) in [
        ("tcp://h:1", "None"),
        ("--server tcp://h:1 time", "None"),
        ("ZERORPC_KEY= ZERORPC_SERVER_KEY= tcp://h:1", "None"),
        // Clients.
        ("--server-key s.key tcp://h:1", "ServerKey { server: File(\"s.key\"), own: None }"),
        (
            "tcp://h:1 f --key me.key_secret --server-key=s.key",
            "ServerKey { server: File(\"s.key\"), own: Some(\"me.key_secret\") }",
        ),
        (
            &format!("ZERORPC_KEY=me.key_secret ZERORPC_SERVER_KEY={KEY} tcp://h:1"),
            &format!("ServerKey {{ server: Key(PublicKey({KEY})), own: Some(\"me.key_secret\") }}"),
        ),
        (
            "ZERORPC_SERVER_KEY=a.key --server-key b.key tcp://h:1",
            "ServerKey { server: File(\"b.key\"), own: None }",
        ),
        ("--user ada --password-file p tcp://h:1", "User { name: \"ada\", password: File(\"p\") }"),
        ("ZERORPC_PASSWORD=x --user ada tcp://h:1", "User { name: \"ada\", password: Text(..) }"),
        (
            "ZERORPC_PASSWORD=x ZERORPC_USER=ada --password-file p tcp://h:1",
            "User { name: \"ada\", password: File(\"p\") }",
        ),
        // What is for servers does not disturb clients, and the other way round.
        ("ZERORPC_AUTHORIZED_KEYS=d ZERORPC_ALLOW_UID=1 tcp://h:1", "None"),
        ("ZERORPC_SERVER_KEY=a.key ZERORPC_USER=ada --server tcp://h:1 time", "None"),
        // Servers.
        (
            "--server --bind tcp://*:1 --key s.key_secret --authorized-keys d time",
            "Admission { own: Some(\"s.key_secret\"), admission: Rules(\"d\") }",
        ),
        (
            "ZERORPC_KEY=s.key_secret ZERORPC_AUTHORIZED_KEYS=d --server tcp://h:1 time",
            "Admission { own: Some(\"s.key_secret\"), admission: Rules(\"d\") }",
        ),
        (
            "--server tcp://h:1 time --key s.key_secret --allow-any-key",
            "Admission { own: Some(\"s.key_secret\"), admission: AnyKey }",
        ),
        (
            "--server tcp://h:1 time --authorized-keys rules.toml",
            "Admission { own: None, admission: Rules(\"rules.toml\") }",
        ),
        (
            "--server --bind ipc://x time --allow-uid 1000,root --allow-uid 7 --allow-gid 50",
            "Admission { own: None, admission: Processes { uids: [1000, 0, 7], gids: [50] } }",
        ),
        (
            "ZERORPC_ALLOW_UID=1000,1001 --server --bind ipc://x time",
            "Admission { own: None, admission: Processes { uids: [1000, 1001], gids: [] } }",
        ),
    ] {
        assert_eq!(resolve(line).as_deref(), Ok(expected), "{line}");
    }
}

/// A path may have as many characters as a key, and no others.
#[test]
fn a_path_is_no_key_because_it_is_as_long_as_one() {
    let folder = tempfile::Builder::new().prefix("key").tempdir_in("/tmp").expect("a folder");
    let folder = folder.path().to_str().expect("a short name");
    let named =
        |ending: &str| format!("{folder}/{:k<1$}{ending}", "", 39 - folder.len() - ending.len());
    let is_file = |path: &str| {
        assert!(path.parse::<PublicKey>().is_ok(), "{path}");
        let plan = resolve(&format!("--server-key {path} tcp://h:1")).expect("a client");
        plan == format!("ServerKey {{ server: File({path:?}), own: None }}")
    };
    // One that is there, and one that is not, but is called as such files are.
    let there = named("");
    fs::write(&there, "").expect("a file");
    assert!(is_file(&there) && is_file(&named(".key")) && !is_file(&named(".pub")));
}

#[test]
fn what_does_not_protect_is_refused() {
    for (line, expected) in [
        ("--key k tcp://h:1", "--key goes with --server-key"),
        ("ZERORPC_KEY=k tcp://h:1", "ZERORPC_KEY goes with --server-key"),
        ("--server --key k tcp://h:1 time", "--key does not say who may come in: give --auth"),
        ("ZERORPC_KEY=k --server tcp://h:1 time", "ZERORPC_KEY does not say who may come in"),
        ("--server --allow-any-key tcp://h:1 time", "--allow-any-key goes with --key"),
        (
            "--server --key k --authorized-keys d --allow-any-key tcp://h:1 time",
            "--allow-any-key and --authorized-keys exclude each other",
        ),
        ("--user ada tcp://h:1", "--user needs a password"),
        ("ZERORPC_PASSWORD=x tcp://h:1", "ZERORPC_PASSWORD goes with --user"),
        ("--password-file p tcp://h:1", "--password-file goes with --user"),
        ("--user a --server-key k tcp://h:1", "--user and --server-key exclude each other"),
        ("ZERORPC_KEY=k --user a tcp://h:1", "--user and ZERORPC_KEY exclude each other"),
        (
            "ZERORPC_PASSWORD=x ZERORPC_PASSWORD_FILE=p --user a tcp://h:1",
            "ZERORPC_PASSWORD_FILE and ZERORPC_PASSWORD exclude each other",
        ),
        ("--authorized-keys d tcp://h:1", "--authorized-keys is for servers"),
        ("--allow-any-key tcp://h:1", "--allow-any-key is for servers"),
        ("--allow-uid 1 ipc://x", "--allow-uid is for servers"),
        ("--server --server-key k tcp://h:1 time", "--server-key is for clients"),
        ("--server --user a tcp://h:1 time", "--user is for clients"),
        ("--server --allow-uid 1 tcp://h:1 time", "nobody could come in at \"tcp://h:1\""),
        (
            "--server --allow-gid 1 --bind ipc://x --bind tcp://*:1 time",
            "--allow-gid works at ipc addresses alone",
        ),
        ("--server --allow-uid nobody-is-called-so ipc://x time", "no user or group"),
        ("--server --allow-uid 1 --key k ipc://x time", "--allow-uid and --key exclude each other"),
        (
            "--server --allow-uid 1 --authorized-keys d ipc://x time",
            "--allow-uid and --authorized-keys exclude each other",
        ),
        ("--keygen x tcp://h:1", "cannot be used with"),
        ("--password x --user a tcp://h:1", "a password does not belong on the command line"),
    ] {
        let error = resolve(line).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }
}
