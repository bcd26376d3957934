//! An hour of mixed load on real sockets, with short heartbeats, while peers are killed and made again: what the ones that
//! stay need of memory, descriptors and threads is sampled, judged and drawn.
//!
//! ```sh
//! cargo run --release -p zerorpc-tests --example soak -- --plot soak.svg
//! ```
//!
//! One server stays all the time, and one caller; they are what is looked at. Another server and all other callers are
//! restarted: every second time by a kill, else in good order. Each caller has many connections to the first server (over
//! tcp) and some to the other (over ipc), and keeps as many channels open as it has been told: half of them calls that are
//! answered late, half of them streams that it reads slowly, of which it forgets some and begins them again. Beside that it
//! makes short calls, small and large.

mod call;
mod conductor;
mod part;
mod plot;
mod samples;
mod serve;

use std::{alloc::System, error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// What is in use, apart from what the allocator keeps of what was: growth of resident memory is both.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What went wrong, for whoever started it.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Mixed load for hours, on real sockets; tells whether memory, descriptors and threads stay flat.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    plan: Plan,
}

/// How much of what.
#[derive(Args, Debug, Clone)]
struct Plan {
    /// How long it takes, connecting and ending not counted.
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    duration: Duration,
    /// Connections to the server that stays.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Channels that are open at any time to the server that stays.
    #[arg(long, default_value_t = 10_000)]
    channels: usize,
    /// How often a peer is ended and started again; every tenth time it is the other server.
    #[arg(long, default_value_t = 1_000)]
    restarts: u32,
    /// Callers, each of them a process; the first stays.
    #[arg(long, default_value_t = 20)]
    callers: usize,
    /// The time between heartbeats.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    heartbeat: Duration,
    /// Each stream is read an item of in this time.
    #[arg(long, value_name = "SECONDS", default_value = "0.25", value_parser = seconds)]
    pace: Duration,
    /// Draws the samples into this SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// What the processes are that the program starts of itself.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Serve(serve::Options),
    #[command(hide = true)]
    Call(call::Options),
}

fn main() -> ExitCode {
    let CommandLine { role, plan } = CommandLine::parse();
    let done = match &role {
        Some(Role::Serve(options)) => serve::run(options),
        Some(Role::Call(options)) => call::run(options),
        None => conductor::run(&plan),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What this process has allocated and not freed, in MiB.
fn heap() -> f64 {
    let stats = ALLOCATOR.stats();
    // Bytes come and go while they are counted.
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as f64 / f64::from(1 << 20)
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
