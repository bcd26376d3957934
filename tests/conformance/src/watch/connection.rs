//! One connection: its bytes in both directions, down to events.

use std::{collections::VecDeque, time::Duration};

use super::{
    Check, Finding, Settings, Side, Sighting, View, What, Who,
    channels::Channels,
    check,
    line::{Line, Token, is_needlessly_long},
};
use crate::raw::{Frame, frame::COMMAND};

/// Flags that mean nothing: all but MORE, LONG and COMMAND.
const RESERVED: u8 = !0x07;

/// What a side has said in its READY, or in the greeting of ZMTP 2.0.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    pub(super) socket_type: String,
    pub(super) goaway: bool,
}

/// A PING that waits for its PONG.
#[derive(Clone, Debug)]
pub(super) struct Ping {
    pub(super) context: Vec<u8>,
    pub(super) at: Duration,
    /// It had no TTL.
    pub(super) short: bool,
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) line: Line,
    /// Major and minor version.
    pub(super) version: Option<(u8, u8)>,
    /// When its greeting was complete.
    pub(super) greeted: Option<Duration>,
    pub(super) mechanism: String,
    pub(super) ready: Option<Ready>,
    pub(super) begun: Vec<Vec<u8>>,
    pub(super) begun_bytes: usize,
    /// How many of those frames end with the first event among them.
    pub(super) begun_event: Option<usize>,
    /// The PINGs that it has sent.
    pub(super) pings: VecDeque<Ping>,
    /// The TTL of its latest PING.
    pub(super) ttl: Option<Duration>,
    heard: Duration,
    ended: bool,
    /// In ZMTP 2.0, whether the frame with its identity has come.
    pub(super) is_identified: bool,
    /// What is told only once.
    pub(super) told: Vec<&'static str>,
}

impl End {
    fn new(line: Line) -> Self {
        Self {
            line,
            version: None,
            greeted: None,
            mechanism: String::new(),
            ready: None,
            begun: Vec::new(),
            begun_bytes: 0,
            begun_event: None,
            pings: VecDeque::new(),
            ttl: None,
            heard: Duration::ZERO,
            ended: false,
            is_identified: false,
            told: Vec::new(),
        }
    }

    pub(super) fn socket_type(&self) -> &str {
        self.ready.as_ref().map_or("", |ready| &ready.socket_type)
    }
}

/// A connection that is watched.
#[derive(Debug)]
pub struct Connection {
    pub(super) settings: Settings,
    pub(super) view: View,
    pub(super) ends: [End; 2],
    pub(super) channels: Channels,
    pub(super) now: Duration,
    opened: Duration,
    sightings: Vec<Sighting>,
    /// It is encrypted, or cannot be read for another reason.
    pub(super) is_shut: bool,
    /// How many events have passed.
    pub(super) events: u64,
}

impl Connection {
    /// One that is made at this time, or seen for the first time.
    #[must_use]
    pub fn new(view: View, settings: Settings, at: Duration) -> Self {
        let line = || if view.whole { Line::new() } else { Line::of_frames() };
        Self {
            settings,
            view,
            ends: [End::new(line()), End::new(line())],
            channels: Channels::default(),
            now: at,
            opened: at,
            sightings: Vec::new(),
            is_shut: false,
            events: 0,
        }
    }

