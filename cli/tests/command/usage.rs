//! Command lines: what they mean to a running service, and which of them are refused.

use crate::support::{Server, ZERORPC, command, run};

#[test]
fn words_are_sorted_out() {
    let server = Server::start("workshop");
    let at = server.endpoint.as_str();
    for (args, printed) in [
        (&[at, "args"][..], "[]"),
        (&[at, "args", "1", "-1", "-1.5", "null"], r#"["1","-1","-1.5","null"]"#),
        (&["--json", at, "args", "1", "-1", "-1.5", "null"], "[1,-1,-1.5,null]"),
        // Flags may stand behind the words, or among them.
        (&[at, "args", "1", "--json"], "[1]"),
        (&[at, "-j", "args", "--timeout", "9", "1"], "[1]"),
        // With a link among the flags the first word is the command.
        (&["--connect", at, "args", at], &format!("[\"{at}\"]")),
        (&["--conn", at, "-j", "args", "2"], "[2]"),
        (&["args", "--connect", at, "x"], r#"["x"]"#),
        // Nothing behind `--` is a flag.
        (&[at, "args", "--", "-j", "--bind", "-pj"], r#"["-j","--bind","-pj"]"#),
        (&["-pj", at, "args", "-", ""], r#"["-",""]"#),
        (&["-j", at, "args", "{\"a b\": [1, {}]}"], r#"[{"a b":[1,{}]}]"#),
    ] {
        let ended = run(args).expect(0, &format!("{printed}\n"));
        assert_eq!(ended.stderr, format!("connecting to \"{at}\"\n"));
    }
    // An empty command is none.
    let list = server.ask(&[""]);
    assert!(list.stdout.starts_with("[workshop]\n"), "{list}");
}

#[test]
fn nonsense_is_refused() {
    for (args, reason) in [
        (&[][..], "an address is missing"),
        (&["--server"], "an address is missing"),
        (&["--server", "tcp://127.0.0.1:1"], "a module is missing"),
        (&["--server", "time"], "an address is missing: \"time\""),
        (&["--server", "--bind", "tcp://127.0.0.1:1"], "a module is missing"),
        (&["--server", "--bind", "tcp://127.0.0.1:1", "time", "os"], "a server takes one module"),
        (&["--client", "--server", "--bind", "tcp://127.0.0.1:1", "time"], "cannot be used with"),
        (&["--bind"], "a value is required"),
        (&["--nonsense", "tcp://127.0.0.1:1"], "unexpected argument '--nonsense'"),
        (&["--timeout", "soon", "tcp://127.0.0.1:1"], "a number of seconds"),
        (&["--heartbeat", "off", "tcp://127.0.0.1:1"], "or 0 or none"),
        (&["--pool-size", "0", "tcp://127.0.0.1:1"], "at least 1"),
        (&["--json", "tcp://127.0.0.1:1", "f", "1", "nan"], "parameter 2 (\"nan\")"),
        (&["--json", "tcp://127.0.0.1:1", "f", "99999999999999999999"], "fit into 64 bits"),
        (&["--json", "tcp://127.0.0.1:1", "f", "{\"$bin\": 1}"], "base64"),
    ] {
        let ended = run(args).expect(2, "").tells(&[reason, "--help"]);
        assert!(ended.stderr.starts_with("error: "), "{ended}");
    }
}

#[test]
fn help_and_version_are_results() {
    for program in [ZERORPC, env!("CARGO_BIN_EXE_zerorpc-client")] {
        let help = crate::support::Running::start(command(program, ["--help"])).wait();
        for part in ["--pool-size <N>", "Exit codes:", "$timestamp", "--server --bind tcp://*:1234"]
        {
            assert!(help.stdout.contains(part), "{part} is missing from {help}");
        }
        help.expect_success_alone();
    }
    let version = concat!("zerorpc ", env!("CARGO_PKG_VERSION"), "\n");
    run(["--version"]).expect(0, version).expect_success_alone();
    run(["-h"]).expect_success_alone();
}
