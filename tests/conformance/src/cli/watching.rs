//! Traffic of others: the proxy, and captures.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::args::Judging;
use crate::{
    case::Level,
    decode as capture,
    proxy::Proxy,
    report::Format,
    run::STACK,
    watch::{CHECKS, Settings, Tally, Voice},
};

/// What is judged, and what is shown of it.
#[derive(Debug, clap::Args)]
pub(super) struct Watching {
    /// Show everything that is said, decoded.
    #[arg(long)]
    dump: bool,
    /// The heartbeat interval of the peers, in seconds; 0 where silence is not to be judged.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    heartbeat: Duration,
    /// How long something may be on its way before it counts as late, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    grace: Duration,
}

#[derive(Debug, clap::Args)]
pub(super) struct ProxyArgs {
    /// Where it listens, such as tcp://127.0.0.1:4243.
    listen: String,
    /// Where it makes a connection for each that it takes, such as tcp://127.0.0.1:4242.
    target: String,
    /// End when all connections have ended.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    watching: Watching,
}

#[derive(Debug, clap::Args)]
pub(super) struct DecodeArgs {
    /// A capture of packets (pcap, pcapng), or the bytes of one direction of one connection; `-` is stdin.
    file: PathBuf,
    #[command(flatten)]
    watching: Watching,
}

impl Watching {
    fn settings(&self) -> Settings {
        let interval = (self.heartbeat > Duration::ZERO).then_some(self.heartbeat);
        Settings { interval, grace: self.grace, dump: self.dump }
    }
}

pub(super) fn proxy(args: &ProxyArgs, judging: &Judging) -> Result<ExitCode, String> {
    let voice = voice(judging)?;
    let proxy = Proxy::bind(&args.listen, &args.target)?;
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| format!("signals cannot be watched: {error}"))?;
    let stopper = proxy.stopper();
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            stopper.stop();
        }
    });
    let _ = writeln!(io::stderr(), "listening on {} for {}", proxy.endpoint(), args.target);
    let settings = args.watching.settings();
    with_stack(|| {
        told(&voice, |out| match proxy.run(settings, args.once, &voice, out) {
            Ok(tally) => (tally, Ok(())),
            Err(why) => (Tally::default(), Err(why)),
        })
    })
}

pub(super) fn decode(args: &DecodeArgs, judging: &Judging) -> Result<ExitCode, String> {
    let voice = voice(judging)?;
    let input: Box<dyn Read + Send> = match args.file.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => match File::open(&args.file) {
            Ok(file) => Box::new(file),
            Err(error) => return Err(format!("{}: {error}", args.file.display())),
        },
    };
    let settings = args.watching.settings();
    with_stack(|| {
        told(&voice, |out| {
            let mut tally = Tally::default();
            let read = capture::decode(input, settings, &voice, out, &mut tally);
            (tally, read.map_err(|why| format!("{}: {why}", args.file.display())))
        })
    })
}

fn voice(judging: &Judging) -> Result<Voice, String> {
    let json = match judging.format {
        Format::Human => false,
        Format::Json => true,
        _ => return Err("traffic is told of in the formats human and json".to_owned()),
    };
    let voice = Voice { only: judging.only.clone(), level: judging.level.into(), json };
    if CHECKS.iter().any(|check| voice.wants(check)) {
        Ok(voice)
    } else {
        Err("no check has such a name and level; see --list".to_owned())
    }
}

/// Stdout, and whether anybody still reads it.
struct Out {
    inner: Box<dyn Write>,
    is_closed: bool,
}

impl Out {
    fn watched<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        self.is_closed |= written.as_ref().err().is_some_and(is_closed);
        written
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.watched(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.watched(flushed)
    }
}

/// Has something told on stdout, with the summary behind it, unless there is nothing but an error to tell.
fn told(
    voice: &Voice,
    tell: impl FnOnce(&mut Out) -> (Tally, Result<(), String>),
) -> Result<ExitCode, String> {
    let inner: Box<dyn Write> =
        if voice.json { Box::new(io::stdout()) } else { Box::new(anstream::stdout()) };
    let mut out = Out { inner, is_closed: false };
    let (tally, ended) = tell(&mut out);
    // A reader that has seen enough (`| head`) is no failure.
    if out.is_closed {
        return Ok(verdict(&tally));
    }
    if ended.is_ok() || tally.connections > 0 {
        let _ = out.write_all(voice.summary(&tally).as_bytes()).and_then(|()| out.flush());
    }
    ended.map(|()| verdict(&tally))
}

fn verdict(tally: &Tally) -> ExitCode {
    ExitCode::from(u8::from(tally.broken(Level::Must) > 0))
}

/// Deep values are read by recursion.
fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let thread = builder.spawn_scoped(scope, work).expect("the system has room for a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "a number of seconds is needed".to_owned())
}
