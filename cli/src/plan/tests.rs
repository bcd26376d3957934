//! Command lines and what they mean, as two tables.

use std::{ffi::OsString, fmt::Write};

use rmpv::Value;

use super::{Link, Plan, Role, Task};
use crate::{args::Flags, exit::Exit, inspect::Question, render::json};

/// Splits at spaces, and at nothing else.
fn plan(line: &str) -> Result<Plan, clap::Error> {
    plan_of(line.split_whitespace().map(OsString::from))
}

fn plan_of(words: impl Iterator<Item = OsString>) -> Result<Plan, clap::Error> {
    let argv = std::iter::once("zerorpc".into()).chain(words);
    Plan::resolve(Flags::parse_from_argv(argv)?, &|_| None).map_err(Flags::error)
}

/// A plan on one line; what has its default value is left out.
fn summary(plan: &Plan) -> String {
    let mut line = String::new();
    let mut add = |text: &dyn std::fmt::Display| write!(line, "{text} ").expect("memory");
    for link in &plan.links {
        match link {
            Link::Bind(address) => add(&format_args!("<{address}")),
            Link::Connect(address) => add(&format_args!(">{address}")),
        }
    }
    match plan.heartbeat {
        Some(interval) if interval.as_millis() == 5000 => {}
        Some(interval) => add(&format_args!("beat={interval:?}")),
        None => add(&"beat=none"),
    }
    match plan.keepalive {
        Some(interval) if interval.as_millis() == 15_000 => {}
        Some(interval) => add(&format_args!("keepalive={interval:?}")),
        None => add(&"keepalive=none"),
    }
    if let Some(mode) = plan.ipc.mode {
        add(&format_args!("mode={mode:o}"));
    }
    if let Some(group) = &plan.ipc.group {
        add(&format_args!("group={group}"));
    }
    match &plan.role {
        Role::Server(server) => {
            add(&format_args!("serve {}", server.module));
            if server.pool_size.get() != zerorpc::DEFAULT_POOL_SIZE {
                add(&format_args!("pool={}", server.pool_size));
            }
            if server.max_memory != 1 << 30 {
                add(&format_args!("memory={}", server.max_memory));
            }
        }
        Role::Client(client) => {
            match &client.task {
                Task::Inspect(Question::List) => add(&"list"),
                Task::Inspect(Question::Signatures) => add(&"signatures"),
                Task::Inspect(Question::Describe(method)) => {
                    add(&format_args!("describe {method}"));
                }
                Task::Call { method, params } => {
                    let params = json::to_string(&Value::Array(params.clone()));
                    add(&format_args!("call {method} {params}"));
                }
            }
            if client.timeout.as_millis() != 30_000 {
                add(&format_args!("timeout={:?}", client.timeout));
            }
            if client.active_heartbeat {
                add(&"active");
            }
            if client.layout == crate::render::StreamLayout::Array {
                add(&"array");
            }
        }
    }
    line.trim_end().to_owned()
}

