//! Greetings and READY, as a bystander judges them.

use std::time::Duration;

use super::{Connection, Side, check, connection::Ready, line::Greeting};
use crate::{
    event::shown_bytes,
    raw::{Command, find_property, frame::read_properties},
};

/// A handshake that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(30);

/// Socket types by the number that they have in ZMTP 2.0.
const TYPES: [&str; 9] = ["PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH"];

/// Who talks to whom in zerorpc. What is in between speaks for those behind it.
const PAIRS: [(&str, &str); 9] = [
    ("DEALER", "ROUTER"),
    ("REQ", "ROUTER"),
    ("DEALER", "REP"),
    ("REQ", "REP"),
    ("ROUTER", "ROUTER"),
    ("PUSH", "PULL"),
    ("PUB", "SUB"),
    ("XPUB", "SUB"),
    ("PUB", "XSUB"),
];

impl Connection {
    /// Before `count` more bytes of a side are taken.
    pub(super) fn judge_eagerness(&mut self, side: Side, count: usize) {
        if !self.view.both || !self.view.whole {
            return;
        }
        let total = self.end(side).line.total;
        let (all, others) = (total + count as u64, self.end(side.other()).line.total);
        let words = match (all, others) {
            (11.., ..10) => format!("{all} bytes before the signature of the other side"),
            (12.., ..11) => format!("{all} bytes before the version of the other side"),
            _ => return,
        };
        self.broken_once(side, (&check::TOO_EAGER, words));
    }

    pub(super) fn greeting(&mut self, side: Side, greeting: &Greeting) {
        let now = self.now;
        let bytes = match greeting {
            Greeting::V2(number) => {
                let socket_type = TYPES.get(usize::from(*number)).copied().unwrap_or_default();
                let end = self.end_mut(side);
                end.version = Some((2, 0));
                end.greeted = Some(now);
                end.ready = Some(Ready { socket_type: socket_type.to_owned(), ..Ready::default() });
                self.said(side, format!("greeting of ZMTP 2.0, {socket_type}"));
                self.judge_types(side);
                return;
            }
            Greeting::V3(bytes) => bytes,
        };
        let (major, minor) = (bytes[10], bytes[11]);
        let field = &bytes[12..32];
        let length = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        let (name, padding) = field.split_at(length);
        let mechanism = String::from_utf8_lossy(name).into_owned();
        self.said(side, format!("greeting of ZMTP {major}.{minor}, {mechanism}"));
        let is_known = matches!(mechanism.as_str(), "NULL" | "PLAIN" | "CURVE" | "GSSAPI");
        if !is_known || padding.iter().any(|byte| *byte != 0) {
            let words = format!("the mechanism is {}", shown_bytes(field));
            self.broken(side, (&check::MECHANISM, words), None);
        }
        if mechanism == "NULL" && bytes[32..].iter().any(|byte| *byte != 0) {
            let words = format!("as-server and filler are {}", shown_bytes(&bytes[32..]));
            self.broken(side, (&check::FILLER, words), None);
        }
        let end = self.end_mut(side);
        end.version = Some((major, minor));
        end.greeted = Some(now);
        end.mechanism.clone_from(&mechanism);
        if matches!(mechanism.as_str(), "CURVE" | "GSSAPI") {
            let words = format!("it is encrypted ({mechanism}): the rest of it cannot be read");
            self.note(None, words);
            self.is_shut = true;
        }
    }

    /// The frame that follows a greeting of ZMTP 2.0.
    pub(super) fn identity(&mut self, side: Side, identity: &[u8]) {
        self.end_mut(side).is_identified = true;
        self.said(side, format!("identity {}", shown_bytes(identity)));
        self.judge_identity(side, identity);
    }

    /// A command before READY.
    pub(super) fn handshake_command(&mut self, side: Side, command: &Command) {
        let plain = self.end(side).mechanism == "PLAIN";
        match command.name.as_str() {
            "READY" => self.ready(side, command),
            "INITIATE" if plain => self.ready(side, command),
            "HELLO" | "WELCOME" if plain => {}
            "ERROR" => self.note(Some(side), format!("it refuses the connection: {command}")),
            name => {
                let words = format!("the command {name:?} where READY is due");
                self.broken(side, (&check::NO_READY, words), None);
            }
        }
    }

