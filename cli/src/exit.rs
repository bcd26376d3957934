//! Exit codes, all of them, and what stops the command before its work is done.
//!
//! The reference exits with 1 for everything that goes wrong at run time and with 255 when the address or the
//! module is missing (protocol section 10). Scripts want to tell a remote error from a dead server, so here
//! each kind has a code of its own, and a missing address is a usage error like any other.

use std::{io, process::ExitCode};

use zerorpc::RemoteError;

use crate::remote;

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The work is done; also a server that was asked to end by SIGTERM, and a closed standard output.
    Success = 0,
    /// The service answered with an error.
    Remote = 1,
    /// The command line makes no sense, or a parameter is not the JSON it should be.
    Usage = 2,
    /// No answer came in time.
    Timeout = 3,
    /// The service stopped giving signs of life while it worked on the call.
    LostRemote = 4,
    /// An address cannot be bound, or nobody could be connected to within the timeout.
    Endpoint = 5,
    /// The module to be served cannot be served.
    Module = 6,
    /// Anything else went wrong on this side, or the service broke the protocol.
    Failed = 7,
    /// The service does not let this side in, or wants another security mechanism.
    Denied = 8,
    /// Ended by SIGINT. A server leaves with this code; a client simply dies by the signal, which shells
    /// report as the same number.
    Interrupted = 130,
}

impl Exit {
    /// The codes and their meanings, as `--help` shows them.
    pub(crate) const HELP: &str = "\
Exit codes:
  0    success; also a server ended by SIGTERM
  1    the service answered with an error
  2    wrong usage, or a parameter that is not the JSON it should be
  3    no answer within the timeout
  4    the remote was lost: no sign of life while it worked on the call
  5    an address cannot be bound, or nobody can be reached there within the timeout
  6    the module cannot be served
  7    anything else that failed on this side
  8    the service does not let this side in, or wants another security mechanism
  130  interrupted by SIGINT (Ctrl-C)";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the command stops before its work is done: what to tell, and the code to leave with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    /// For people; several lines when it carries a remote traceback. Empty when there is nothing to tell.
    pub(crate) message: String,
}

impl CliError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Something that failed on this side and has no code of its own.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }
}

impl From<io::Error> for CliError {
    /// For errors of standard output. Nobody reading on (`| head -1`) is no failure and needs no words.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Success, ""),
            _ => Self::failed(format!("cannot write the result: {error}")),
        }
    }
}

/// Stands behind the error of a service that lacks what was asked for, which is the bare name.
const UNKNOWN: &str =
    "the service has no method of that name: give the address alone to see those that it has";

/// Whether a service says that it lacks a method. The built-in ones are in no list.
fn is_unknown(method: &str, error: &RemoteError) -> bool {
    error.name == "NameError" && error.message == method && !method.starts_with("_zerorpc_")
}

impl From<zerorpc::Error> for CliError {
    fn from(error: zerorpc::Error) -> Self {
        let exit = match &error {
            zerorpc::Error::Remote { method, error } => {
                let mut text = remote::describe(&error.name, &error.message, &error.traceback);
                if is_unknown(method, error) {
                    text.push('\n');
                    text.push_str(UNKNOWN);
                }
                return Self::new(Exit::Remote, text);
            }
            zerorpc::Error::Timeout { .. } => Exit::Timeout,
            zerorpc::Error::LostRemote { .. } => Exit::LostRemote,
            zerorpc::Error::Endpoint(_) | zerorpc::Error::Unreachable { .. } => Exit::Endpoint,
            zerorpc::Error::Denied { .. } => Exit::Denied,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}
