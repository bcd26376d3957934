//! What a server says of peers that it refuses, and what is said of files that may not be used.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use rustix::process::{Signal, geteuid};

use crate::support::{Running, Server, ZERORPC, command, run, start};

/// Says something to a server, and waits until it has closed the connection.
fn intrude(server: &Server, said: &[u8]) {
    let address = server.endpoint.trim_start_matches("tcp://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    // It may be closed in the middle of this.
    let _refused = stream.write_all(said);
    let mut heard = Vec::new();
    let _reset = stream.read_to_end(&mut heard);
}

/// What a caller says in its handshake, by hand.
fn handshake(socket_type: &str) -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    bytes.resize(64, 0);
    let properties = [
        &b"\x05READY\x0bSocket-Type\0\0\0"[..],
        &[socket_type.len() as u8],
        socket_type.as_bytes(),
    ]
    .concat();
    bytes.extend_from_slice(&[&[4, properties.len() as u8], &properties[..]].concat());
    bytes
}

/// The lines of a server's standard error that are warnings about peers, once it has ended.
fn warnings(server: Server) -> Vec<String> {
    server.running.signal(Signal::TERM);
    let said = server.running.wait().stderr;
    said.lines().filter(|line| line.contains("WARN zerorpc_mio")).map(str::to_owned).collect()
}

#[test]
fn a_server_says_why_it_refuses_peers_once_in_a_while() {
    let table: [(&[u8], &[&str]); 6] = [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 4242\r\n\xff\0", &["PROXY protocol", "send-proxy"]),
        (b"GET / HTTP/1.1\r\n\r\n", &["HTTP", "health checks another port"]),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", &["TLS", "before this port"]),
        (&handshake("PUB"), &["socket is a PUB", "ROUTER"]),
        (
            &[&handshake("DEALER")[..], b"\x02\0\0\0\x01\0\0\0\0"].concat(),
            &["frame of 4294967296 bytes", "the limit is"],
        ),
        (
            b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            &["mechanism is PLAIN", "set up both sides alike"],
        ),
    ];
    let server = Server::start("workshop");
    for _ in 0..20 {
        for (said, _) in table {
            intrude(&server, said);
        }
    }
    let warnings = warnings(server);
    assert_eq!(warnings.len(), table.len(), "one for each: {warnings:#?}");
    for (_, parts) in table {
        let about = |line: &&String| {
            line.contains("tcp://127.0.0.1:") && parts.iter().all(|part| line.contains(part))
        };
        assert_eq!(warnings.iter().filter(about).count(), 1, "{parts:?}: {warnings:#?}");
    }
}

