//! The `zerorpc` command under its older name; it does exactly the same.

use std::process::ExitCode;

fn main() -> ExitCode {
    zerorpc_cli::main()
}
