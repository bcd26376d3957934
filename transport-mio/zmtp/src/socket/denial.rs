//! Handshakes that come to nothing until somebody changes settings.

use zerorpc_proto::transport::Security;

use super::{
    close_reason::CloseReason,
    connection::{Connection, Origin},
};
use crate::Violation;

/// Whether a connection was to be, and one side did not let the other in, or wants another mechanism.
pub(super) fn is_one(reason: &CloseReason, connection: &Connection) -> bool {
    if connection.peer.is_some() {
        return false;
    }
    match reason {
        CloseReason::Violation(violation) => violation.is_denial(),
        reason => reason.is_end_of_stream() && connection.engine.is_showing_key(),
    }
}

/// What may be behind a connection that ended in its handshake, if that may be such a denial. Another attempt will show it.
pub(super) fn suspicion(reason: &CloseReason, connection: &Connection) -> Option<String> {
    let engine = &connection.engine;
    if connection.origin != Origin::Dialed || !reason.is_end_of_stream() {
        None
    } else if engine.awaits_mechanism() {
        // Before it has said which one it speaks.
        let ours = engine.security().mechanism();
        Some(format!(
            " in the middle of the handshake: so libzmq does where it wants another security mechanism than {ours}, which is \
             ours; or the server is stopping, or something in between (a proxy) says what is not ZMTP"
        ))
    } else if engine.is_showing_password() {
        Some(
            " when it was shown a password: so libzmq does where nobody says which users it lets in (a ZAP handler); or the \
             server is stopping"
                .to_owned(),
        )
    } else {
        None
    }
}

/// What whoever has connected can do about it.
pub(super) fn hint(reason: &CloseReason, connection: &Connection) -> &'static str {
    const BOTH_CLIENTS: &str = "; both sides are clients, and one has to be the server: who serves is the server, who calls the \
                                client";
    if matches!(reason, CloseReason::Violation(Violation::OutOfTurn { .. })) {
        return BOTH_CLIENTS;
    }
    if connection.origin != Origin::Dialed {
        return "";
    }
    match (reason, connection.engine.security()) {
        (CloseReason::Violation(Violation::Mechanism { theirs, .. }), ours) => {
            match theirs.as_str() {
                "CURVE" => "; give its public key and a key of your own",
                "PLAIN" => "; give a user name and a password",
                _ if matches!(ours, Security::CurveClient { .. }) => {
                    "; it can prove nothing and encrypts nothing: give it a key, or leave out its key here"
                }
                _ => "",
            }
        }
        (CloseReason::Violation(Violation::Refused { .. }), ours) => match ours {
            Security::PlainClient(_) => "; the user name or the password is wrong",
            _ => {
                "; it lets nobody in who is not known to it: show it a key or a password, or have this user or address let in"
            }
        },
        (CloseReason::Eof | CloseReason::Failed(_), _) => {
            " when it was shown a key; the server's key that is expected here may be another's, or this side's is not let in"
        }
        _ => "",
    }
}