    /// How many events have passed.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Whether it is encrypted, or cannot be read for another reason.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.is_shut || self.ends.iter().any(|end| end.line.is_shut())
    }

    /// Bytes of one side.
    pub fn hear(&mut self, side: Side, at: Duration, bytes: &[u8]) {
        self.now = at;
        if self.is_shut || bytes.is_empty() {
            return;
        }
        self.end_mut(side).heard = at;
        self.judge_eagerness(side, bytes.len());
        self.end_mut(side).line.add(bytes);
        // What one says may tell how the other is to be read.
        loop {
            let before = self.sightings.len();
            let mut moved = false;
            for side in [side, side.other()] {
                moved |= self.read_on(side);
            }
            if !moved && before == self.sightings.len() {
                return;
            }
        }
    }

    fn read_on(&mut self, side: Side) -> bool {
        let mut moved = false;
        loop {
            let other = match self.view.both {
                true => self.end(side.other()).line.major,
                false => Some(u8::MAX),
            };
            let Some(token) = self.end_mut(side).line.next(other) else { return moved };
            moved = true;
            self.take(side, token);
            if self.is_shut {
                return moved;
            }
        }
    }

    fn take(&mut self, side: Side, token: Token) {
        match token {
            Token::OddSignature(bytes) => {
                let words = format!("the signature is {}", crate::event::shown_bytes(&bytes));
                self.broken(side, (&check::SIGNATURE, words), None);
            }
            Token::Greeting(greeting) => self.greeting(side, &greeting),
            Token::Frame(frame) => self.frame(side, frame),
            Token::Passed(size) => {
                self.note(Some(side), format!("a frame of {size} bytes is not looked into"));
                let end = self.end_mut(side);
                (end.begun, end.begun_bytes, end.begun_event) = (Vec::new(), 0, None);
            }
            Token::Broken { words, at_start } => {
                let check = if at_start { &check::SIGNATURE } else { &check::UNREADABLE };
                self.broken(side, (check, words), None);
                self.note(Some(side), "nothing more of this direction can be read".to_owned());
            }
        }
    }

    fn frame(&mut self, side: Side, frame: Frame) {
        if frame.flags & RESERVED != 0 {
            let words = format!("the flags are {:#04x}", frame.flags);
            self.broken(side, (&check::RESERVED_BITS, words), None);
        }
        if is_needlessly_long(&frame) {
            let words = format!("{} bytes in the long form", frame.body.len());
            self.broken(side, (&check::LONG_FORM, words), None);
        }
        let speaks_2 = self.end(side).version.is_some_and(|(major, _)| major < 3);
        if speaks_2 && !self.end(side).is_identified {
            self.identity(side, &frame.body);
        } else if frame.flags & COMMAND != 0 && !speaks_2 {
            self.command(side, &frame.as_command());
        } else {
            self.part(side, frame);
        }
    }

    /// One side has ended its direction.
    pub fn end_of(&mut self, side: Side, at: Duration) {
        self.now = at;
        if !std::mem::replace(&mut self.end_mut(side).ended, true) {
            self.note(Some(side), "end of the connection".to_owned());
        }
    }

    /// What this connection is, for people.
    pub fn begin(&mut self, words: &str) {
        self.note(None, words.to_owned());
    }

    /// So many bytes of one side are not there. What is heard next begins with a message.
    pub fn gap(&mut self, side: Side, at: Duration, count: u64) {
        self.now = at;
        self.note(Some(side), format!("{count} bytes are missing"));
        self.view.whole = false;
        self.channels.doubt();
        let end = self.end_mut(side);
        end.line = Line::of_frames();
        (end.begun, end.begun_bytes, end.begun_event) = (Vec::new(), 0, None);
    }

    /// Whether both sides have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ends.iter().all(|end| end.ended)
    }

    /// Time has passed, and everything that came until then was heard.
    pub fn tick(&mut self, at: Duration) {
        self.now = at;
        let is_over = self.ends.iter().any(|end| end.ended || end.line.is_shut());
        if is_over || self.is_shut || !self.view.both {
            return;
        }
        self.judge_handshake_time(self.opened);
        for side in Side::BOTH {
            self.judge_pings(side);
            let heard = self.end(side).heard;
            self.judge_ttl(side, at.saturating_sub(heard));
        }
        for (side, finding) in self.channels.silence(at, self.settings) {
            self.broken(side, finding, None);
        }
    }

    /// What was seen since the last call.
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        std::mem::take(&mut self.sightings)
    }

    /// The server on this side has said that it drops nothing.
    pub(super) fn is_lossless(&mut self, side: Side) {
        self.channels.lossless[side.index()] = true;
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }

    /// A side, as it is called.
    #[must_use]
    pub fn who(&self, side: Side) -> Who {
        let name = match (self.end(side).socket_type(), side) {
            ("DEALER" | "REQ", _) => "client",
            ("ROUTER" | "REP", _) => "server",
            ("PUSH", _) => "pusher",
            ("PULL", _) => "puller",
            ("PUB" | "XPUB", _) => "publisher",
            ("SUB" | "XSUB", _) => "subscriber",
            _ if !self.view.both => "sender",
            (_, Side::Connector) => "connector",
            (_, Side::Listener) => "listener",
        };
        Who { side, name }
    }

    pub(super) fn broken(&mut self, side: Side, finding: Finding, said: Option<String>) {
        let (check, words) = finding;
        self.see(Some(side), What::Broken { check, words, said });
    }

    pub(super) fn said(&mut self, side: Side, words: String) {
        if self.settings.dump {
            self.see(Some(side), What::Said(words));
        }
    }

    pub(super) fn note(&mut self, side: Option<Side>, words: String) {
        self.see(side, What::Note(words));
    }

    fn see(&mut self, side: Option<Side>, what: What) {
        let who = side.map(|side| self.who(side));
        self.sightings.push(Sighting { at: self.now, who, what });
    }

    /// Whether that was told of a side.
    pub(super) fn has_told(&self, side: Side, check: &Check) -> bool {
        self.end(side).told.contains(&check.name)
    }

    /// Tells something of a side only once.
    pub(super) fn broken_once(&mut self, side: Side, finding: Finding) {
        let name = finding.0.name;
        let end = self.end_mut(side);
        if !end.told.contains(&name) {
            end.told.push(name);
            self.broken(side, finding, None);
        }
    }
}
