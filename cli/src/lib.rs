//! The `zerorpc` command, also installed as `zerorpc-client`.
//!
//! A command line goes one way: raw flags (`args`), resolved into a plan (`plan`), which is acted on by one side
//! (`client`, `server`). Results are laid out by `render`, what a service tells of itself by `inspect`; how the
//! command ends is in `exit`. Values that JSON lacks have the forms described in `extended_json`.

use std::process::ExitCode;

use crate::{
    args::Flags,
    exit::{CliError, Exit},
    plan::{Plan, Role},
};

mod args;
mod client;
mod exit;
mod extended_json;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
mod params;
mod plan;
mod render;
mod server;
mod status;

/// Runs the command with the arguments of this process.
///
/// Its exit codes are listed at the end of `zerorpc --help`.
pub fn main() -> ExitCode {
    run().into()
}

fn run() -> Exit {
    let flags = Flags::parse_from_argv(std::env::args_os());
    let planned = flags.and_then(|flags| {
        let debug = flags.debug;
        Ok((debug, Plan::resolve(flags).map_err(Flags::error)?))
    });
    let (debug, plan) = match planned {
        Ok(planned) => planned,
        Err(message) => {
            // Also help and version, which go to standard output. Nothing can be done if nobody reads them.
            let _ = message.print();
            return if message.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    status::start_log(debug);
    act(&plan).unwrap_or_else(|error| {
        match error {
            CliError { ref message, .. } if message.is_empty() => {}
            CliError { exit: Exit::Remote, ref message } => status::print(message),
            CliError { ref message, .. } => status::print(format_args!("error: {message}")),
        }
        error.exit
    })
}

fn act(plan: &Plan) -> Result<Exit, CliError> {
    match &plan.role {
        Role::Client(role) => client::run(plan, role).map(|()| Exit::Success),
        Role::Server(role) => server::run(plan, role),
    }
}
