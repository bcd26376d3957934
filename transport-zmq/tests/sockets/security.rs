//! Who comes in, by each mechanism, and as whom.

use std::{
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    PeerId, Route,
    transport::{
        AuthRequest, Authenticator, Credential, Denied, KeyPair, MechanismName, MonitorEvent,
        PlainCredentials, Principal, PublicKey, SecretKey, Security, SocketKind, SocketOptions,
        Transport, TransportError, Waiter,
    },
};
use zerorpc_zmq::{Parts, open};

use crate::support::{ANY_PORT, Outcome, PATIENCE, connect, message, next, plain, plainly, until};

fn options(security: Security) -> SocketOptions {
    SocketOptions::default().security(security).reconnect(Duration::from_millis(10))
}

fn ada() -> PlainCredentials {
    PlainCredentials::new("ada", "lovelace").expect("a short name and password")
}

fn authenticator(
    decide: impl Fn(&AuthRequest<'_>) -> Result<String, Denied> + Send + Sync + 'static,
) -> Option<Arc<dyn Authenticator>> {
    Some(Arc::new(decide))
}

/// Lets ada in, with her password.
fn knows_ada(request: &AuthRequest<'_>) -> Result<String, Denied> {
    match &request.credential {
        Credential::Password { username: b"ada", password, .. } if password.is(b"lovelace") => {
            Ok("countess".to_owned())
        }
        _ => Err(Denied::new("only ada")),
    }
}

/// Where a ROUTER with these options is bound.
fn server(options: &SocketOptions) -> Result<(Parts, String), Box<dyn std::error::Error>> {
    let mut server = open(SocketKind::Router, options)?;
    let endpoint = server.transport.bind(ANY_PORT)?;
    Ok((server, endpoint))
}

/// Who has sent a request and was answered.
fn call(
    server: &mut Parts,
    client: &mut Parts,
) -> Result<Option<Arc<Principal>>, Box<dyn std::error::Error>> {
    client.transport.send(plainly("question"))?;
    let request = next(server)?;
    assert_eq!(request.payload, "question");
    let route = Route::of(PeerId::NAMELESS, &request.envelope);
    server.transport.send(message(request.envelope, "answer"))?;
    assert_eq!(next(client)?.payload, "answer");
    Ok(server.transport.principal_of(&route))
}

/// Waits until a socket tells that a handshake has failed; nothing may come in.
fn is_refused(parts: &mut Parts) -> Outcome {
    until(parts, |parts| {
        let arrived = parts.transport.receive().expect("a good socket");
        assert!(arrived.is_none(), "a stranger came in");
        std::iter::from_fn(|| parts.transport.poll_monitor())
            .any(|event| matches!(event, MonitorEvent::HandshakeFailed { .. }))
    })
}

#[test]
fn a_name_and_a_password_open_the_door() -> Outcome {
    let options_of_server = options(Security::PlainServer).authenticator(authenticator(knows_ada));
    let (mut server, endpoint) = server(&options_of_server)?;
    let mut client = open(SocketKind::Dealer, &options(Security::PlainClient(ada())))?;
    connect(&mut client, &endpoint)?;
    let principal = call(&mut server, &mut client)?.expect("it is known who it is");
    assert_eq!(principal.name.as_deref(), Some("countess"));
    assert_eq!(principal.username.as_deref(), Some("ada"));
    assert_eq!(principal.mechanism, MechanismName::Plain);
    assert_eq!(&*principal.remote, "tcp://127.0.0.1");
    Ok(())
}

#[test]
fn the_wrong_password_no_password_and_nobody_to_ask_keep_it_shut() -> Outcome {
    let wrong = PlainCredentials::new("ada", "byron").expect("a short name and password");
    let asked = options(Security::PlainServer).authenticator(authenticator(knows_ada));
    let panics = options(Security::PlainServer)
        .authenticator(authenticator(|_| panic!("this is what the test is about")));
    for (of_server, of_client) in [
        (&asked, Security::PlainClient(wrong)),
        (&asked, Security::Null),
        (&options(Security::PlainServer), Security::PlainClient(ada())),
        (&panics, Security::PlainClient(ada())),
        (&options(Security::Null), Security::PlainClient(ada())),
    ] {
        let (mut server, endpoint) = server(of_server)?;
        let mut client = open(SocketKind::Dealer, &options(of_client.clone()))?;
        client.transport.connect(&endpoint)?;
        is_refused(&mut server).map_err(|error| format!("{of_client:?}: {error}"))?;
        assert!(!client.transport.can_send(), "{of_client:?}");
    }
    Ok(())
}

/// Where a client is not let in, it says why and what to do, until somebody else is there; libzmq would not even try.
#[test]
fn whom_no_server_lets_in_is_told_until_settings_change() -> Outcome {
    let wrong = PlainCredentials::new("ada", "byron").expect("short");
    let asks = options(Security::PlainServer).authenticator(authenticator(knows_ada));
    let nobody = options(Security::Null).authenticator(authenticator(|_| Err(Denied::new("no"))));
    for (of_server, of_client, words) in [
        (&asks, Security::Null, "another security mechanism than NULL, which is ours"),
        (&options(Security::Null), Security::PlainClient(ada()), "than PLAIN, which is ours"),
        (&asks, Security::PlainClient(wrong), "the user name or the password is wrong"),
        (&nobody, Security::Null, "nor anybody who is not known to it"),
    ] {
        let (strict, endpoint) = server(of_server)?;
        let mut client = open(SocketKind::Dealer, &options(of_client.clone()))?;
        let mute = endpoint.replace("127.0.0.1", "127.0.0.2");
        for endpoint in [&endpoint, &mute] {
            client.transport.connect(endpoint)?;
        }
        is_refused(&mut client)?;
        assert_eq!(client.transport.denial(), None, "another one may let it in");
        client.transport.disconnect(&mute)?;
        until(&mut client, |client| {
            client.transport.receive().expect("a good socket");
            client.transport.denial().is_some()
        })?;
        let told = client.transport.denial().expect("it is told");
        assert!(told.starts_with(&endpoint) && told.contains(words), "{told}");

        // The same place, with settings that fit.
        drop(strict);
        let fits = match of_client {
            Security::Null => options(Security::Null),
            _ => options(Security::PlainServer).authenticator(authenticator(|_| Ok("any".into()))),
        };
        let mut open_to_all = open(SocketKind::Router, &fits)?;
        open_to_all.transport.bind(&endpoint)?;
        until(&mut client, |client| {
            client.transport.receive().expect("a good socket");
            client.transport.can_send()
        })?;
        assert_eq!(client.transport.denial(), None);
        call(&mut open_to_all, &mut client)?;
    }
    Ok(())
}

#[test]
fn an_authenticator_is_asked_without_a_mechanism_too() -> Outcome {
    let lets_in = options(Security::Null).authenticator(authenticator(|request| {
        assert_eq!(request.remote, "tcp://127.0.0.1");
        Ok("somebody".to_owned())
    }));
    let (mut server, endpoint) = server(&lets_in)?;
    let mut client = open(SocketKind::Dealer, &options(Security::Null))?;
    connect(&mut client, &endpoint)?;
    let principal = call(&mut server, &mut client)?.expect("it is known who it is");
    assert_eq!(principal.name.as_deref(), Some("somebody"));
    assert_eq!(principal.mechanism, MechanismName::Null);

    let (mut server, endpoint) = self::server(
        &options(Security::Null).authenticator(authenticator(|_| Err(Denied::new("nobody")))),
    )?;
    client.transport.connect(&endpoint)?;
    is_refused(&mut server)
}

#[test]
fn without_an_authenticator_nobody_is_asked_about() -> Outcome {
    let (mut server, endpoint) = server(&options(Security::Null))?;
    let mut client = open(SocketKind::Dealer, &options(Security::Null))?;
    connect(&mut client, &endpoint)?;
    assert_eq!(call(&mut server, &mut client)?, None);
    Ok(())
}

/// A peer that takes another's routing id is not taken for it, and cannot use what the other one has open.
#[test]
fn names_of_connections_are_not_names_of_peers() -> Outcome {
    let by_name = authenticator(|request| match &request.credential {
        Credential::Password { username, .. } => Ok(String::from_utf8_lossy(username).into()),
        _ => Err(Denied::new("no name")),
    });
    let (mut server, endpoint) = server(&options(Security::PlainServer).authenticator(by_name))?;
    let named = |user: &str| -> Result<zmq::Socket, zmq::Error> {
        let socket = plain(zmq::DEALER)?;
        socket.set_identity(b"same")?;
        socket.set_plain_username(Some(user))?;
        socket.set_plain_password(Some("any"))?;
        socket.connect(&endpoint)?;
        socket.send_multipart([&b""[..], b"hello"], 0)?;
        Ok(socket)
    };
    let mut identities = Vec::new();
    for user in ["ada", "mallory", "ada"] {
        // As long as the one before is there, libzmq does not listen to another one of its name.
        let (mut request, start) = (None, Instant::now());
        while request.is_none() && start.elapsed() < PATIENCE {
            let _socket = named(user)?;
            let soon = Instant::now() + Duration::from_millis(200);
            while request.is_none() && Instant::now() < soon {
                server.waiter.wait_until(Some(soon))?;
                request = server.transport.receive()?;
            }
        }
        let (_, request) = request.ok_or("nobody is heard")?;
        let route = Route::of(PeerId::NAMELESS, &request.envelope);
        let principal = server.transport.principal_of(&route).expect("it is known who it is");
        assert_eq!(principal.name.as_deref(), Some(user));
        identities.push(request.envelope.frames()[0].clone());
    }
    identities.sort();
    identities.dedup();
    assert_eq!(identities.len(), 3, "each connection is a route of its own");
    Ok(())
}

/// libzmq sends answers to routing ids, which peers choose, or guess: those that it draws itself follow each other.
#[test]
fn answers_go_to_who_has_asked() -> Outcome {
    let by_name = authenticator(|request| match &request.credential {
        Credential::Password { username, .. } => Ok(String::from_utf8_lossy(username).into()),
        _ => Err(Denied::new("no name")),
    });
    let (mut server, endpoint) = server(&options(Security::PlainServer).authenticator(by_name))?;
    let named = |user: &str, identity: &[u8]| -> Result<zmq::Socket, zmq::Error> {
        let socket = plain(zmq::DEALER)?;
        if !identity.is_empty() {
            socket.set_identity(identity)?;
        }
        socket.set_plain_username(Some(user))?;
        socket.set_plain_password(Some("any"))?;
        socket.connect(&endpoint)?;
        Ok(socket)
    };
    let mut connected = 0;
    for (chosen, expected) in [(&b"ada's"[..], 2), (b"", 4)] {
        let ada = named("ada", chosen)?;
        ada.send_multipart([&b""[..], b"question"], 0)?;
        let request = next(&mut server)?;
        // What libzmq knows her by stands behind who she is.
        let identity = &request.envelope.frames()[0];
        let user = usize::from(u16::from_be_bytes([identity[0], identity[1]]));
        let mallory = named("mallory", &identity[2 + user..])?;
        mallory.send_multipart([&b""[..], b"hers, please"], 0)?;
        until(&mut server, |server| {
            assert!(
                server.transport.receive().expect("a good socket").is_none(),
                "not listened to"
            );
            let events = std::iter::from_fn(|| server.transport.poll_monitor());
            connected +=
                events.filter(|event| matches!(event, MonitorEvent::Connected { .. })).count();
            connected == expected
        })?;
        server.transport.send(message(request.envelope, "answer"))?;
        assert_eq!(ada.recv_multipart(0)?, [&b""[..], b"answer"], "{chosen:?}");
    }
    Ok(())
}

#[test]
fn what_libzmq_cannot_do_is_an_error() -> Outcome {
    let refused = |options: SocketOptions| -> TransportError {
        open(SocketKind::Dealer, &options).map(drop).expect_err("less than was asked for")
    };
    for (username, password) in [("", "lovelace"), ("ada", ""), ("", "")] {
        let credentials = PlainCredentials::new(username, password).expect("short");
        let error = refused(options(Security::PlainClient(credentials)));
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let error =
        refused(options(Security::PlainClient(ada())).authenticator(authenticator(knows_ada)));
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("use the transport mio"), "{error}");
    Ok(())
}

#[test]
fn whoever_is_refused_does_not_keep_the_socket_from_closing() -> Outcome {
    let of_server = options(Security::PlainServer).authenticator(authenticator(knows_ada));
    let start = Instant::now();
    let (server, endpoint) = server(&of_server)?;
    let mut client = open(SocketKind::Dealer, &options(Security::PlainClient(ada())))?;
    client.transport.connect(&endpoint)?;
    drop(server);
    let mut client = open(SocketKind::Push, &of_server)?;
    client.transport.connect(&endpoint)?;
    client.transport.send(plainly("to nobody"))?;
    drop(client);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    Ok(())
}

/// Two key pairs, made by libzmq.
fn keys() -> Result<[KeyPair; 2], Box<dyn std::error::Error>> {
    let make = || -> Result<KeyPair, zmq::Error> {
        let made = zmq::CurveKeyPair::new()?;
        Ok(KeyPair::new(PublicKey::new(made.public_key), SecretKey::new(made.secret_key)))
    };
    Ok([make()?, make()?])
}

#[test]
fn curve_is_spoken_or_refused() -> Outcome {
    if zmq::has("curve") != Some(true) {
        let key = [7; 32];
        let keys = || KeyPair::new(PublicKey::new(key), SecretKey::new(key));
        let client = Security::CurveClient { keys: keys(), server: PublicKey::new(key) };
        for security in [Security::CurveServer { keys: keys() }, client] {
            let error = open(SocketKind::Router, &options(security)).expect_err("no CURVE");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("built without CURVE"), "{error}");
        }
        return Ok(());
    }
    let [own, other] = keys()?;
    let known = other.public;
    let knows = authenticator(move |request| match &request.credential {
        Credential::Key(key) if *key == known => Ok("the client".to_owned()),
        _ => Err(Denied::new("unknown")),
    });
    let of_server = options(Security::CurveServer { keys: own.clone() });
    for (authenticator, name) in [(None, None), (knows, Some("the client"))] {
        let (mut server, endpoint) =
            server(&of_server.clone().authenticator(authenticator.clone()))?;
        let security = Security::CurveClient { keys: other.clone(), server: own.public };
        let mut client = open(SocketKind::Dealer, &options(security))?;
        connect(&mut client, &endpoint)?;
        let principal = call(&mut server, &mut client)?.expect("it is known who it is");
        assert_eq!(principal.key, Some(other.public));
        assert_eq!(principal.name.as_deref(), name);

        let wrong = Security::CurveClient { keys: other.clone(), server: other.public };
        let unknown = Security::CurveClient { keys: own.clone(), server: own.public };
        let strangers = [Some(wrong), Some(Security::Null), authenticator.map(|_| unknown)];
        for stranger in strangers.into_iter().flatten() {
            let mut client = open(SocketKind::Dealer, &options(stranger))?;
            client.transport.connect(&endpoint)?;
            is_refused(&mut server)?;
            assert!(!client.transport.can_send());
        }
    }
    Ok(())
}
