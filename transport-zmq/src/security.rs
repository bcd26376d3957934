//! What libzmq is told of mechanisms and keys. Whatever it cannot do as asked is an error: less is never put in its place.

use std::io::ErrorKind;

use zerorpc_proto::transport::{Cause, KeyPair, MechanismName, PublicKey, Security, SocketOptions};
use zmq::{Error, Mechanism, Socket};

use crate::endpoint;

/// How to get a libzmq that has CURVE.
const NO_CURVE: &str = "this libzmq was built without CURVE, as the one that comes with the binding is; use the transport \
                        mio, or link a libzmq that has it (the documentation of the crate zerorpc-zmq says how)";

/// Has a socket speak the mechanism of its options, and ask about those who connect where it has to.
pub(crate) fn configure(socket: &Socket, options: &SocketOptions) -> Result<(), Cause> {
    if options.authenticator.is_some()
        && matches!(options.security, Security::PlainClient(_) | Security::CurveClient { .. })
    {
        return Err(unsupported(
            "libzmq asks nobody about the servers that it connects to; leave the authenticator out, or use the transport mio",
        ));
    }
    match &options.security {
        Security::Null => {}
        Security::PlainServer => socket.set_plain_server(true).map_err(endpoint::explain)?,
        Security::PlainClient(credentials) => {
            let shown = [credentials.username(), credentials.password()];
            // libzmq takes neither as an empty text; and nothing at all is NULL.
            if shown.iter().any(|text| text.is_empty()) {
                return Err(Cause::new(
                    ErrorKind::InvalidInput,
                    "libzmq has no PLAIN without a name or without a password; use the transport mio",
                ));
            }
            socket.set_plain_username(Some(shown[0])).map_err(endpoint::explain)?;
            socket.set_plain_password(Some(shown[1])).map_err(endpoint::explain)?;
        }
        Security::CurveServer { keys } => {
            require_curve()?;
            socket.set_curve_server(true).map_err(endpoint::explain)?;
            set_keys(socket, keys, None).map_err(endpoint::explain)?;
        }
        Security::CurveClient { keys, server } => {
            require_curve()?;
            set_keys(socket, keys, Some(server)).map_err(endpoint::explain)?;
        }
        other => {
            return Err(unsupported(format!("{} is not to be had over libzmq", other.mechanism())));
        }
    }
    if asks(options) {
        socket.set_zap_domain(DOMAIN).map_err(endpoint::explain)?;
    }
    verify(socket, options)
}

/// The domain of a socket that asks. That there is one has libzmq ask about peers of NULL as well.
pub(crate) const DOMAIN: &str = "zerorpc";

/// Whether a socket asks about those who connect; so it does whenever it may know who they are.
pub(crate) fn asks(options: &SocketOptions) -> bool {
    options.authenticator.is_some() || options.security.is_server()
}

fn require_curve() -> Result<(), Cause> {
    // `None` is a libzmq so old that it cannot be asked.
    if zmq::has("curve") == Some(true) { Ok(()) } else { Err(unsupported(NO_CURVE)) }
}

fn set_keys(socket: &Socket, keys: &KeyPair, server: Option<&PublicKey>) -> Result<(), Error> {
    socket.set_curve_publickey(keys.public.as_bytes())?;
    socket.set_curve_secretkey(keys.secret.as_bytes())?;
    server.map_or(Ok(()), |server| socket.set_curve_serverkey(server.as_bytes()))
}

/// Sees that libzmq has taken everything as it was meant.
fn verify(socket: &Socket, options: &SocketOptions) -> Result<(), Cause> {
    let security = &options.security;
    let expected = match security.mechanism() {
        MechanismName::Null => Mechanism::ZMQ_NULL,
        MechanismName::Plain => Mechanism::ZMQ_PLAIN,
        MechanismName::Curve => Mechanism::ZMQ_CURVE,
        other => return Err(unsupported(format!("{other} is not to be had over libzmq"))),
    };
    let is_server = match security.mechanism() {
        MechanismName::Plain => socket.is_plain_server(),
        MechanismName::Curve => socket.is_curve_server(),
        _ => Ok(false),
    };
    let has = socket.get_mechanism().map_err(endpoint::explain)?;
    if has != expected || is_server.map_err(endpoint::explain)? != security.is_server() {
        return Err(unsupported(format!(
            "libzmq does not speak {} as asked",
            security.mechanism()
        )));
    }
    Ok(())
}

fn unsupported(words: impl Into<Box<str>>) -> Cause {
    Cause::new(ErrorKind::Unsupported, words)
}
