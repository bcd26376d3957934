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
use args::{Args, Command, Judging};
use progress::Progress;

/// Runs the command that the arguments of the process ask for.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Some(Command::Peers { folder }) => peers::write(folder).map(|()| ExitCode::SUCCESS),
        Some(Command::Proxy(proxy)) if !args.judging.list => watching::proxy(proxy, &args.judging),
        Some(Command::Decode(decode)) if !args.judging.list => {
            watching::decode(decode, &args.judging)
        }
        Some(Command::Proxy(_) | Command::Decode(_)) => Ok(show_checks(&args.judging)),
        Some(command) => {
            command.candidates().and_then(|candidates| run(&candidates, &args.judging))
        }
        None if args.judging.list => Ok(show_list(&args.judging, &[Role::Server, Role::Client])),
        None => Err("what is to be judged? See --help".to_owned()),
    };
    done.unwrap_or_else(|words| {
        let _ = writeln!(std::io::stderr(), "zerorpc-conformance: {words}");
        ExitCode::from(2)
    })
}

fn run(candidates: &[Candidate], judging: &Judging) -> Result<ExitCode, String> {
    let plan = judging.plan();
    if judging.list {
        let roles = [Role::Server, Role::Client];
        let wanted =
            roles.into_iter().filter(|role| candidates.iter().any(|it| it.source(*role).is_some()));
        return Ok(show_list(judging, &wanted.collect::<Vec<_>>()));
    }
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
    let broken = judged.iter().any(|it| !it.started || it.failed(Level::Must) > 0);
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

fn show_checks(judging: &Judging) -> ExitCode {
    say(&list_checks(&judging.plan()), Format::Human);
    ExitCode::SUCCESS
}

fn show_list(judging: &Judging, roles: &[Role]) -> ExitCode {
    say(&list(&judging.plan(), roles), Format::Human);
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
    fn plan(&self) -> Plan {
        Plan {
            only: self.only.clone(),
            level: self.level.into(),
            time_scale: self.time_scale,
            jobs: self.jobs.into(),
            repeat: !self.no_repeat,
        }
    }
}
