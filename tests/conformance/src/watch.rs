//! A bystander: traffic between two peers, judged as it passes.
//!
//! It knows what each side has sent, in the order in which it passed, and nothing else; what it looks for stands in
//! [`CHECKS`], written by hand from the rules. It is sans-IO: bytes and times come in, [`Sighting`]s go out. A proxy hands
//! it what it is about to pass on, so that nobody can have answered what the bystander has not seen; captures are as good.
//!
//! - a `Line` makes a greeting and frames of the bytes of one direction,
//! - a [`Connection`] judges handshakes and commands, and makes messages of frames,
//! - `Channels` judges events by the channels that they belong to.

mod beats;
mod channel;
mod channels;
mod check;
mod commands;
mod connection;
mod form;
mod handshake;
mod line;
mod messages;
mod middle;
mod one_way;
mod shown;
mod tally;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use check::{CHECKS, Check};
pub use connection::Connection;
pub use middle::first_event;
pub use tally::{Tally, Voice};

/// A check that found something, and what it found.
type Finding = (&'static Check, String);

/// One end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// It made the connection.
    Connector,
    /// It took the connection.
    Listener,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Connector, Self::Listener];

    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Connector => Self::Listener,
            Self::Listener => Self::Connector,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Connector => 0,
            Self::Listener => 1,
        }
    }
}

/// What can be seen of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct View {
    /// Both directions.
    pub both: bool,
    /// From its beginning.
    pub whole: bool,
}

/// What cannot be seen, and has to be told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The heartbeat interval of both sides; silence is not judged where there is none.
    pub interval: Option<Duration>,
    /// How long something may be on its way, or wait to be looked at.
    pub grace: Duration,
    /// Whether everything that is said is told, not what is wrong alone.
    pub dump: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(5)), grace: Duration::from_secs(1), dump: false }
    }
}

/// Something that was seen on a connection.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When, since the beginning.
    pub at: Duration,
    /// Who is at it; nobody where it is about the connection.
    pub who: Option<Who>,
    /// What it is.
    pub what: What,
}

/// A side, and what it is called: `client`, `server`, or `connector` while nothing is known of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Who {
    /// Which end it is.
    pub side: Side,
    /// Its name for people.
    pub name: &'static str,
}

/// What was seen.
#[derive(Clone, Debug)]
pub enum What {
    /// A greeting, a command or an event, for people.
    Said(String),
    /// Something about the connection.
    Note(String),
    /// A rule was broken.
    Broken {
        /// How it was seen.
        check: &'static Check,
        /// What was seen.
        words: String,
        /// What was said, where that is a message.
        said: Option<String>,
    },
}
