//! What the server says on its standard error, and what callers are told.

use serde_json::{Value, json};
use zerorpc_tests::peers::{self, DialOptions, Interpreter, Peer};

use crate::support::{Served, Setup, each_python, newest, oldest};

each_python!(
    a_failure_is_logged_with_its_traceback,
    quiet_servers_log_no_failures,
    logging_appears_as_the_module_wants_it,
    a_failing_import_shows_the_modules_frames,
    a_syntax_of_another_python_is_called_that,
    errors_of_the_server_have_a_traceback_that_says_them,
    keyword_only_arguments_are_missed_by_name,
);

fn a_failure_is_logged_with_its_traceback(python: &Interpreter) {
    for flags in [&[][..], &["--threads", "2"]] {
        let server = Served::with(python, flags, "raising");
        server.failure("fail", json!(["plainly"]));
        server.failure("fail_later", json!(["later"]));
        let mut items =
            server.client().stream::<Value>("fail_streaming", ("in between",)).expect("ok");
        assert_eq!(items.next(), Some(Ok(json!(1))));
        assert!(items.next().is_some_and(|item| item.is_err()));
        server.failure("chained", json!([]));
        let ended = server.stop().expect(0, "").tells(&[
            "Traceback (most recent call last):",
            "raising.py\", line ",
            "in fail_later",
            "ValueError: plainly",
            "ValueError: later",
            "ValueError: in between",
            "KeyError: 'missing'",
            "RuntimeError: outer",
        ]);
        assert!(!ended.stderr.contains("<zerorpc>"), "{ended}");
        // Which method it was.
        assert!(ended.stderr.contains("fail_streaming"), "{ended}");
    }
}

fn quiet_servers_log_no_failures(python: &Interpreter) {
    let server = Served::with(python, &["--quiet"], "raising");
    let error = server.failure("fail", json!(["plainly"]));
    assert!(error.traceback.contains("raising.py"), "{error:?}");
    let ended = server.stop().expect(0, "");
    assert!(!ended.stderr.contains("plainly"), "{ended}");
}

fn logging_appears_as_the_module_wants_it(python: &Interpreter) {
    let server = Served::start(python, "raising");
    server.call("warn", json!(["hot"]));
    server.call("inform", json!(["cold"]));
    let ended = server.stop().expect(0, "").tells(&["attention: hot"]);
    let line = ended.stderr.lines().find(|line| line.contains("attention")).unwrap_or_default();
    assert!(line.contains("WARNING") && line.contains("shop.orders"), "{line}");

    let server = Served::start(python, "logging_itself");
    assert_eq!(server.call("note", json!(["this"])), json!("this"));
    let ended = server.stop().expect(0, "").tells(&["MINE DEBUG this", "printed this"]);
    assert_eq!(ended.stderr.matches("MINE DEBUG this").count(), 1, "{ended}");
}

fn a_failing_import_shows_the_modules_frames(python: &Interpreter) {
    let run = |module: &str| Setup::new(python, &[], module).run();
    run("broken_package").expect(6, "").tells(&[
        "KeyError: 'DB_URL'",
        "broken_package/__init__.py\", line 1",
        "broken_package/settings.py\", line 3",
        "URL = os.environ[\"DB_URL\"]",
    ]);
    run("broken_package.settings").expect(6, "").tells(&["settings.py\", line 3"]);
    let ended = run("broken_names").expect(6, "").tells(&[
        "JSONDecodeError",
        "broken_names.py\", line 8",
        "broken_names.py\", line 5, in load",
    ]);
    assert!(!ended.stderr.contains("<zerorpc>"), "{ended}");
    assert!(!ended.stderr.contains("importlib"), "{ended}");
    run("broken_class.Broken").expect(6, "").tells(&[
        "ConnectionError: nobody is there",
        "broken_class.py\", line 3",
        "broken_class.py\", line 6",
    ]);
}

fn a_syntax_of_another_python_is_called_that(python: &Interpreter) {
    let (major, minor) = python.version();
    let version = format!("Python {major}.{minor}");
    let run = |module: &str| Setup::new(python, &[], module).run().expect(6, "");
    run("old_syntax").tells(&["old_syntax.py", "line 2", &version]);
    if python.version() < (3, 11) {
        run("new_syntax").tells(&["new_syntax.py", "line 4", &version]);
    }
}

fn errors_of_the_server_have_a_traceback_that_says_them(python: &Interpreter) {
    let server = Served::start(python, "raising");
    for (method, args, name, parts) in [
        ("nothing", json!([]), "NameError", &["NameError", "nothing"][..]),
        ("_private", json!([]), "NameError", &["NameError", "_private"]),
        ("two", json!([]), "TypeError", &["TypeError", "first"]),
        ("two", json!([1, 2, 3]), "TypeError", &["TypeError", "two"]),
        ("_zerorpc_ping", json!([1]), "TypeError", &["TypeError", "_zerorpc_ping"]),
        ("_zerorpc_list", json!([1]), "TypeError", &["TypeError", "_zerorpc_list"]),
        ("_zerorpc_inspect", json!(["two", true]), "TypeError", &["TypeError"]),
        ("_zerorpc_help", json!([]), "TypeError", &["TypeError", "_zerorpc_help"]),
        ("_zerorpc_help", json!(["nothing"]), "", &["nothing"]),
    ] {
        let error = server.failure(method, args);
        assert!(name.is_empty() || error.name == name, "{error:?}");
        for part in parts {
            assert!(error.traceback.contains(part), "{part:?} is missing from {error:?}");
        }
    }
    assert_eq!(server.call("two", json!([1])), json!([1, 2]));
}

/// Python programs print an error's traceback, and nothing else.
#[test]
fn a_python_program_that_prints_an_error_prints_what_it_is() {
    let Some(python) = peers::python() else { return };
    let server = Served::start(newest(), "raising");
    let client = python.client(DialOptions::to(server.endpoint()));
    for (method, args, part) in [
        ("no_such_method", json!([]), "no_such_method"),
        ("two", json!([]), "first"),
        ("fail", json!(["bad luck"]), "bad luck"),
        ("_zerorpc_ping", json!([1]), "_zerorpc_ping"),
    ] {
        let error = client.call(method, args).expect_err("it fails");
        let traceback = error.traceback.unwrap_or_default();
        assert!(traceback.contains(part) && traceback.contains("Error"), "{method}: {traceback:?}");
    }
}

fn keyword_only_arguments_are_missed_by_name(python: &Interpreter) {
    let server = Served::start(python, "raising");
    for (method, args) in [("keyword_only", json!([1])), ("only_b", json!([]))] {
        let error = server.failure(method, args);
        assert_eq!(error.name, "TypeError");
        assert!(error.message.contains("keyword-only") && error.message.contains('b'), "{error:?}");
    }
}

/// Both ends of the range are the same Python where there is but one.
#[test]
fn there_are_an_oldest_and_a_newest_python() {
    assert!(oldest().version() <= newest().version());
}
