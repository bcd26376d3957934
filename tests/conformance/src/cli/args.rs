//! What the arguments of the command mean.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use glob::Pattern;

use crate::{
    case::Level,
    peers,
    plan::{Candidate, Plan},
    report::Format,
    subject::{Role, Source},
    watch::Settings,
};

/// Judges zerorpc implementations: which rules of the protocol they keep, and what they do instead.
///
/// CMD is a line of the shell with the placeholder {endpoint}, and {heartbeat} where it can be told an interval in
/// seconds: 'zerorpc --server --bind {endpoint} --heartbeat {heartbeat} MODULE'. CONTRACT.md says what it has to offer.
/// In its place, @python, @node, @ours, @ours-zmq and @ours-command are ready-made peers, which are installed where that is needed.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Explain the cases of both roles.
    #[arg(long)]
    pub(super) list: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Which cases are wanted, or which checks.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Only those whose name matches this, such as 'channel.*'; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<Pattern>,
    /// This level, and those above it.
    #[arg(long, value_enum, default_value = "may")]
    pub(super) level: LevelName,
}

/// How cases are run, and what is shown of it.
#[derive(Debug, clap::Args)]
pub(super) struct Judging {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// How many cases run at a time.
    #[arg(long, value_name = "N", default_value = "24", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: u16,
    /// Believe a case that fails beside others, without another run of its own.
    #[arg(long)]
    pub(super) no_repeat: bool,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    /// Explain the cases instead of running them.
    #[arg(long)]
    pub(super) list: bool,
}

/// Of what is started by a command.
#[derive(Debug, clap::Args)]
pub(super) struct Timing {
    /// By how much the heartbeat interval of 5 seconds is multiplied, where CMD has {heartbeat}.
    #[arg(long, value_name = "FACTOR", default_value = "0.2", value_parser = time_scale)]
    pub(super) time_scale: f64,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judge servers.
    Server {
        /// What starts each of them.
        #[arg(value_name = "CMD", required_unless_present = "list")]
        commands: Vec<String>,
        /// They connect to {endpoint} instead of listening there.
        #[arg(long)]
        worker: bool,
        #[command(flatten)]
        timing: Timing,
        #[command(flatten)]
        judging: Judging,
    },
    /// Judge clients.
    Client {
        /// What starts each of them.
        #[arg(value_name = "CMD", required_unless_present = "list")]
        commands: Vec<String>,
        #[command(flatten)]
        timing: Timing,
        #[command(flatten)]
        judging: Judging,
    },
    /// Judge implementations in both roles.
    Both {
        /// A server and a client, or any number of ready-made peers.
        #[arg(value_name = "CMD", required_unless_present = "list")]
        commands: Vec<String>,
        #[command(flatten)]
        timing: Timing,
        #[command(flatten)]
        judging: Judging,
    },
    /// Judge a server that runs already.
    Connect {
        /// Where it listens, such as tcp://127.0.0.1:4242.
        #[arg(required_unless_present = "list")]
        endpoint: Option<String>,
        #[command(flatten)]
        judging: Judging,
    },
    /// Stand between two peers, pass on what they say unchanged, and judge it: --list tells what is looked for.
    ///
    /// It ends at SIGINT or SIGTERM. What is encrypted is passed on unread.
    Proxy(ProxyArgs),
    /// Judge what was captured: a file of tcpdump or Wireshark, or the bytes of one direction of a connection.
    Decode(DecodeArgs),
    /// Write the programs of the ready-made peers into a folder.
    Peers {
        /// It is made if it is not there.
        folder: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LevelName {
    Must,
    Should,
    May,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Must => Self::Must,
            LevelName::Should => Self::Should,
            LevelName::May => Self::May,
        }
    }
}

impl Choice {
    /// A plan for these, with all else as it is by default.
    pub(super) fn plan(&self) -> Plan {
        Plan { only: self.only.clone(), level: self.level.into(), ..Plan::default() }
    }
}

/// Whom to judge as servers.
pub(super) fn servers(commands: &[String], worker: bool) -> Result<Vec<Candidate>, String> {
    let server = |line: &String| match line.strip_prefix('@') {
        Some(name) if worker => peers::worker(name),
        Some(name) => Ok(Candidate { client: None, ..peers::ready_made(name)? }),
        None if worker => candidate(line, Some(Source::Worker(with_endpoint(line)?)), None),
        None => candidate(line, Some(command(line, Role::Server)?), None),
    };
    commands.iter().map(server).collect()
}

/// Whom to judge as clients.
pub(super) fn clients(commands: &[String]) -> Result<Vec<Candidate>, String> {
    let client = |line: &String| match line.strip_prefix('@') {
        Some(name) => peers::client(name),
        None => candidate(line, None, Some(command(line, Role::Client)?)),
    };
    commands.iter().map(client).collect()
}

/// A server that runs already.
pub(super) fn running(endpoint: &str) -> Result<Vec<Candidate>, String> {
    let address = resolve(endpoint)?;
    Ok(vec![candidate(endpoint, Some(Source::Running(address)), None)?])
}

