//! The methods that every service has: they are answered beside everything else.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use zerorpc_tests::peers::Interpreter;

use crate::support::{Served, each_python, folder, until};

each_python!(
    built_ins_never_wait_behind_the_module,
    built_ins_never_wait_for_the_pool,
    signatures_are_shown_whole,
    surplus_arguments_are_refused,
);

fn ask_all(server: &Served) {
    let client = server.new_client();
    let began = std::time::Instant::now();
    for _ in 0..20 {
        let ping = client.call::<Value>("_zerorpc_ping", ()).expect("it is answered");
        assert_eq!(ping, json!(["pong", "busy"]));
    }
    assert_eq!(client.call::<String>("_zerorpc_name", ()), Ok("busy".to_owned()));
    let listed = client.call::<Vec<String>>("_zerorpc_list", ()).expect("it is answered");
    assert!(listed.contains(&"echo".to_owned()), "{listed:?}");
    let help = client.call::<String>("_zerorpc_help", ("echo",));
    assert_eq!(help, Ok("Gives back what it gets.".to_owned()));
    let inspected = client.call::<Value>("_zerorpc_inspect", ()).expect("it is answered");
    assert_eq!(inspected["name"], "busy");
    let listed = server.server.ask(&[]);
    assert!(listed.stdout.starts_with("[busy]\n"), "{listed}");
    assert!(began.elapsed().as_secs() < 20, "it took {:?}", began.elapsed());
}

fn built_ins_never_wait_behind_the_module(python: &Interpreter) {
    let folder = folder();
    let server = Served::start(python, "busy");
    for method in ["sleep", "compute", "hold_gil"] {
        let begun = folder.path().join(method);
        let call = server.begin(method, json!([begun.to_str(), 1.5]));
        until("it has begun", || begun.exists());
        ask_all(&server);
        call.value();
    }
    let pid = server.pid();
    kill_process(pid, Signal::STOP).expect("it runs");
    let waiting = server.begin("echo", json!([1]));
    ask_all(&server);
    kill_process(pid, Signal::CONT).expect("it is there");
    assert_eq!(waiting.value(), json!(1));
}

fn built_ins_never_wait_for_the_pool(python: &Interpreter) {
    let folder = folder();
    for flags in [&["--pool-size", "1"][..], &["--pool-size", "1", "--threads", "1"]] {
        let server = Served::with(python, flags, "busy");
        let begun = folder.path().join(flags.len().to_string());
        let call = server.begin("sleep", json!([begun.to_str(), 1.5]));
        until("it has begun", || begun.exists());
        // Many that wait for a place.
        let waiting = [(); 20].map(|()| server.client().start::<Value>("echo", (1,)));
        ask_all(&server);
        assert_eq!(call.value(), json!("slept"));
        for call in waiting {
            assert_eq!(call.and_then(zerorpc::Pending::wait), Ok(json!(1)));
        }
    }
}

fn signatures_are_shown_whole(python: &Interpreter) {
    let server = Served::start(python, "raising");
    let shown = server.server.ask(&["--inspect"]);
    for line in [
        "\neverything(*a, **k)\n",
        "\nkeyword_only(a, *args, b, c=3, **more)\n",
        "\nonly_b(*, b)\n",
        "\npositions(a, b=1, *, c=2, **rest)\n",
        "\ntwo(first, second=2)\n",
        "\nannotated(a, *rest, flag=",
    ] {
        assert!(shown.stdout.contains(line), "{line:?} is missing from {shown}");
    }
    server
        .server
        .ask(&["--inspect", "everything"])
        .expect(0, "[raising]\neverything(*a, **k)\n\nTakes everything.\n\n");
}

fn surplus_arguments_are_refused(python: &Interpreter) {
    let server = Served::start(python, "busy");
    for (method, args) in [
        ("_zerorpc_ping", json!([1])),
        ("_zerorpc_name", json!([1])),
        ("_zerorpc_list", json!([1])),
        ("_zerorpc_help", json!(["echo", 1])),
        ("_zerorpc_args", json!(["echo", 1])),
        ("_zerorpc_inspect", json!(["echo", true])),
    ] {
        let error = server.failure(method, args);
        assert_eq!(error.name, "TypeError", "{method}");
        assert!(error.message.contains(method), "{error:?}");
    }
}
