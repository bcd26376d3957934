//! The command line as it was typed; [`crate::plan`] makes sense of it.

mod accept;
mod security;

use std::{ffi::OsString, iter, num::NonZeroUsize, str::FromStr, sync::LazyLock, time::Duration};

use clap::{CommandFactory, Parser, error::ErrorKind};
use zerorpc::{DEFAULT_POOL_SIZE, TransportKind};

use crate::{exit::Exit, extended_json};
pub(crate) use accept::AcceptFlags;
pub(crate) use security::SecurityFlags;

const USAGE: &str = "\
zerorpc [OPTIONS] ADDRESS [COMMAND [PARAMS]...]
       zerorpc [OPTIONS] --server ADDRESS MODULE
       zerorpc [OPTIONS] --bind|--connect ADDRESS ... [COMMAND [PARAMS]...]
       zerorpc [OPTIONS] --bind|--connect ADDRESS ... --server MODULE
       zerorpc --keygen NAME";

const EXAMPLES: &str = "\
Examples:
  zerorpc --server --bind tcp://*:1234 time           serve the Python module `time`
  zerorpc tcp://127.0.0.1:1234                        list its methods
  zerorpc tcp://127.0.0.1:1234 strftime %Y/%m/%d      call one, with text as parameter
  zerorpc --json tcp://127.0.0.1:1234 sleep 3         call one, with a number
  zerorpc --inspect tcp://127.0.0.1:1234 sleep        show how it is called
  zerorpc --bind tcp://*:1235 localtime               wait for a worker, then call it
  zerorpc --server tcp://127.0.0.1:1235 time          be such a worker";

static DEFAULT_POOL: LazyLock<String> = LazyLock::new(|| DEFAULT_POOL_SIZE.to_string());

/// Call the methods of a service, or serve a Python module
///
/// A module is served without changing a line of it. Results go to standard output as JSON, everything else to
/// standard error.
#[derive(Debug, Parser)]
#[command(
    name = "zerorpc",
    version,
    override_usage = USAGE,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}\n\n{}", extended_json::HELP, Exit::HELP),
    infer_long_args = true,
    allow_negative_numbers = true,
    args_override_self = true,
)]
pub(crate) struct Flags {
    /// Call methods; this is the default
    #[arg(long, conflicts_with = "server")]
    client: bool,

    /// Serve a Python module: MODULE, PACKAGE.MODULE or MODULE.OBJECT, also from the current directory
    // Its beginnings were enough before there was --server-key.
    #[arg(long, aliases = ["s", "se", "ser", "serv", "serve"])]
    pub(crate) server: bool,

