//! The command line.

mod args;
mod progress;
mod watching;

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
};

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
        let _ = writeln!(io::stderr(), "zerorpc-conformance: {words}");
        ExitCode::from(2)
    })
}

fn act(args: &Args) -> Result<ExitCode, String> {
    const BOTH: &[Role] = &[Role::Server, Role::Client];
    let Some(command) = &args.command else {
        return match args.list {
            true => show_list(&args.choice, BOTH),
            false => Err("what is to be judged? See --help".to_owned()),
        };
    };
    match command {
        Command::Server { judging, .. } | Command::Connect { judging, .. } if judging.list => {
            show_list(&judging.choice, &[Role::Server])
        }
        Command::Client { judging, .. } if judging.list => {
            show_list(&judging.choice, &[Role::Client])
        }
        Command::Both { judging, .. } if judging.list => show_list(&judging.choice, BOTH),
        Command::Proxy(ProxyArgs { watching, .. })
        | Command::Decode(DecodeArgs { watching, .. })
            if watching.list =>
        {
            say(&list_checks(&watching.choice.plan()), Format::Human).map(|()| ExitCode::SUCCESS)
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
    let progress = Progress::start(count);
    tell_when_interrupted(&progress, &plan, judging.format)?;
    let judged: Vec<Judged> =
        candidates.iter().map(|it| judge(it, &plan, &|result| progress.tell(it, result))).collect();
    // Whoever is interrupted from now on is told all.
    let _so_far = progress.so_far();
    progress.end();
    say(&judging.format.render(&judged, &plan), judging.format)?;
    let broken = judged.iter().any(|it| !it.obstacles.is_empty() || it.failed(Level::Must) > 0);
    Ok(ExitCode::from(u8::from(broken)))
}

/// Where the run is interrupted, shows what is known so far, and ends all processes: they are in groups of their own, which no
/// terminal ends.
fn tell_when_interrupted(progress: &Progress, plan: &Plan, format: Format) -> Result<(), String> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])
        .map_err(|error| format!("signals cannot be watched: {error}"))?;
    let (progress, plan) = (progress.clone(), plan.clone());
    thread::spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        // What fails because its process is ended is kept out.
        let so_far = progress.so_far();
        groups::end_all();
        progress.end();
        let _ = say(&format.render(&so_far, &plan), format);
        let _ = writeln!(
            io::stderr(),
            "zerorpc-conformance: interrupted: not all cases were over; --only chooses some of them"
        );
        std::process::exit(128 + signal);
    });
    Ok(())
}

fn show_list(choice: &Choice, roles: &[Role]) -> Result<ExitCode, String> {
    say(&list(&choice.plan(), roles), Format::Human).map(|()| ExitCode::SUCCESS)
}

/// Writes to stdout. A reader that has seen enough (`| head`) is no failure.
fn say(text: &str, format: Format) -> Result<(), String> {
    let written = match format {
        // Takes colours away where stdout is no terminal.
        Format::Human => {
            let mut stdout = anstream::stdout();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        }
        _ => {
            let mut stdout = io::stdout();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        }
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the output cannot be written: {error}"))
        }
        _ => Ok(()),
    }
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