    fn ready(&mut self, side: Side, command: &Command) {
        let properties = match read_properties(&command.data) {
            Ok(properties) => properties,
            Err(words) => {
                self.broken(side, (&check::BROKEN_READY, words), None);
                Vec::new()
            }
        };
        let text = |name| {
            find_property(&properties, name)
                .map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let is_set = |name| text(name).as_deref() == Some("1");
        let socket_type = text("Socket-Type");
        let ready = Ready {
            socket_type: socket_type.clone().unwrap_or_default(),
            goaway: is_set("X-Goaway"),
        };
        self.end_mut(side).ready = Some(ready);
        if is_set("X-Lossless") {
            self.is_lossless(side);
        }
        match socket_type {
            None => {
                let words = "READY has no Socket-Type".to_owned();
                self.broken(side, (&check::BROKEN_READY, words), None);
            }
            Some(_) => self.judge_types(side),
        }
        let identity = find_property(&properties, "Identity").unwrap_or_default().to_vec();
        self.judge_identity(side, &identity);
    }

    fn judge_identity(&mut self, side: Side, identity: &[u8]) {
        if !identity.is_empty() && matches!(self.end(side).socket_type(), "DEALER" | "REQ") {
            let words = format!("the identity {}", shown_bytes(identity));
            self.broken(side, (&check::IDENTITY, words), None);
        }
    }

    /// Whether a side that has told its type goes with the other one.
    fn judge_types(&mut self, side: Side) {
        let own = self.end(side).socket_type().to_owned();
        let other = self.end(side.other()).socket_type().to_owned();
        let goes = |other: &str| {
            let is = |pair: &(&str, &str)| {
                *pair == (own.as_str(), other) || *pair == (other, own.as_str())
            };
            PAIRS.iter().any(is)
        };
        let is_known = PAIRS.iter().any(|(one, two)| own == *one || own == *two);
        if !is_known {
            let words = format!("a socket of the type {own:?}, which zerorpc has not");
            self.broken(side, (&check::SOCKET_TYPE, words), None);
        } else if !other.is_empty() && !goes(&other) {
            // Among callers and servers, the one that throws or catches is out of place.
            let calls = |it: &str| matches!(it, "DEALER" | "REQ" | "ROUTER" | "REP");
            let odd = if calls(&own) && !calls(&other) { side.other() } else { side };
            let words = format!("a socket of the type {own} and one of the type {other}");
            self.broken(odd, (&check::SOCKET_TYPE, words), None);
        }
    }

    pub(super) fn judge_early_message(&mut self, side: Side) {
        if !self.view.both || !self.view.whole {
            return;
        }
        let (own, other) = (&self.end(side).mechanism, &self.end(side.other()).mechanism);
        if own != other && !own.is_empty() && !other.is_empty() {
            let words = format!("a message from a side with {own} to one with {other}");
            self.broken_once(side, (&check::MECHANISMS_DIFFER, words));
        }
        if self.end(side).ready.is_none() {
            let words = "a message where READY is due".to_owned();
            self.broken_once(side, (&check::NO_READY, words));
        } else if self.end(side.other()).ready.is_none()
            && !self.has_told(side.other(), &check::NO_READY)
        {
            let words = "a message before the READY of the other side".to_owned();
            self.broken_once(side, (&check::EARLY_MESSAGE, words));
        }
    }

    /// Whether a handshake takes too long, of a connection that was made at that time.
    pub(super) fn judge_handshake_time(&mut self, opened: Duration) {
        if !self.view.whole {
            return;
        }
        let (now, grace) = (self.now, self.settings.grace);
        let null = self.ends.iter().all(|end| end.mechanism == "NULL");
        let greeted = self.ends.iter().map(|end| end.greeted).max().flatten();
        for side in Side::BOTH {
            if self.end(side).ready.is_some() {
                continue;
            }
            let are_both = self.ends.iter().all(|end| end.greeted.is_some());
            if let Some(greeted) = greeted
                && null
                && are_both
                && now.saturating_sub(greeted) > 5 * grace
            {
                let words = format!(
                    "no READY for {:.1?} behind the greetings",
                    now.saturating_sub(greeted)
                );
                self.broken_once(side, (&check::NO_READY, words));
            }
            let since = now.saturating_sub(opened);
            if since > LONGEST + grace && self.end(side.other()).ready.is_some() {
                let words = format!("the other side has sent no READY for {since:.0?}");
                self.broken_once(side.other(), (&check::SLOW_HANDSHAKE, words));
            }
        }
    }
}
