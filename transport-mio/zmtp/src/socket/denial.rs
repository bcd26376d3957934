//! Handshakes that come to nothing until somebody changes settings.

use zerorpc_proto::transport::Security;

use super::{CloseReason, Origin, connection::Connection};
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

/// Whether it may be one, which another attempt will show: libzmq hangs up before it has said which mechanism it speaks, if
/// it has heard of another one.
pub(super) fn may_be_one(reason: &CloseReason, connection: &Connection) -> bool {
    connection.origin == Origin::Dialed
        && reason.is_end_of_stream()
        && connection.engine.awaits_mechanism()
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
