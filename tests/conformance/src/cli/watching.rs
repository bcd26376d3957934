//! Traffic of others: the proxy, and captures.

use std::{
    fs::File,
    io::{self, Read, Write},
    process::ExitCode,
    thread,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::args::{DecodeArgs, ProxyArgs, Watching, Words};
use crate::{
    case::Level,
    decode as capture,
    proxy::Proxy,
    run::STACK,
    watch::{CHECKS, Tally, Voice},
};

pub(super) fn proxy(args: &ProxyArgs) -> Result<ExitCode, String> {
    let voice = voice(&args.watching)?;
    let [listen, target] =
        [&args.listen, &args.target].map(|place| place.as_deref().unwrap_or_default());
    let proxy = Proxy::bind(listen, target)?;
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| format!("signals cannot be watched: {error}"))?;
    let stopper = proxy.stopper();
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            stopper.stop();
        }
    });
    let _ = writeln!(io::stderr(), "listening on {} for {}", proxy.endpoint(), target);
    let settings = args.watching.settings();
    with_stack(|| {
        told(&voice, |out| match proxy.run(settings, args.once, &voice, out) {
            Ok(tally) => (tally, Ok(())),
            Err(why) => (Tally::default(), Err(why)),
        })
    })
}

pub(super) fn decode(args: &DecodeArgs) -> Result<ExitCode, String> {
    let voice = voice(&args.watching)?;
    let path = args.file.as_deref().unwrap_or("-".as_ref());
    let failed = |error: String| format!("{}: {error}", path.display());
    let input: Box<dyn Read + Send> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| failed(error.to_string()))?)
    };
    let settings = args.watching.settings();
    with_stack(|| {
        told(&voice, |out| {
            let mut tally = Tally::default();
            let read = capture::decode(input, settings, &voice, out, &mut tally);
            (tally, read.map_err(failed))
        })
    })
}

fn voice(watching: &Watching) -> Result<Voice, String> {
    let Watching { choice, format, .. } = watching;
    let json = *format == Words::Json;
    let voice = Voice { only: choice.only.clone(), level: choice.level.into(), json };
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
