//! The command `zerorpc-conformance`.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use zerorpc_conformance::{
    Role,
    run::{Plan, run_all},
    subject::Source,
};

/// Judges zerorpc implementations.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// `server` or `client`.
    role: String,
    /// The command that starts the implementation under test, with `{endpoint}` in it.
    command: String,
    /// Only cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let role = if args.role == "client" { Role::Client } else { Role::Server };
    let line = args.command.replace("{heartbeat}", "1");
    let interval = Duration::from_secs(if args.command.contains("{heartbeat}") { 1 } else { 5 });
    let plan = Plan { source: Source::Command { line, role }, role, interval, only: args.only };
    let failed = run_all(&plan);
    ExitCode::from(u8::from(failed > 0))
}
