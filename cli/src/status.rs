//! What goes to standard error: words for people, and the log.

use std::{
    env,
    ffi::OsStr,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{advice, plan::Link};

/// One line, or several. A closed standard error is no reason to stop.
pub(crate) fn print(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Tells of an address before it is used.
pub(crate) fn announce(link: &Link) {
    match link {
        Link::Bind(address) => print(format_args!("binding to {address:?}")),
        Link::Connect(address) => print(format_args!("connecting to {address:?}")),
    }
}

/// Tells which ports and paths the system chose, for binds that left it the choice. `bound` are all binds in order.
pub(crate) fn announce_choices(links: &[Link], bound: &[String]) {
    let asked = links.iter().filter_map(|link| match link {
        Link::Bind(address) => Some(address),
        Link::Connect(_) => None,
    });
    for (asked, bound) in asked.zip(bound) {
        if asked.ends_with(":*") || asked.ends_with(":0") || asked == "ipc://*" {
            print(format_args!("bound to {bound:?}"));
        }
    }
}

/// Starts the log: everything down to debug messages, or warnings only; `RUST_LOG` overrules both.
pub(crate) fn start_log(debug: bool) {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Log(io::stderr()))
        // It would say on standard error, with a panic if need be, that standard error is closed.
        .log_internal_errors(false)
        .with_ansi(has_colours(io::stderr().is_terminal(), env::var_os("NO_COLOR").as_deref()))
        .init();
}

/// The log, a line at a time; where one names a setting of programs, what the command has for it is added.
struct Log<W>(W);

impl<W: Write> Write for Log<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        match advice::of_setting(&text) {
            Some(advice) => writeln!(self.0, "{} ({advice})", text.trim_end())?,
            None => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether the log has colours: on a terminal, unless whoever reads it wants none (<https://no-color.org>).
fn has_colours(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_programs_are_logged_with_their_flags() {
        let mut log = Log(Vec::new());
        log.write_all(b"WARN all is well\n").expect("room");
        log.write_all(b"WARN too much is kept (Limits::total_bytes)\n").expect("room");
        let expected = "WARN all is well\nWARN too much is kept (Limits::total_bytes) (for servers of this command: --max-memory MIB)\n";
        assert_eq!(String::from_utf8(log.0).as_deref(), Ok(expected));
    }

    #[test]
    fn colours_are_for_terminals_whose_readers_want_them() {
        for (is_terminal, no_color, expected) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
        ] {
            let told = has_colours(is_terminal, no_color.map(OsStr::new));
            assert_eq!(told, expected, "{is_terminal} {no_color:?}");
        }
    }
}
