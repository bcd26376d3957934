//! Who comes in over real connections, and as whom.

use std::sync::Arc;

use zerorpc_proto::{
    PeerId,
    transport::{
        AuthRequest, Authenticator, Credential, Denied, MechanismName, MonitorEvent,
        PlainCredentials, Security,
        SocketKind::{Dealer, Router},
        SocketOptions, Transport,
    },
};

use crate::support::{ANY_PORT, Node, Outcome, hasty, meet, pass, until};

fn asking(
    check: impl Fn(&AuthRequest<'_>) -> Result<String, Denied> + Send + Sync + 'static,
) -> SocketOptions {
    hasty().authenticator(Some(Arc::new(check) as Arc<dyn Authenticator>))
}

/// Waits until a connection has failed for a reason with these words in it.
fn is_refused(nodes: &mut [&mut Node], of: usize, part: &str) {
    until(part, nodes, |nodes| {
        nodes[of].told.iter().find_map(|event| match event {
            MonitorEvent::HandshakeFailed { reason, .. } => reason.contains(part).then_some(()),
            _ => None,
        })
    });
}

#[cfg(target_os = "linux")]
#[test]
fn the_user_of_a_socket_file_is_known() -> Outcome {
    let folder = tempfile::tempdir()?;
    let endpoint = format!("ipc://{}/socket", folder.path().display());
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let options = asking(move |request| match request.process {
        Some(process) if process.uid == uid => Ok(format!("user {uid}")),
        other => Err(Denied::new(format!("{other:?} is somebody else"))),
    });
    let mut server = Node::with(Router, &options);
    server.parts.transport.bind(&endpoint)?;
    let over_tcp = server.parts.transport.bind(ANY_PORT)?;
    let mut client = Node::with(Dealer, &options);
    client.parts.transport.connect(&endpoint)?;
    let (calling, called) = meet(&mut server, &mut client);
    for (node, peer) in [(&server, calling), (&client, called)] {
        let principal = node.parts.transport.principal(peer).ok_or("it is connected")?;
        assert_eq!(principal.name.as_deref(), Some(&*format!("user {uid}")));
        assert_eq!(principal.mechanism, MechanismName::Null);
        assert_eq!(&*principal.remote, endpoint);
        let process = principal.process.ok_or("the system tells")?;
        assert_eq!((process.uid, process.gid), (uid, gid));
        assert_eq!(process.pid, Some(std::process::id()));
    }
    assert_eq!(server.parts.transport.principal(PeerId::new(u64::MAX)), None);

    let mut stranger = Node::connected(Dealer, &over_tcp);
    is_refused(&mut [&mut server, &mut stranger], 0, "None is somebody else");
    is_refused(&mut [&mut server, &mut stranger], 1, "refused the connection");

    drop(client);
    until("the end", &mut [&mut server], |nodes| nodes[0].down());
    assert_eq!(server.parts.transport.principal(calling), None);
    Ok(())
}

#[test]
fn a_password_makes_a_name() -> Outcome {
    let options = asking(|request| match request.credential {
        Credential::Password { username: b"ada", password, .. } if password.is(b"lovelace") => {
            Ok("Ada".to_owned())
        }
        _ => Err(Denied::new("wrong password")),
    });
    let mut server = Node::with(Router, &options.security(Security::PlainServer));
    let endpoint = server.parts.transport.bind(ANY_PORT)?;
    let with = |password: &str| {
        let credentials = PlainCredentials::new("ada", password).expect("short");
        Node::with(Dealer, &hasty().security(Security::PlainClient(credentials)))
    };
    let mut stranger = with("babbage");
    stranger.parts.transport.connect(&endpoint)?;
    is_refused(&mut [&mut server, &mut stranger], 0, "(user \"ada\"): wrong password");

    let mut client = with("lovelace");
    client.parts.transport.connect(&endpoint)?;
    let (calling, called) = meet(&mut server, &mut client);
    let principal = server.parts.transport.principal(calling).ok_or("it is connected")?;
    assert_eq!(principal.name.as_deref(), Some("Ada"));
    assert_eq!(principal.username.as_deref(), Some("ada"));
    assert!(principal.remote.starts_with("tcp://127.0.0.1:"), "{principal:?}");
    client.send(called, "hello");
    assert_eq!(pass(&mut client, &mut server).1.payload, "hello");
    Ok(())
}