#[test]
fn who_merely_looks_in_is_not_worth_a_word() {
    let server = Server::start("workshop");
    let address = server.endpoint.trim_start_matches("tcp://");
    for number in 0..500 {
        let mut stream = TcpStream::connect(address).expect("it listens");
        // As health checks do: nothing, a greeting, or all of a handshake.
        let whole = handshake("DEALER");
        let said = [0, 10, 64, whole.len()][number % 4];
        stream.write_all(&whole[..said]).expect("there is room");
        if number % 3 == 0 {
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }
    server.ask(&["pid"]);
    let warnings = warnings(server);
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn several_with_one_name_are_told_of_once() {
    let server = Server::start("workshop");
    let address = server.endpoint.trim_start_matches("tcp://");
    let named = [
        &handshake("DEALER")[..64],
        b"\x04\x2d\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x04name",
    ];
    let mut holder = TcpStream::connect(address).expect("it listens");
    holder.write_all(&named.concat()).expect("there is room");
    holder.write_all(b"\x04\x07\x04PING\0\0").expect("there is room");
    let mut heard = Vec::new();
    // Once it has answered, it knows the name.
    while !heard.windows(4).any(|four| four == b"PONG") {
        let mut byte = [0];
        holder.read_exact(&mut byte).expect("an answer");
        heard.extend(byte);
    }
    for _ in 0..20 {
        intrude(&server, &named.concat());
    }
    let warnings = warnings(server);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    for part in ["same identity", "\"name\" at tcp://127.0.0.1:", "it is being asked"] {
        assert!(warnings[0].contains(part), "{part:?} is missing in {warnings:?}");
    }
}

#[test]
fn a_caller_that_falls_silent_in_the_middle_of_a_call_is_told_of() {
    let server = Server::beating("5", &["--keepalive", "0.2"], "workshop");
    let call = b"\x01\0\0\x1c\x93\x82\xaamessage_id\xa1x\xa1v\x03\xa5sleep\x91\xcd\x02\x58";
    let [idle, caller] = [&b""[..], call].map(|said| {
        let address = server.endpoint.trim_start_matches("tcp://");
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(&[&handshake("DEALER")[..], said].concat()).expect("there is room");
        stream
    });
    for mut stream in [idle, caller] {
        // Until it is given up: it answers nothing.
        let _reset = stream.read_to_end(&mut Vec::new());
    }
    let warnings = warnings(server);
    assert_eq!(warnings.len(), 1, "nothing of the idle one: {warnings:#?}");
    assert!(warnings[0].contains("did not answer a PING within 200 ms"), "{warnings:?}");
}

#[test]
fn a_server_without_descriptors_says_so_once() {
    let line = format!("ulimit -n 48 && exec {ZERORPC} --server --bind tcp://127.0.0.1:* workshop");
    let running = Running::start(command("/bin/sh", ["-c", &line]));
    let server = Server::of(running, "5");
    let address = server.endpoint.trim_start_matches("tcp://");
    let crowd: Vec<_> =
        (0..100).map(|_| TcpStream::connect(address).expect("there is a backlog")).collect();
    server.running.wait_for_stderr("ulimit -n");
    drop(crowd);
    server.ask(&["pid"]);
    let warnings = warnings(server);
    // Those who have said nothing yet make room for others, of which one line tells.
    let displaced = |line: &&String| line.contains("newer connections needed its place");
    let (displaced, rest): (Vec<_>, Vec<_>) = warnings.iter().partition(displaced);
    assert_eq!((displaced.len(), rest.len()), (1, 1), "{warnings:#?}");
    for part in ["too many open files", "cannot accept connections at tcp://127.0.0.1:"] {
        assert!(rest[0].contains(part), "{part:?} is missing in {rest:?}");
    }
}

/// Somebody who may do less than this user; `None` where there is nobody.
fn somebody_else(words: &[&str], folder: &Path) -> Option<Command> {
    if !geteuid().is_root() {
        // What its own modes forbid is forbidden to this user, too.
        return Some(command(ZERORPC, words));
    }
    // A user of no name and no rights has to reach the program.
    let program = folder.join("zerorpc");
    fs::copy(ZERORPC, &program).expect("there is room");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut command = command(program.to_str()?, words);
    command.current_dir("/").uid(54_321).gid(54_321);
    Some(command)
}

#[test]
fn a_file_of_somebody_else_is_said_to_be_one() {
    let folder = tempfile::Builder::new().prefix("words").tempdir_in("/tmp").expect("a folder");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("it is ours");
    let owner = fs::metadata(folder.path()).expect("it is there").uid();
    let me = if geteuid().is_root() { 54_321 } else { owner };

    // A socket that its owner alone may use; nobody at all, where this user is its owner.
    let mode = if geteuid().is_root() { "600" } else { "000" };
    let endpoint = format!("ipc://{}/socket", folder.path().display());
    let served = start(["--server", "--ipc-mode", mode, "--bind", &endpoint, "workshop"]);
    served.wait_for_stderr("serving \"");
    let words = ["--timeout", "1", &endpoint, "pid"];
    let Some(client) = somebody_else(&words, folder.path()) else { return };
    let told = Running::start(client).wait().expect(5, "");
    let belongs = format!("socket belongs to user {owner} and group ");
    told.tells(&[
        &endpoint,
        &belongs,
        &format!("with mode {mode}"),
        &format!("user {me} may not write"),
        "--ipc-mode 660",
    ]);

    // A folder that may not be entered, and one that may not be written to.
    for (mode, words) in
        [(0o600, "may not enter the folder"), (0o555, "may not create files in the folder")]
    {
        let inner = folder.path().join(format!("{mode:o}"));
        fs::create_dir(&inner).expect("there is room");
        fs::set_permissions(&inner, fs::Permissions::from_mode(mode)).expect("it is ours");
        let endpoint = format!("ipc://{}/socket", inner.display());
        let server = ["--server", "--bind", &endpoint, "time"];
        let Some(server) = somebody_else(&server, folder.path()) else { return };
        let told = Running::start(server).wait().expect(5, "");
        let folder =
            format!("user {me} {words} {}, which belongs to user {owner} ", inner.display());
        told.tells(&[&endpoint, &folder, &format!("with mode {mode:03o}"), "; choose a"]);
    }
}

#[test]
fn a_file_is_for_whom_it_is_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let endpoint = format!("ipc://{}", path.display());
    let group = fs::metadata(folder.path()).expect("it is there").gid().to_string();
    let flags =
        ["--server", "--ipc-mode", "660", "--ipc-group", &group, "--bind", &endpoint, "workshop"];
    let server = start(flags);
    server.wait_for_stderr("serving \"");
    let file = fs::metadata(&path).expect("it is there");
    assert_eq!((file.mode() & 0o777, file.gid().to_string()), (0o660, group));
    drop(server);

    let flags = ["--server", "--ipc-group", "no such group!", "--bind", &endpoint, "workshop"];
    run(flags).expect(5, "").tells(&["no group \"no such group!\"", &endpoint]);
}
