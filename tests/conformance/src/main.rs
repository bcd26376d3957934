//! The command `zerorpc-conformance`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zerorpc_conformance::cli::main()
}
