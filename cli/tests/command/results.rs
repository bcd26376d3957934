//! What goes to standard output, and when.

use std::{ffi::OsStr, fs::File, os::unix::ffi::OsStrExt};

use crate::{
    process::Process,
    support::{Running, Server, ZERORPC, command, free_port, run, start},
};

#[test]
fn every_value_has_a_form_and_comes_back() {
    let server = Server::start("workshop");
    for form in [
        "null",
        "true",
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
        "1.0",
        "-0.0",
        "1e+300",
        r#"{"$float":"nan"}"#,
        r#"[{"$float":"inf"},{"$float":"-inf"}]"#,
        "\"\"",
        r#""é 世 \" \\ \n \u0001""#,
        r#"{"$bin":""}"#,
        r#"{"a":{"$bin":"3q2+7w=="}}"#,
        r#"{"$timestamp":[1700000000,5000]}"#,
        "[]",
        "{}",
        "[[[]],{\"z\":1,\"a\":{}}]",
        r#"{"$map":[[1,"one"],[null,[2]],[{"$bin":"AA=="},{"$float":"nan"}]]}"#,
        r#"{"$map":[["$bin","no form"]]}"#,
    ] {
        server.ask(&["-j", "echo", form]).expect(0, &format!("{form}\n"));
    }
}

#[test]
fn large_values_and_words_that_are_no_text_arrive_too() {
    let server = Server::start("workshop");
    let ended = server.ask(&["--json", "blob", "30000000"]);
    assert_eq!(ended.stdout.len(), "{\"$bin\":\"\"}\n".len() + 40_000_000);

    let link = [OsStr::new(&server.endpoint), OsStr::new("echo")];
    run(link.iter().chain(&[OsStr::from_bytes(b"\xff")])).expect(0, "{\"$bin\":\"/w==\"}\n");
}

#[test]
fn results_that_cannot_be_written_are_told() {
    let server = Server::start("workshop");
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut client = Process::start(command(ZERORPC, [&server.endpoint, "pid"]).stdout(full));
    assert_eq!(client.wait().map(|status| status.code()), Ok(Some(7)));
}

#[test]
fn streams_are_printed_in_both_layouts() {
    let server = Server::start("workshop");
    for (words, printed) in [
        (&["numbers", "3"][..], "0\n1\n2\n"),
        (&["marked", "2"], "0\n1\n"),
        (&["async_numbers", "2"], "0\n1\n"),
        (&["numbers", "0"], ""),
        (&["--print-json", "numbers", "3"], "[0,1,2]\n"),
        (&["-pj", "numbers", "0"], "[]\n"),
        (&["-pj", "echo", "1"], "1\n"),
    ] {
        server.ask(&[&["--json"], words].concat()).expect(0, printed);
    }
    // What is printed stays well-formed when the stream fails.
    for (words, printed) in [
        (&["failing", "2"][..], "0\n1\n"),
        (&["-pj", "failing", "2"], "[0,1]\n"),
        (&["-pj", "failing", "0"], ""),
    ] {
        let ended = server.ask(&[&["--json"], words].concat()).expect(1, printed);
        assert!(ended.last_words().starts_with("ValueError: after "), "{ended}");
    }
    let many: String = (0..2000).map(|number| format!("{number}\n")).collect();
    server.ask(&["-j", "numbers", "2000"]).expect(0, &many);
}

#[test]
fn items_are_printed_as_they_arrive() {
    let server = Server::in_threads("workshop");
    let lines = server.start_client(&["gated"]);
    let array = server.start_client(&["-pj", "gated"]);
    assert_eq!(lines.wait_for_stdout("1\n"), "1\n");
    assert_eq!(array.wait_for_stdout("1"), "[1");

    server.ask(&["open_gate"]).expect(0, "null\n");
    lines.wait().expect(0, "1\n2\n");
    array.wait().expect(0, "[1,2]\n");
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let server = Server::beating("0.5", &[], "workshop");
    let mut shell = command("sh", ["-c", "\"$0\" \"$@\" | head -1"]);
    shell.args([ZERORPC, "--heartbeat", "0.5", &server.endpoint, "endless"]);
    let ended = Running::start(shell).wait().expect(0, "\"item\"\n");
    assert_eq!(ended.stderr, format!("connecting to \"{}\"\n", server.endpoint));
    // The generator does not run on for nobody.
    server.ask(&["wait_closed"]).expect(0, "true\n");
}

#[test]
fn methods_are_listed_and_described() {
    let server = Server::start("workshop");
    let list = server.ask(&[]);
    for line in [
        "[workshop]\n",
        "\nargs          <undocumented>\n",
        "\ndocumented    Three parameters.\n",
        "\necho          Gives back what it gets.\n",
    ] {
        assert!(list.stdout.contains(line), "{line:?} is missing from {list}");
    }
    let signatures = server.ask(&["--inspect"]);
    for line in ["[workshop]\n", "\ndocumented(a, b=2, c=text)\n", "\necho(value)\n", "\npid()\n"] {
        assert!(signatures.stdout.contains(line), "{line:?} is missing from {signatures}");
    }
    let echo = "[workshop]\necho(value)\n\nGives back what it gets.\n\nWhatever that is.\n\n";
    server.ask(&["-?", "echo"]).expect(0, echo);
    let undocumented = "[workshop]\nundocumented()\n\n<undocumented>\n\n";
    server.ask(&["--inspect", "undocumented"]).expect(0, undocumented);
    server.ask(&["-?", "nothing"]).expect(0, "No documentation for \"nothing\".\n");
}

#[test]
fn debugging_shows_events_and_leaves_results_alone() {
    let port = free_port();
    let address = format!("tcp://127.0.0.1:{port}");
    let server = start(["-d", "--server", "--bind", &address, "workshop"]);
    server.wait_for_stderr("serving \"workshop\"");
    let ended = run(["--debug", &address, "echo", "hello"]).expect(0, "\"hello\"\n");
    ended.tells(&["DEBUG", "echo", "OK"]);
    let said = server.wait_for_stderr(" OK ");
    assert!(said.contains("echo"), "{said}");
}
