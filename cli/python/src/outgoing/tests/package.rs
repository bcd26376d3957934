//! The package `zerorpc` of served code, at the other end of two pipes.

use std::{
    env,
    io::{BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{super::Outgoing, bound, serve};

/// Runs a Python program that has a link, with these arguments, until it ends well.
fn run(program: &str, arguments: &[&str]) {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let python = env::var_os("ZERORPC_PYTHON").unwrap_or_else(|| "python3".into());
    let mut child = Command::new(python)
        .args(["-B", &format!("{tests}/piped.py"), program])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    read_loop(&mut child);
    assert!(child.wait().expect("it ends").success(), "{program}");
}

fn read_loop(child: &mut Child) {
    let input = Arc::new(Mutex::new(child.stdin.take().expect("a pipe")));
    let outgoing = Outgoing::new(move |kind, number, body: Bytes| {
        let head = [&(body.len() as u64).to_be_bytes()[..], &number.to_be_bytes(), &[kind]];
        let frame = [&head.concat()[..], &body].concat();
        // A program that has ended reads no more.
        let _ = input.lock().map(|mut pipe| pipe.write_all(&frame));
    })
    .expect("a thread");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    while let Some((kind, number, body)) = read(&mut output) {
        outgoing.handle(kind, number, body);
    }
}

fn read(pipe: &mut BufReader<ChildStdout>) -> Option<(u8, u64, Bytes)> {
    let mut head = [0; 17];
    pipe.read_exact(&mut head).ok()?;
    let number = |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().expect("8 bytes"));
    let mut body = vec![0; usize::try_from(number(0)).expect("fits")];
    pipe.read_exact(&mut body).ok()?;
    Some((head[16], number(8), body.into()))
}

#[test]
fn calls_and_streams() {
    let (_fixture, endpoint) = bound();
    let program = r#"
with zerorpc.Client(address, heartbeat=None) as client:
    assert [client.add(n, 1) for n in range(100)] == list(range(1, 101))
    assert list(client.count(1000)) == list(range(1000))
    later = [client.add(n, n, async_=True) for n in range(100)]
    assert [one.get() for one in later] == [2 * n for n in range(100)]
    error = raised(zerorpc.RemoteError, client.fail, "no")
    assert (error.name, error.msg, error.traceback) == ("ValueError", "no", "where"), vars(error)
    error = raised(zerorpc.RemoteError, client, "nothing")
    assert (error.name, error.msg) == ("NameError", "nothing"), vars(error)
    error = raised(zerorpc.TimeoutExpired, client.wait, timeout=0.1)
    assert str(error).startswith("timeout after 0.1s, when calling remote method wait at tcp://"), error
    bridge.calls.HEADER.set({"trace": 7})
    assert client.trace() == 7
    assert client._zerorpc_name() == "fixture"
    stream = client.watched()
    assert [next(stream) for _ in range(200)] == list(range(200))
    stream.close()
    pending, stream = client.wait(async_=True), client.watched()
raised(zerorpc.LostRemote, pending.get)
raised(zerorpc.LostRemote, list, stream)
assert "this client is closed" in str(raised(RuntimeError, client.add, 1, 2))
assert "nowhere" in str(raised(RuntimeError, zerorpc.Client, "nowhere"))
assert "endpoint" in str(raised(RuntimeError, zerorpc.Client().add, 1, 2))
assert not bridge.link.handlers, bridge.link.handlers
"#;
    run(program, &[&endpoint]);
}

#[test]
fn threads_share_a_client() {
    let (_fixture, endpoint) = bound();
    let program = r#"
import threading
client = zerorpc.Client(address)
wrong = []
def work(thread):
    for n in range(50):
        if client.add(thread, n) != thread + n or list(client.count(70)) != list(range(70)):
            wrong.append((thread, n))
threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not wrong, wrong
"#;
    run(program, &[&endpoint]);
}

#[test]
fn workers_connect_to_a_client_that_binds() {
    // The port is one that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("tcp://{}", free.local_addr().expect("an address"));
    drop(free);
    let _fixture = serve(|builder| builder.connect(&endpoint));
    let program = r#"
client = zerorpc.Client(timeout=50)
assert client.bind(address) == [address]
assert client.add(1, 2) == 3
pusher = zerorpc.Pusher()
assert not pusher.bind("tcp://127.0.0.1:*")[0].endswith("*")
pusher.close()
publisher = zerorpc.Publisher()
publisher.bind("tcp://127.0.0.1:*")
publisher.note(1)
"#;
    run(program, &[&endpoint]);
}
