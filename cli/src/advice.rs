//! Which flags help a client that is not let in, or where something is too large.

use crate::{
    exit::{CliError, Exit},
    plan::SecurityPlan,
};

/// Adds to an error, in a line of its own, the flags that have to do with it.
pub(crate) fn on(mut error: CliError, plan: &SecurityPlan) -> CliError {
    let advice = match error.exit {
        Exit::Denied => Some(flags(&error.message, plan)),
        _ => of_setting(&error.message),
    };
    if let Some(advice) = advice {
        error.message = format!("{}\n{advice}", error.message);
    }
    error
}

/// What the command has for a setting that is named to programs.
pub(crate) fn of_setting(message: &str) -> Option<&'static str> {
    const SETTINGS: [(&str, &str); 4] = [
        ("Limits::total_bytes", "for servers of this command: --max-memory MIB"),
        (
            "Limits::peer_bytes",
            "for servers of this command: 40 MiB, and no more than --max-memory MIB",
        ),
        ("SocketOptions::max_frame", TOO_LARGE),
        ("Limits::message_bytes", TOO_LARGE),
    ];
    /// There is no flag.
    const TOO_LARGE: &str = "this command takes 1 GiB at most: ask for it in parts, such as a stream, or write a program";
    let named = SETTINGS.iter().find(|(name, _)| message.contains(name));
    named.map(|(_, advice)| *advice)
}

/// The reason is in words, of which the mechanism that the server wants is one.
fn flags(reason: &str, plan: &SecurityPlan) -> &'static str {
    let theirs = ["CURVE", "PLAIN", "NULL"]
        .into_iter()
        .find(|name| reason.contains(&format!("mechanism is {name},")));
    match (theirs, plan) {
        _ if reason.contains("both sides are clients") => "start one of the two with --server",
        (Some("CURVE"), SecurityPlan::User { .. }) => {
            "it knows clients by keys, not by passwords: instead of --user give --server-key FILE (its .key) and --key FILE (your \
             own .key_secret, made by --keygen NAME)"
        }
        (Some("CURVE"), _) => {
            "give --server-key FILE (its .key) and --key FILE (your own .key_secret, made by --keygen NAME)"
        }
        (Some("PLAIN"), SecurityPlan::ServerKey { .. }) => {
            "it knows clients by passwords, not by keys: instead of --server-key and --key give --user NAME and --password-file FILE"
        }
        (Some("PLAIN"), _) => "give --user NAME and --password-file FILE",
        (Some(_), SecurityPlan::User { .. }) => {
            "it asks for no password: leave --user out, or start it with --authorized-keys FILE"
        }
        (Some(_), _) => {
            "it has no key, so nothing is encrypted there: leave --server-key and --key out, or start it with --key FILE and \
             --authorized-keys FILE|DIR"
        }
        // libzmq does not tell which one.
        (None, _) if reason.contains("another security mechanism") => {
            "a server with a key takes --server-key FILE and --key FILE, one with users --user NAME and --password-file FILE, any \
             other one neither"
        }
        (None, SecurityPlan::User { .. }) if reason.contains("a ZAP handler") => {
            "give the server a ZAP handler, such as zmq.auth.Authenticator of pyzmq"
        }
        (None, SecurityPlan::User { .. }) => {
            "check --user NAME and --password-file FILE against the rules of the server's --authorized-keys"
        }
        (None, SecurityPlan::ServerKey { own: None, .. }) => {
            "check --server-key (the server tells its key when it starts), and give --key FILE with a key that the server's \
             --authorized-keys has: without one, a new key is made each time"
        }
        (None, SecurityPlan::ServerKey { .. }) => {
            "check --server-key (the server tells its key when it starts), and that the server's --authorized-keys has the key of \
             --key"
        }
        (None, _) => "check the server's --authorized-keys, --allow-uid and --allow-gid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_programs_are_told_as_flags_where_there_are_some() {
        let on = |exit, message| on(CliError::new(exit, message), &SecurityPlan::None).message;
        let frame =
            "the peer announced a frame of 2000000000 bytes; raise SocketOptions::max_frame";
        for (exit, message, advice) in [
            (
                Exit::Remote,
                "ServerBusy: raise Limits::total_bytes of the server",
                "--max-memory MIB",
            ),
            (Exit::LostRemote, frame, "this command takes 1 GiB at most"),
            (Exit::Remote, "ValueError: bad", ""),
        ] {
            let told = on(exit, message);
            assert!(told.starts_with(message) && told[message.len()..].contains(advice), "{told}");
            assert_eq!(told.contains('\n'), !advice.is_empty(), "{told}");
        }
    }
}
