//! The sessions of the first README, under the name that the command had then.

use tempfile::TempDir;

use crate::support::{Ended, Running, command, free_port};

fn start(line: &str) -> Running {
    Running::start(command(env!("CARGO_BIN_EXE_zerorpc-client"), line.split(' ')))
}

fn run(line: &str) -> Ended {
    start(line).wait()
}

fn serve(line: &str) -> Running {
    let server = start(line);
    server.wait_for_stderr("serving \"time\"\n");
    server
}

/// Checks that the result is nine numbers, the year first.
#[track_caller]
fn is_local_time(ended: &Ended) {
    let numbers: Vec<i64> = serde_json::from_str(&ended.stdout).unwrap_or_default();
    assert!(numbers.len() == 9 && numbers[0] > 2025, "{ended}");
}

#[test]
fn a_module_is_served_and_called() {
    let port = free_port();
    let _server = serve(&format!("--server --bind tcp://0:{port} time"));
    for (link, address) in [
        ("--client --connect ", format!("tcp://0:{port}")),
        ("--connect ", format!("tcp://0:{port}")),
        ("", format!("tcp://0:{port}")),
        ("", format!("tcp://127.0.0.1:{port}")),
        ("", format!("tcp://localhost:{port}")),
    ] {
        let ended = run(&format!("{link}{address} strftime %Y/%m/%d"));
        let digits = ended.stdout.replace(|c: char| c.is_ascii_digit(), "d");
        assert_eq!(digits, "\"dddd/dd/dd\"\n", "{ended}");
        assert_eq!(ended.stderr, format!("connecting to \"{address}\"\n"));
    }

    let ended = run(&format!("tcp://0:{port}"));
    let list: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(list[0], "[time]", "{ended}");
    let sleep = list.iter().find_map(|line| line.strip_prefix("sleep ")).expect("it is listed");
    assert_eq!(sleep.trim_start(), "sleep(seconds)");
    let column = list[1].find("asctime([tuple]) -> string").expect("it is the first");
    let strftime = list.iter().find(|line| line.starts_with("strftime ")).expect("it is listed");
    assert_eq!(strftime.find("strftime(format[, tuple]) -> string"), Some(column), "{ended}");

    let ended = run(&format!("tcp://0:{port} sleep 3")).expect(1, "");
    assert!(ended.stderr.contains("\nTraceback (most recent call last):\n"), "{ended}");
    assert!(ended.last_words().starts_with("TypeError: 'str' object"), "{ended}");

    let began = std::time::Instant::now();
    run(&format!("--json tcp://0:{port} sleep 1")).expect(0, "null\n");
    assert!(began.elapsed().as_secs() >= 1);
}

#[test]
fn a_worker_serves_one_bound_client_after_the_other() {
    let port = free_port();
    let client = start(&format!("--bind tcp://0:{port} localtime"));
    assert_eq!(client.wait_for_stderr("\n"), format!("binding to \"tcp://0:{port}\"\n"));

    let _worker = serve(&format!("--server tcp://127.0.0.1:{port} time"));
    is_local_time(&client.wait());
    is_local_time(&run(&format!("--bind tcp://0:{port} localtime")));
    // The asterisk is the other way to say "all interfaces".
    run(&format!("--json --bind tcp://*:{port} sleep 0")).expect(0, "null\n");
}

#[test]
fn a_server_has_any_number_of_addresses() {
    let folder = TempDir::new().expect("a temporary folder");
    let socket = format!("ipc://{}/time", folder.path().display());
    let port = free_port();
    let server = serve(&format!("--server --bind tcp://0:{port} --bind {socket} time"));
    is_local_time(&run(&format!("tcp://0:{port} localtime")));
    is_local_time(&run(&format!("{socket} localtime")));
    assert_eq!(
        server.wait_for_stderr("serving"),
        format!("binding to \"tcp://0:{port}\"\nbinding to \"{socket}\"\nserving \"time\"\n")
    );
}

#[test]
fn a_server_is_bound_and_a_worker_of_several_queues() {
    let [port, running, dead] = [free_port(), free_port(), free_port()];
    let _server = serve(&format!(
        "--server --connect tcp://127.0.0.1:{dead} --bind tcp://0:{port} \
         --connect tcp://127.0.0.1:{running} time"
    ));
    is_local_time(&run(&format!("--bind tcp://0:{running} localtime")));
    is_local_time(&run(&format!("tcp://0:{port} localtime")));
    // The queue that was not running is served as soon as it does.
    is_local_time(&run(&format!("--bind tcp://0:{dead} localtime")));
}
