//! Endpoints: which work, and what is said of those that do not.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use zerorpc_proto::transport::SocketKind::{Dealer, Router};
use zerorpc_proto::transport::{EndpointError, Transport};
use zerorpc_zmq::Parts;

use crate::support::{ANY_PORT, Outcome, message, next, plainly, socket, until};

fn port_of(endpoint: &str) -> &str {
    endpoint.rsplit(':').next().expect("split gives one part at least")
}

/// One request and one reply.
fn converse(server: &mut Parts, client: &mut Parts) -> Outcome {
    until(client, |client| client.transport.receive().is_ok() && client.transport.can_send())?;
    client.transport.send(plainly("request"))?;
    let request = next(server)?;
    server.transport.send(message(request.envelope, "reply"))?;
    assert_eq!(next(client)?.payload, "reply");
    Ok(())
}

#[test]
fn addresses_and_names_lead_to_the_server() -> Outcome {
    let table = [
        (
            "tcp://127.0.0.1:*",
            "tcp://127.0.0.1:",
            &["127.0.0.1", "0", "0.0.0.0", "localhost", "127.0.0.1:0;127.0.0.1"][..],
        ),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:", &["127.0.0.1"]),
        ("tcp://localhost:*", "tcp://127.0.0.1:", &["localhost"]),
        ("tcp://[::1]:*", "tcp://[::1]:", &["[::1]"]),
        ("tcp://*:*", "tcp://0.0.0.0:", &["127.0.0.1", "localhost", "[::1]"]),
        ("tcp://0.0.0.0:*", "tcp://0.0.0.0:", &["127.0.0.1"]),
    ];
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    for (given, bound, hosts) in table {
        if given.contains("::1") && !has_ipv6 {
            continue;
        }
        let mut server = socket(Router);
        let endpoint = server.transport.bind(given)?;
        assert!(endpoint.starts_with(bound), "{given} became {endpoint}");
        for host in hosts.iter().filter(|host| has_ipv6 || !host.contains("::1")) {
            let mut client = socket(Dealer);
            client.transport.connect(&format!("tcp://{host}:{}", port_of(&endpoint)))?;
            converse(&mut server, &mut client)
                .map_err(|error| format!("{given}, {host}: {error}"))?;
        }
    }
    Ok(())
}

#[test]
fn one_socket_of_both_families() -> Outcome {
    if TcpListener::bind("[::1]:0").is_err() {
        return Ok(());
    }
    let mut server = socket(Router);
    let endpoints = [server.transport.bind("tcp://[::1]:*")?, server.transport.bind(ANY_PORT)?];
    for endpoint in endpoints {
        let mut client = socket(Dealer);
        client.transport.connect(&endpoint)?;
        converse(&mut server, &mut client)?;
    }
    Ok(())
}

#[test]
fn refusals_are_explained() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "precious")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let taken = format!("tcp://{}", listener.local_addr()?);
    let live = folder.path().join("live");
    let _live = UnixListener::bind(&live)?;
    let ipc = |path: &std::path::Path| format!("ipc://{}", path.display());
    let table = [
        ("bind", "udp://127.0.0.1:1".to_string(), "use tcp:// or ipc://"),
        ("bind", "tcp://127.0.0.1".into(), "port is missing"),
        ("bind", "tcp://127.0.0.1:65536".into(), "up to 65535"),
        ("bind", taken, "already listens"),
        ("bind", "tcp://192.0.2.1:*".into(), "does not have that address"),
        ("bind", "tcp://no-such-host.invalid:*".into(), "unknown host"),
        ("bind", ipc(&live), "already listens"),
        ("bind", ipc(&file), "not a socket"),
        ("bind", ipc(&file.join("below")), "choose another path"),
        ("bind", ipc(&folder.path().join("no/socket")), "does not exist"),
        ("bind", format!("ipc:///{}", "x".repeat(120)), "too long"),
        ("bind", format!("ipc://@{}", "x".repeat(120)), "too long"),
        ("connect", "tcp://*:1234".into(), "can only be bound"),
        ("connect", "tcp://127.0.0.1:*".into(), "can only be bound"),
        ("connect", "tcp://127.0.0.1:http".into(), "no port"),
        ("connect", "tcp://no-such-host.invalid:1".into(), "unknown host"),
        ("connect", "ipc://*".into(), "can only be bound"),
        ("connect", "127.0.0.1:1234".into(), "scheme is missing"),
        ("connect", "tcp://a\0b:1".into(), "control characters"),
        ("unbind", "tcp://127.0.0.1:1".into(), "not bound there"),
        ("disconnect", "tcp://127.0.0.1:1".into(), "not connected there"),
    ];
    for (action, endpoint, hint) in table {
        let mut transport = socket(Router).transport;
        let result = match action {
            "bind" => transport.bind(&endpoint).map(drop),
            "connect" => transport.connect(&endpoint),
            "unbind" => transport.unbind(&endpoint),
            _ => transport.disconnect(&endpoint),
        };
        let error: EndpointError = result.expect_err(&endpoint);
        assert!(error.reason().contains(hint), "{error}");
        assert_eq!(
            (error.action().to_string(), error.endpoint()),
            (action.into(), endpoint.as_str())
        );
    }
    assert_eq!(fs::read_to_string(&file)?, "precious");
    Ok(())
}

