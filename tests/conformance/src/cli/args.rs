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
    plan::Candidate,
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
#[command(version, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Judging {
    /// Only cases whose name matches this, such as 'channel.*'; may be repeated.
    #[arg(long, value_name = "GLOB", global = true)]
    pub(super) only: Vec<Pattern>,
    /// This level, and those above it.
    #[arg(long, value_enum, default_value = "may", global = true)]
    pub(super) level: LevelName,
    /// By how much the heartbeat interval of 5 seconds is multiplied, where CMD has {heartbeat}.
    #[arg(long, value_name = "FACTOR", default_value = "0.2", value_parser = time_scale, global = true)]
    pub(super) time_scale: f64,
    /// How many cases run at a time.
    #[arg(long, value_name = "N", default_value = "24", value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub(super) jobs: u16,
    /// Believe a case that fails beside others, without another run of its own.
    #[arg(long, global = true)]
    pub(super) no_repeat: bool,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "human", global = true)]
    pub(super) format: Format,
    /// Explain the cases instead of running them.
    #[arg(long, global = true)]
    pub(super) list: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Judge servers.
    Server {
        /// What starts each of them.
        #[arg(value_name = "CMD", required = true)]
        commands: Vec<String>,
        /// They connect to {endpoint} instead of listening there.
        #[arg(long)]
        worker: bool,
    },
    /// Judge clients.
    Client {
        /// What starts each of them.
        #[arg(value_name = "CMD", required = true)]
        commands: Vec<String>,
    },
    /// Judge implementations in both roles.
    Both {
        /// A server and a client, or any number of ready-made peers.
        #[arg(value_name = "CMD", required = true)]
        commands: Vec<String>,
    },
    /// Judge a server that runs already.
    Connect {
        /// Where it listens, such as tcp://127.0.0.1:4242.
        endpoint: String,
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

impl Command {
    /// Whom to judge.
    pub(super) fn candidates(&self) -> Result<Vec<Candidate>, String> {
        match self {
            Self::Server { commands, worker } => commands
                .iter()
                .map(|line| match line.strip_prefix('@') {
                    Some(name) if *worker => peers::worker(name),
                    Some(name) => Ok(Candidate { client: None, ..peers::ready_made(name)? }),
                    None if *worker => {
                        candidate(line, Some(Source::Worker(with_endpoint(line)?)), None)
                    }
                    None => candidate(line, Some(command(line, Role::Server)?), None),
                })
                .collect(),
            Self::Client { commands } => commands
                .iter()
                .map(|line| match line.strip_prefix('@') {
                    Some(name) => peers::client(name),
                    None => candidate(line, None, Some(command(line, Role::Client)?)),
                })
                .collect(),
            Self::Both { commands } => both(commands),
            Self::Connect { endpoint } => {
                let address = resolve(endpoint)?;
                Ok(vec![candidate(endpoint, Some(Source::Running(address)), None)?])
            }
            Self::Peers { .. } | Self::Proxy(_) | Self::Decode(_) => Ok(Vec::new()),
        }
    }
}

fn both(commands: &[String]) -> Result<Vec<Candidate>, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_need_a_place_for_the_endpoint() {
        assert!(command("serve {endpoint}", Role::Server).is_ok());
        assert!(command("serve", Role::Server).is_err_and(|words| words.contains("{endpoint}")));
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

/// What is judged, and what is shown of it.
#[derive(Debug, clap::Args)]
pub(super) struct Watching {
    /// Show everything that is said, decoded.
    #[arg(long)]
    pub(super) dump: bool,
    /// The heartbeat interval of the peers, in seconds; 0 where silence is not to be judged.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(super) heartbeat: Duration,
    /// How long something may be on its way before it counts as late, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(super) grace: Duration,
}

#[derive(Debug, clap::Args)]
pub(super) struct ProxyArgs {
    /// Where it listens, such as tcp://127.0.0.1:4243.
    pub(super) listen: String,
    /// Where it makes a connection for each that it takes, such as tcp://127.0.0.1:4242.
    pub(super) target: String,
    /// End when all connections have ended.
    #[arg(long)]
    pub(super) once: bool,
    #[command(flatten)]
    pub(super) watching: Watching,
}

#[derive(Debug, clap::Args)]
pub(super) struct DecodeArgs {
    /// A capture of packets (pcap, pcapng), or the bytes of one direction of one connection; `-` is stdin.
    pub(super) file: PathBuf,
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
