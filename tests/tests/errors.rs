//! What programs can tell errors by, beside their words: the same over both transports.

use std::{error::Error as _, io::ErrorKind, net::TcpListener, os::unix::net::UnixListener};

use zerorpc::{Client, EndpointAction, EndpointError, Error, Methods, Server, TransportKind};

fn server(kind: TransportKind, endpoint: &str) -> Result<Server, Error> {
    Server::builder().service(Methods::new("nothing")).transport(kind).bind(endpoint).build()
}

fn refusal<T>(outcome: Result<T, Error>) -> EndpointError {
    match outcome.map(drop) {
        Err(Error::Endpoint(error)) => error,
        other => panic!("the endpoint is refused, not {other:?}"),
    }
}

#[test]
fn why_an_endpoint_is_refused_can_be_matched() {
    let folder = tempfile::tempdir().expect("a folder");
    let ipc = |name: &str| format!("ipc://{}", folder.path().join(name).display());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    let _live = UnixListener::bind(folder.path().join("live")).expect("a socket file");
    let table = [
        (taken, ErrorKind::AddrInUse),
        (ipc("live"), ErrorKind::AddrInUse),
        ("tcp://192.0.2.1:*".into(), ErrorKind::AddrNotAvailable),
        (ipc("no/folder"), ErrorKind::NotFound),
        ("udp://127.0.0.1:1".into(), ErrorKind::InvalidInput),
        ("tcp://127.0.0.1".into(), ErrorKind::InvalidInput),
    ];
    for kind in TransportKind::ALL {
        for (endpoint, expected) in &table {
            let error = refusal(server(*kind, endpoint));
            assert_eq!(error.kind(), *expected, "{kind:?}: {error}");
            assert_eq!((error.action(), error.endpoint()), (EndpointAction::Bind, &**endpoint));
        }
        let ours = server(*kind, "tcp://127.0.0.1:*").expect("a server");
        let again = refusal(ours.links().bind(&ours.endpoints()[0]));
        assert_eq!(again.kind(), ErrorKind::AddrInUse, "{kind:?}: {again}");
        let client = Client::builder().transport(*kind).connect("tcp://*:1").build();
        let error = refusal(client);
        assert_eq!(
            (error.action(), error.kind()),
            (EndpointAction::Connect, ErrorKind::InvalidInput)
        );
    }
}

#[test]
fn errors_of_the_system_stay_behind_their_words() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    for kind in TransportKind::ALL {
        let error = server(*kind, &taken).map(drop).expect_err("it is taken");
        let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(source.map(std::io::Error::kind), Some(ErrorKind::AddrInUse), "{kind:?}");
    }
}