#[test]
fn a_port_can_be_bound_again_at_once() -> Outcome {
    // All addresses of the machine, too, though libzmq has another name for them than callers see.
    for given in [ANY_PORT, "tcp://*:*"] {
        let mut server = socket(Router);
        let endpoint = server.transport.bind(given)?;
        bind_again(&mut server, &endpoint).map_err(|error| format!("{given}: {error}"))?;
    }
    Ok(())
}

fn bind_again(server: &mut Parts, endpoint: &str) -> Outcome {
    assert!(server.transport.bind(endpoint).is_err(), "it is bound already");
    for _ in 0..50 {
        server.transport.unbind(endpoint)?;
        assert!(server.transport.unbind(endpoint).is_err(), "it is unbound already");
        assert_eq!(server.transport.bind(endpoint)?, endpoint);
    }
    let mut client = socket(Dealer);
    client.transport.connect(endpoint)?;
    converse(server, &mut client)?;
    client.transport.disconnect(endpoint)?;
    client.transport.connect(endpoint)?;
    converse(server, &mut client)
}

#[test]
fn socket_files_come_and_go() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");
    let endpoint = format!("ipc://{}", path.display());
    drop(UnixListener::bind(&path)?);
    assert!(path.exists(), "a stale file");

    let mut server = socket(Router);
    assert_eq!(server.transport.bind(&endpoint)?, endpoint);
    let error = socket(Router).transport.bind(&endpoint).expect_err("a server listens there");
    assert!(error.reason().contains("already listens"), "{error}");
    let mut client = socket(Dealer);
    client.transport.connect(&endpoint)?;
    converse(&mut server, &mut client)?;

    server.transport.unbind(&endpoint)?;
    assert!(!path.exists(), "unbinding removes the file");
    server.transport.bind(&endpoint)?;
    let mut client = socket(Dealer);
    client.transport.connect(&endpoint)?;
    converse(&mut server, &mut client)?;
    drop(server);
    assert!(!path.exists(), "dropping removes the file");
    Ok(())
}

#[test]
fn ipc_without_a_path() -> Outcome {
    let name = format!("ipc://@zerorpc-test-{}", std::process::id());
    for given in ["ipc://*", &name] {
        let mut server = socket(Router);
        let endpoint = server.transport.bind(given)?;
        let mut client = socket(Dealer);
        client.transport.connect(&endpoint)?;
        converse(&mut server, &mut client)?;
        server.transport.unbind(&endpoint)?;
    }
    Ok(())
}

#[test]
fn a_socket_file_anywhere_has_a_folder_for_its_owner() -> Outcome {
    for unbind in [true, false] {
        let mut server = socket(Router);
        let endpoint = server.transport.bind("ipc://*")?;
        let path = Path::new(endpoint.strip_prefix("ipc://").ok_or("another endpoint")?);
        let folder = path.parent().ok_or("a path without a folder")?;
        assert!(path.starts_with(std::env::temp_dir()), "{endpoint}");
        assert_eq!(fs::metadata(folder)?.permissions().mode() & 0o777, 0o700);
        if unbind {
            server.transport.unbind("ipc://*")?;
        } else {
            drop(server);
        }
        assert!(!folder.exists(), "{endpoint} was left behind");
    }
    Ok(())
}

#[test]
fn files_have_the_mode_and_the_group_that_they_are_given() -> Outcome {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");
    let endpoint = format!("ipc://{}", path.display());
    let group = fs::metadata(folder.path())?.gid();
    let options = |mode, group: &str| {
        zerorpc_proto::transport::SocketOptions::default()
            .ipc_mode(mode)
            .ipc_group(group.to_owned())
    };
    for mode in [0o660, 0o606] {
        let mut server = zerorpc_zmq::open(Router, &options(mode, &group.to_string()))?;
        server.transport.bind(&endpoint)?;
        let file = fs::metadata(&path)?;
        assert_eq!((file.permissions().mode() & 0o777, file.gid()), (mode, group));
        let mut client = socket(Dealer);
        client.transport.connect(&endpoint)?;
        converse(&mut server, &mut client)?;
    }
    for (options, words) in [
        (options(0o660, "no such group!"), "no group \"no such group!\""),
        (options(0o1660, &group.to_string()), "0o1660 is no mode"),
    ] {
        let mut server = zerorpc_zmq::open(Router, &options)?;
        let error = server.transport.bind(&endpoint).expect_err(words);
        assert!(error.reason().contains(words), "{error}");
        until(&mut server, |_| !path.exists())?;
    }
    Ok(())
}

/// Whoever asks for a mode means to keep somebody out, which a name without a file cannot.
#[test]
fn a_name_without_a_file_takes_no_mode_and_no_group() -> Outcome {
    let options = zerorpc_proto::transport::SocketOptions::default;
    for options in [options().ipc_mode(0o600), options().ipc_group("0".to_owned())] {
        let mut server = zerorpc_zmq::open(Router, &options)?;
        let error = server.transport.bind("ipc://@zerorpc-no-file").expect_err("it is open to all");
        assert!(error.reason().contains("everybody on this machine may connect"), "{error}");
    }
    Ok(())
}
