//! The `zerorpc` command, also installed as `zerorpc-client`.
//!
//! A command line goes one way: raw flags (`args`), resolved into a plan (`plan`), which is acted on by one side
//! (`client`, `server`). Results are laid out by `render`, what a service tells of itself by `inspect`; how the
//! command ends is in `exit`. Values that JSON lacks have the forms described in `extended_json`.

use std::{env, path::PathBuf, process::ExitCode};

use crate::{
    args::Flags,
    exit::{CliError, Exit},
    plan::{Plan, Role},
};

mod advice;
mod args;
mod client;
mod exit;
mod extended_json;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod guarded;
mod inspect;
mod key_file;
mod keygen;
mod params;
mod plan;
mod remote;
mod render;
mod rules;
mod security;
mod server;
mod status;
mod waiting;

/// Runs the command with the arguments of this process.
///
/// Its exit codes are listed at the end of `zerorpc --help`.
pub fn main() -> ExitCode {
    run().into()
}

fn run() -> Exit {
    let flags = Flags::parse_from_argv(env::args_os());
    let planned = flags.and_then(|mut flags| {
        let debug = flags.debug;
        Ok(match flags.security.keygen.take() {
            Some(name) => (debug, Errand::Keygen(name)),
            None => (
                debug,
                Errand::Plan(Box::new(
                    Plan::resolve(flags, &|name| env::var_os(name)).map_err(Flags::error)?,
                )),
            ),
        })
    });
    let (debug, errand) = match planned {
        Ok(planned) => planned,
        Err(message) => {
            // Also help and version, which go to standard output. Nothing can be done if nobody reads them.
            let _ = message.print();
            return if message.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    status::start_log(debug);
    errand.run().unwrap_or_else(|error| {
        match error {
            CliError { ref message, .. } if message.is_empty() => {}
            CliError { exit: Exit::Remote, ref message } => status::print(message),
            CliError { ref message, .. } => status::print(format_args!("error: {message}")),
        }
        error.exit
    })
}

/// What the command is there for this time.
enum Errand {
    /// To make a key of this name.
    Keygen(PathBuf),
    /// To call or to serve.
    Plan(Box<Plan>),
}

impl Errand {
    fn run(&self) -> Result<Exit, CliError> {
        match self {
            Self::Keygen(name) => keygen::run(name).map(|()| Exit::Success),
            Self::Plan(plan) => match &plan.role {
                Role::Client(role) => client::run(plan, role).map(|()| Exit::Success),
                Role::Server(role) => server::run(plan, role),
            },
        }
    }
}
