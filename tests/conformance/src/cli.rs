//! The command line.

mod args;
mod progress;
mod watching;

use std::{io::Write, process::ExitCode, thread};

use clap::Parser;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    case::Level,
    peers,
    plan::{Candidate, Plan},
    report::{Format, list, list_checks},
    run::judge,
    subject::{Role, groups},
    verdict::Judged,
};
use args::{Args, Choice, Command, DecodeArgs, Judging, ProxyArgs, Timing};
use progress::Progress;

/// Runs the command that the arguments of the process ask for.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    act(&args).unwrap_or_else(|words| {
        let _ = writeln!(std::io::stderr(), "zerorpc-conformance: {words}");
        ExitCode::from(2)
    })
}

fn act(args: &Args) -> Result<ExitCode, String> {
    const BOTH: &[Role] = &[Role::Server, Role::Client];
    let Some(command) = &args.command else {
        return match args.list {
            true => Ok(show_list(&args.choice, BOTH)),
            false => Err("what is to be judged? See --help".to_owned()),
        };
    };
    match command {
        Command::Server { judging, .. } | Command::Connect { judging, .. } if judging.list => {
            Ok(show_list(&judging.choice, &[Role::Server]))
        }
        Command::Client { judging, .. } if judging.list => {
            Ok(show_list(&judging.choice, &[Role::Client]))
        }
        Command::Both { judging, .. } if judging.list => Ok(show_list(&judging.choice, BOTH)),
        Command::Proxy(ProxyArgs { watching, .. })
        | Command::Decode(DecodeArgs { watching, .. })
            if watching.list =>
        {
            say(&list_checks(&watching.choice.plan()), Format::Human);
            Ok(ExitCode::SUCCESS)
        }
        Command::Server { commands, worker, timing, judging } => {
            run(&args::servers(commands, *worker)?, judging, Some(timing))
        }
        Command::Client { commands, timing, judging } => {
            run(&args::clients(commands)?, judging, Some(timing))
        }
        Command::Both { commands, timing, judging } => {
            run(&args::both(commands)?, judging, Some(timing))
        }
        Command::Connect { endpoint, judging } => {
            run(&args::running(endpoint.as_deref().unwrap_or_default())?, judging, None)
        }
        Command::Proxy(proxy) => watching::proxy(proxy),
        Command::Decode(decode) => watching::decode(decode),
        Command::Peers { folder } => peers::write(folder).map(|()| ExitCode::SUCCESS),
    }
}

fn run(
    candidates: &[Candidate],
    judging: &Judging,
    timing: Option<&Timing>,
) -> Result<ExitCode, String> {
    let plan = judging.plan(timing);
    let planned = |it: &Candidate| {
        let roles =
            [Role::Server, Role::Client].into_iter().filter(|role| it.source(*role).is_some());
        roles.map(|role| plan.cases(role).len()).sum::<usize>()
    };
    let count: usize = candidates.iter().map(planned).sum();
    if count == 0 {
        return Err("no case has such a name and level; see --list".to_owned());
    }
    end_all_when_told()?;
    let progress = Progress::start(count);
    let judged: Vec<Judged> =
        candidates.iter().map(|it| judge(it, &plan, &|result| progress.tell(it, result))).collect();
    progress.end();
    say(&judging.format.render(&judged, &plan), judging.format);
    let broken = judged.iter().any(|it| !it.obstacles.is_empty() || it.failed(Level::Must) > 0);
    Ok(ExitCode::from(u8::from(broken)))
}

/// Processes under test are in groups of their own, which no terminal ends.
fn end_all_when_told() -> Result<(), String> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])
        .map_err(|error| format!("signals cannot be watched: {error}"))?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            groups::end_all();
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

fn show_list(choice: &Choice, roles: &[Role]) -> ExitCode {
    say(&list(&choice.plan(), roles), Format::Human);
    ExitCode::SUCCESS
}

/// Nobody is left to be told when stdout is closed.
fn say(text: &str, format: Format) {
    let _ = match format {
        // Takes colours away where stdout is no terminal.
        Format::Human => anstream::stdout().write_all(text.as_bytes()),
        _ => std::io::stdout().write_all(text.as_bytes()),
    };
}

impl Judging {
    fn plan(&self, timing: Option<&Timing>) -> Plan {
        let plan = self.choice.plan();
        Plan {
            time_scale: timing.map_or(plan.time_scale, |timing| timing.time_scale),
            jobs: self.jobs.into(),
            repeat: !self.no_repeat,
            ..plan
        }
    }
}