#[test]
fn command_lines_mean() {
    for (line, meaning) in [
        // The sessions of the first README.
        ("--server --bind tcp://0:1234 time", "<tcp://0:1234 serve time"),
        (
            "--client --connect tcp://0:1234 strftime %Y/%m/%d",
            r#">tcp://0:1234 call strftime ["%Y/%m/%d"]"#,
        ),
        ("--connect tcp://0:1234 strftime %Y/%m/%d", r#">tcp://0:1234 call strftime ["%Y/%m/%d"]"#),
        ("tcp://0:1234 strftime %Y/%m/%d", r#">tcp://0:1234 call strftime ["%Y/%m/%d"]"#),
        ("tcp://0:1234", ">tcp://0:1234 list"),
        ("tcp://0:1234 sleep 3", r#">tcp://0:1234 call sleep ["3"]"#),
        ("--json tcp://0:1234 sleep 3", ">tcp://0:1234 call sleep [3]"),
        ("--bind tcp://0:1234 localtime", "<tcp://0:1234 call localtime []"),
        ("--server tcp://0:1234 time", ">tcp://0:1234 serve time"),
        (
            "--server --bind tcp://0:1234 --bind ipc:///tmp/time time",
            "<tcp://0:1234 <ipc:///tmp/time serve time",
        ),
        // Shuffling: an address among the words only without --bind and --connect.
        ("--server --connect c --bind b1 --connect d --bind b2 m", "<b1 <b2 >c >d serve m"),
        ("--connect c --bind b", "<b >c list"),
        ("--client e", ">e list"),
        ("e f 1 2", r#">e call f ["1","2"]"#),
        ("--bind b f 1 2", r#"<b call f ["1","2"]"#),
        // Flags may stand anywhere, be shortened, be repeated.
        ("e f 1 -j", ">e call f [1]"),
        ("e -j f 1", ">e call f [1]"),
        ("e f -j 1 -pj 2", ">e call f [1,2] array"),
        ("--conn c --time 1 --heart 2 f", ">c beat=2s call f [] timeout=1s"),
        ("--timeout 1 --timeout 0.5 e", ">e list timeout=500ms"),
        ("--timeout=7 --heartbeat=0.25 --active-hb e", ">e beat=250ms list timeout=7s active"),
        ("--heartbeat 0 e", ">e beat=none list"),
        ("--heartbeat none --server --bind b m", "<b beat=none serve m"),
        ("--keepalive 60 e", ">e keepalive=60s list"),
        ("--keep 0 --server --bind b m", "<b keepalive=none serve m"),
        ("--ipc-mode 660 --ipc-group staff --server --bind b m", "<b mode=660 group=staff serve m"),
        ("--ipc-mode 0o600 --ipc-g 12 --bind b", "<b mode=600 group=12 list"),
        ("--print-json e f", ">e call f [] array"),
        ("-pj e f", ">e call f [] array"),
        ("-jd e f 1", ">e call f [1]"),
        ("--server --pool-size 3 --bind b pkg.mod.Class", "<b serve pkg.mod.Class pool=3"),
        ("--server --timeout 9 --json -? --bind b m", "<b serve m"),
        // Inspection.
        ("-? e", ">e signatures"),
        ("e -?", ">e signatures"),
        ("--inspect e f", ">e describe f"),
        ("--inspect e f ignored", ">e describe f"),
        ("--inspect --connect c f", ">c describe f"),
        // Parameters that look like flags.
        ("e f -1 -1.5 -1e5 -", r#">e call f ["-1","-1.5","-1e5","-"]"#),
        ("-j e f -1 -1.5", ">e call f [-1,-1.5]"),
        ("e f -- -pj --json -x", r#">e call f ["-pj","--json","-x"]"#),
        ("-- e f -j", r#">e call f ["-j"]"#),
        (r#"-j e f {"$bin":"AA=="} [1,null]"#, r#">e call f [{"$bin":"AA=="},[1,null]]"#),
    ] {
        let plan = plan(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(summary(&plan), meaning, "{line}");
    }
}

#[test]
fn an_empty_command_lists() {
    for (words, meaning) in [
        (vec!["e", ""], ">e list"),
        (vec!["-?", "e", ""], ">e signatures"),
        (vec!["--bind", "b", "", "ignored"], "<b list"),
        (vec!["e", "f", ""], r#">e call f [""]"#),
    ] {
        let plan = plan_of(words.iter().map(OsString::from)).expect("a plan");
        assert_eq!(summary(&plan), meaning);
    }
}

#[test]
fn senseless_command_lines_are_refused() {
    for (line, reason) in [
        ("", "an address is missing"),
        ("--json", "an address is missing"),
        ("--server", "an address is missing"),
        ("--server --bind b", "a module is missing"),
        ("--server tcp://e:1", "a module is missing"),
        ("--server 127.0.0.1:1", "a module is missing"),
        ("--server time", "an address is missing: \"time\" stands in its place"),
        ("--server e m n", "\"n\" is too much"),
        ("--client --server --bind b m", "cannot be used with"),
        ("--timeout 0 e", "'--timeout <SECONDS>': it must be a number of seconds from 0.001"),
        ("--timeout -1 e", "'--timeout <SECONDS>': it must be a number of seconds from 0.001"),
        ("--timeout nan e", "it must be a number of seconds"),
        ("--timeout inf e", "it must be a number of seconds"),
        ("--timeout 1e19 e", "it must be a number of seconds"),
        ("--timeout soon e", "it must be a number of seconds"),
        ("--heartbeat -1 e", "'--heartbeat <SECONDS>': it must be"),
        ("--heartbeat off e", "it must be a number of seconds, or 0 or none"),
        ("--keepalive often e", "it must be a number of seconds, or 0 or none"),
        ("--ipc-mode 888 e", "an octal number from 0 to 777, such as 660"),
        ("--ipc-mode 1777 e", "an octal number from 0 to 777"),
        ("--ipc-mode rw e", "an octal number from 0 to 777"),
        ("--pool-size 0 --server e m", "at least 1"),
        ("--connect", "a value is required"),
        ("--c x", "--c"),
        ("--frobnicate e", "--frobnicate"),
        ("e f -x", "-x"),
        ("-j e f 1 hello", "parameter 2 (\"hello\") is not usable JSON: expected"),
        (
            "-j e f {\"$bin\":1}",
            "parameter 1 (\"{\\\"$bin\\\":1}\") is not usable JSON: \"$bin\" must",
        ),
    ] {
        let error = plan(line).map(|plan| summary(&plan)).expect_err(line);
        let text = error.to_string();
        assert!(text.contains(reason), "{line}: {text:?} lacks {reason:?}");
        assert_eq!(error.exit_code(), Exit::Usage as i32, "{line}");
    }
}

#[cfg(unix)]
#[test]
fn names_must_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let odd = || OsString::from_vec(b"\xff".to_vec());
    for (words, what) in [
        (vec![odd()], "address"),
        (vec!["e".into(), odd()], "command"),
        (vec!["--server".into(), "e".into(), odd()], "module"),
    ] {
        let text =
            plan_of(words.into_iter()).map(|plan| summary(&plan)).expect_err(what).to_string();
        assert!(text.contains(&format!("the {what} \"\\xFF\" is not valid UTF-8")), "{text}");
    }
}
