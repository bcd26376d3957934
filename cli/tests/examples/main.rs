//! The examples of all crates, run beside the command: it calls their servers, and their clients call its servers.

mod analysing;
mod embedded;
mod guide;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/running.rs"]
mod running;
mod support;

use support::{Running, example, serve, zerorpc};

/// Starts an example that serves, and tells where it does.
fn start(name: &str, args: &[&str]) -> (Running, String) {
    let server = example(name, args);
    let endpoint = server.says("serving at ");
    (server, endpoint)
}

const ANYWHERE: &str = "tcp://127.0.0.1:*";

#[test]
fn the_command_calls_the_calculator() {
    let (_server, endpoint) = start("calculator", &["serve", ANYWHERE]);
    let ask = |words: &[&str]| zerorpc(&[&["--json", endpoint.as_str()], words].concat());

    assert_eq!(ask(&["add", "20", "22"]).succeed(), "42\n");
    assert_eq!(ask(&["divide", "1", "4"]).succeed(), "0.25\n");
    let failed = ask(&["divide", "1", "0"]).fail(1);
    assert!(failed.contains("ZeroDivisionError: division by zero"), "{failed}");
    let failed = ask(&["parse", "\"many\""]).fail(1);
    assert!(failed.contains("ParseIntError: invalid digit"), "{failed}");
    let listed = ask(&[]).succeed();
    assert!(listed.starts_with("[calculator]\n"), "{listed}");
    assert!(listed.contains("How often b is in a."), "{listed}");
}

#[test]
fn the_calculator_calls_itself_and_a_module() {
    let (_example, itself) = start("calculator", &["serve", ANYWHERE]);
    let (_command, module) = serve("calculator");
    for endpoint in [itself, module] {
        assert_eq!(
            example("calculator", &["call", &endpoint]).succeed(),
            "20 + 22 = 42\n1 / 4 = 0.25\n1 / 0: ZeroDivisionError: division by zero\n",
            "{endpoint}"
        );
    }
}

#[test]
fn the_command_reads_streams_of_the_example() {
    let (server, endpoint) = start("streaming", &["serve", ANYWHERE]);
    assert_eq!(zerorpc(&["--json", &endpoint, "count", "3"]).succeed(), "0\n1\n2\n");
    let failed = zerorpc(&["--json", &endpoint, "countdown", "2"]).fail(1);
    assert!(failed.contains("Liftoff: nobody counts any further"), "{failed}");

    let endless = zerorpc(&[&endpoint, "forever"]);
    endless.says("1000");
    drop(endless);
    server.says("a reader is gone");
}

#[test]
fn the_example_reads_streams_of_its_own_and_of_a_module() {
    let (_example, itself) = start("streaming", &["serve", ANYWHERE]);
    let (_command, module) = serve("counter");
    for endpoint in [itself, module] {
        assert_eq!(
            example("streaming", &["read", &endpoint]).succeed(),
            "the sum of count(1000) is 499500\n\
             countdown: 3\ncountdown: 2\ncountdown: 1\ncountdown: nobody counts any further\n\
             forever: 0\nforever: 1\nforever: 2\n",
            "{endpoint}"
        );
    }
}

#[test]
fn the_async_client_calls_its_own_server_and_a_module() {
    let (_command, module) = serve("squares");
    for args in [&[][..], &[module.as_str()]] {
        let expected = "100 calls, the sum of their answers is 328350\n1000 items\n";
        assert_eq!(example("async_client", args).succeed(), expected, "{args:?}");
    }
}

#[test]
fn the_client_of_many_servers_uses_all_of_them() {
    let (_one, one) = serve("somebody");
    let (_two, two) = serve("somebody");
    for others in [&[][..], &[one.as_str(), two.as_str()]] {
        let said = example("many_servers", others).succeed();
        let (mut lines, mut total) = (said.lines(), 0);
        for line in lines.by_ref().filter(|line| line.ends_with('}')) {
            let counts = line.trim_end_matches('}').split(", ");
            let counts = counts.filter_map(|count| count.rsplit(": ").next()?.parse::<u32>().ok());
            total += counts.sum::<u32>();
        }
        assert_eq!(total, 90, "each call was answered once: {said}");
        assert!(said.contains("meanwhile: 30 answers of 30, all in time: true"), "{said}");
        assert!(said.contains("without the first: {"), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(!last.contains("\"the second\""), "{said}");
        // Those that were up already may have taken all calls before the third was.
        let expected = if others.is_empty() { "\"the third\"" } else { "\"a snake\"" };
        assert!(last.contains(expected), "{said}");
    }
}

#[test]
fn in_virtual_time_a_stream_is_quick_and_a_lost_peer_is_found_out() {
    let said = example("virtual_time", &[]).succeed();
    for line in [
        " 0.025 s  server: is asked for count\n",
        // How soon is a matter of how the window grows: the example itself checks that it is within a second.
        " s  client: answer 1001 is the last: End\n",
        "25.000 s  39 beats in 20 s, of both sides\n",
        "26.050 s  client: answer 1 is the last: Lost(Silent { after: 2s })\n",
        "27.025 s  server: a request is lost: Lost remote after 2s heartbeat\n",
    ] {
        assert!(said.contains(line), "{line:?} is missing from\n{said}");
    }
}

#[test]
fn loops_over_poll_serve_the_command_and_call_it() {
    let (_server, endpoint) = start("poll_server", &["127.0.0.1:0"]);
    let ask = |words: &[&str]| zerorpc(&[&["--json", endpoint.as_str()], words].concat());
    assert_eq!(ask(&["add", "20", "22"]).succeed(), "42\n");
    assert_eq!(ask(&["count", "3"]).succeed(), "0\n1\n2\n");
    let failed = ask(&["nothing"]).fail(1);
    assert!(failed.contains("NameError: nothing"), "{failed}");

    let (_command, module) = serve("counter");
    for endpoint in [endpoint, module] {
        let counted = example("poll_client", &[&endpoint, "count", "1000"]).succeed();
        assert_eq!(counted.lines().count(), 1000, "{endpoint}");
    }
}