/// Whom to judge in both roles.
pub(super) fn both(commands: &[String]) -> Result<Vec<Candidate>, String> {
    let names: Option<Vec<&str>> = commands.iter().map(|line| line.strip_prefix('@')).collect();
    match (names, commands) {
        (Some(names), _) => names.into_iter().map(peers::ready_made).collect(),
        (None, [server, client]) if commands.iter().all(|line| !line.starts_with('@')) => {
            let (server, client) = (command(server, Role::Server)?, command(client, Role::Client)?);
            Ok(vec![candidate(&commands[0], Some(server), Some(client))?])
        }
        _ => Err("`both` takes one command of a server and one of a client, or names of ready-made peers alone".to_owned()),
    }
}

fn candidate(
    name: &str,
    server: Option<Source>,
    client: Option<Source>,
) -> Result<Candidate, String> {
    Ok(Candidate { name: name.to_owned(), server, client })
}

fn command(line: &str, role: Role) -> Result<Source, String> {
    Ok(Source::Command { line: with_endpoint(line)?, role })
}

fn with_endpoint(line: &str) -> Result<String, String> {
    if line.contains("{endpoint}") {
        return Ok(line.to_owned());
    }
    Err(format!(
        "the command `{line}` lacks {{endpoint}}, which stands for where it listens or connects to"
    ))
}

fn resolve(endpoint: &str) -> Result<SocketAddr, String> {
    let address = endpoint
        .strip_prefix("tcp://")
        .ok_or_else(|| format!("{endpoint}: only tcp:// endpoints can be judged"))?;
    let mut addresses =
        address.to_socket_addrs().map_err(|error| format!("{endpoint}: {error}"))?;
    addresses.next().ok_or_else(|| format!("{endpoint} has no address"))
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.01..=10.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 0.01 to 10 is needed".to_owned()),
    }
}

/// What is judged of traffic, and what is shown of it.
#[derive(Debug, clap::Args)]
pub(super) struct Watching {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Show everything that is said, decoded.
    #[arg(long)]
    pub(super) dump: bool,
    /// The heartbeat interval of the peers, in seconds; 0 where silence is not to be judged.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(super) heartbeat: Duration,
    /// How long something may be on its way before it counts as late, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(super) grace: Duration,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Words,
    /// Explain what is looked for.
    #[arg(long)]
    pub(super) list: bool,
}

/// A form of what is told of traffic.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Words {
    /// Lines for people.
    Human,
    /// An object a line.
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct ProxyArgs {
    /// Where it listens, such as tcp://127.0.0.1:4243.
    #[arg(required_unless_present = "list")]
    pub(super) listen: Option<String>,
    /// Where it makes a connection for each that it takes, such as tcp://127.0.0.1:4242.
    #[arg(required_unless_present = "list")]
    pub(super) target: Option<String>,
    /// End when all connections have ended.
    #[arg(long)]
    pub(super) once: bool,
    #[command(flatten)]
    pub(super) watching: Watching,
}

#[derive(Debug, clap::Args)]
pub(super) struct DecodeArgs {
    /// A capture of packets (pcap, pcapng), or the bytes of one direction of one connection; `-` is stdin.
    #[arg(required_unless_present = "list")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) watching: Watching,
}

impl Watching {
    pub(super) fn settings(&self) -> Settings {
        let interval = (self.heartbeat > Duration::ZERO).then_some(self.heartbeat);
        Settings { interval, grace: self.grace, dump: self.dump }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "a number of seconds is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_need_a_place_for_the_endpoint() {
        assert!(command("serve {endpoint}", Role::Server).is_ok());
        assert!(command("serve", Role::Server).is_err_and(|words| words.contains("{endpoint}")));
    }

    /// What each subcommand takes is what it uses; all else is an error.
    #[test]
    fn every_subcommand_has_the_options_that_it_uses() {
        use clap::CommandFactory;
        let run = "only level jobs no-repeat format list";
        let watch = "only level dump heartbeat grace format list";
        let of = |command: &clap::Command| {
            command.get_arguments().filter_map(|arg| arg.get_long()).collect::<Vec<_>>().join(" ")
        };
        let args = Args::command();
        assert_eq!(of(&args), "only level list");
        let seen: Vec<_> = args.get_subcommands().map(|it| (it.get_name(), of(it))).collect();
        let expected = [
            ("server", format!("worker time-scale {run}")),
            ("client", format!("time-scale {run}")),
            ("both", format!("time-scale {run}")),
            ("connect", run.to_owned()),
            ("proxy", format!("once {watch}")),
            ("decode", watch.to_owned()),
            ("peers", String::new()),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn both_takes_a_server_and_a_client() {
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let pair = both(&lines(&["s {endpoint}", "c {endpoint}"])).expect("a pair");
        assert!(pair[0].server.is_some() && pair[0].client.is_some());
        assert!(both(&lines(&["s {endpoint}"])).is_err());
        assert!(both(&lines(&["@nobody"])).is_err());
    }

    #[test]
    fn factors_of_time_have_bounds() {
        assert_eq!(time_scale("0.5"), Ok(0.5));
        for text in ["0", "-1", "NaN", "11", "x"] {
            assert!(time_scale(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arguments_are_as_clap_wants_them() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