    /// Connect to this address; may be repeated and mixed with --bind
    ///
    /// A client uses all addresses that a name has. With `?connections=N` behind a tcp address there are N connections
    /// to each, which a balancer may lead to as many servers
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) connect: Vec<String>,

    /// Accept connections at this address; may be repeated and mixed with --connect
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Vec<String>,

    /// How long to wait for the first answer to a call
    ///
    /// Where no server is connected after 2 seconds, a line on standard error says so, and why.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Interval of the heartbeats; a remote that is silent for two of them is lost. 0 or none: no heartbeats
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = interval)]
    pub(crate) heartbeat: Interval,

    /// Ask after so long without traffic whether the other machine is still there, and wait as long again for a sign of
    /// life, before the connection is given up and made anew. 0 or none: never
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = interval)]
    pub(crate) keepalive: Interval,

    /// Who may connect to an ipc address that is bound, as chmod takes it, such as 660; its owner alone unless given
    ///
    /// Names without a file (ipc://@NAME) have no mode: everybody on this machine may connect there.
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(crate) ipc_mode: Option<u32>,

    /// The group of an ipc address that is bound, by name or number; goes with --ipc-mode 660
    #[arg(long, value_name = "GROUP")]
    pub(crate) ipc_group: Option<String>,

    #[command(flatten)]
    pub(crate) accept: AcceptFlags,

    /// Server: run up to N calls at the same time, in threads, for modules that are safe for it
    ///
    /// Without it, calls of a module run one at a time, in its main thread, as in plain Python; `async` methods run
    /// side by side. Calls of modules that import gevent run as greenlets.
    #[arg(long, value_name = "N", value_parser = at_least_one::<NonZeroUsize>)]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Server: run calls as greenlets of gevent, also if the module does not import it
    #[arg(long, overrides_with = "no_gevent")]
    pub(crate) gevent: bool,

    /// Server: do not run calls as greenlets, also if the module imports gevent
    #[arg(long, overrides_with = "gevent")]
    pub(crate) no_gevent: bool,

    /// Server: how many calls are in progress at a time, waiting streams not counted
    #[arg(long, value_name = "N", default_value = DEFAULT_POOL.as_str(), value_parser = at_least_one::<NonZeroUsize>)]
    pub(crate) pool_size: NonZeroUsize,

    /// Server: how much may be kept for callers, in MiB: requests that wait, answers that they do not read
    ///
    /// When it is nearly used up, the caller is cut off for which most is kept. One caller alone has 40 MiB of it, or all
    /// there is if that is less.
    #[arg(long, value_name = "MIB", default_value = "1024", value_parser = at_least_one::<NonZeroUsize>)]
    pub(crate) max_memory: NonZeroUsize,

    /// Server: do not log the tracebacks of methods that raise. Client: do not tell that no server is connected yet
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Each parameter is JSON, instead of text as it stands
    #[arg(short, long)]
    pub(crate) json: bool,

    /// Print a stream as one JSON array, instead of one line per item; also -pj
    #[arg(long)]
    pub(crate) print_json: bool,

    /// Show the signatures of all methods, or signature and documentation of one
    #[arg(short = '?', long)]
    pub(crate) inspect: bool,

    /// Client: send heartbeats from the start, instead of after the first one heard
    #[arg(long)]
    pub(crate) active_hb: bool,

    /// What moves the messages: mio, or zmq in builds with that feature
    #[arg(long, value_name = "KIND", default_value = TransportKind::default().name())]
    pub(crate) transport: TransportKind,

    /// Log to standard error what happens; RUST_LOG chooses more finely
    #[arg(short, long)]
    pub(crate) debug: bool,

    #[command(flatten)]
    pub(crate) security: SecurityFlags,

    /// Address (unless --bind or --connect is given), then the command and its parameters, or the module
    #[arg(value_name = "ADDRESS|COMMAND|PARAMS", hide = true)]
    pub(crate) words: Vec<OsString>,
}

/// The time between two signs of life, if there are any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval(pub(crate) Option<Duration>);

impl Flags {
    /// Reads the command line, the program's name included.
    ///
    /// # Errors
    /// What to tell the user; also when help or the version was asked for.
    pub(crate) fn parse_from_argv(
        argv: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        Self::try_parse_from(spell_out(argv))
    }

    /// An error in the look of those that the parser finds by itself.
    pub(crate) fn error(message: impl std::fmt::Display) -> clap::Error {
        Self::command().error(ErrorKind::ValueValidation, message)
    }
}

/// Replaces `-pj`, a short flag of two letters, which the parser does not know.
fn spell_out(argv: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut argv = argv.into_iter();
    let mut options_ended = false;
    iter::from_fn(move || {
        let word = argv.next()?;
        options_ended |= word == "--";
        Some(if word == "-pj" && !options_ended { "--print-json".into() } else { word })
    })
}

/// Between a millisecond, below which only mistakes are found, and about thirty years, up to which clocks
/// can be trusted not to overflow.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it must be a number of seconds".to_owned())?;
    if (1e-3..=1e9).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("it must be a number of seconds from 0.001 to 1000000000".to_owned())
    }
}

/// Seconds, or nothing.
fn interval(text: &str) -> Result<Interval, String> {
    if text == "none" || text.parse() == Ok(0.0) {
        return Ok(Interval(None));
    }
    let time = seconds(text).map_err(|reason| format!("{reason}, or 0 or none"))?;
    Ok(Interval(Some(time)))
}

/// The permissions of a file, in octal.
fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("it must be an octal number from 0 to 777, such as 660".to_owned()),
    }
}

pub(crate) fn at_least_one<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "it must be a whole number, at least 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Flags;

    #[test]
    fn the_definition_is_sound() {
        Flags::command().debug_assert();
    }

    #[test]
    fn help_tells_codes_and_forms() {
        let help = Flags::command().render_long_help().to_string();
        for part in [
            "--pool-size <N>",
            "--threads <N>",
            "--no-gevent",
            "Examples:",
            "Exit codes:\n  0",
            "$timestamp",
            "-?, --inspect",
        ] {
            assert!(help.contains(part), "{part} is missing in:\n{help}");
        }
    }
}
