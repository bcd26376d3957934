//! The `zerorpc` command; see `zerorpc --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zerorpc_cli::main()
}
