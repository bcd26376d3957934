//! What happened, for people.

use std::time::Duration;

use zerorpc_proto::{Event, Limits};

use super::raw_event::value;

/// The lines of a story, if anybody wants to hear it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    is_on: bool,
}

impl Trace {
    /// Tells from now on, on stderr.
    pub(super) fn start(&mut self) {
        self.is_on = true;
    }

    /// Something happened.
    pub(super) fn tell(&self, at: Duration, what: impl FnOnce() -> String) {
        if self.is_on {
            eprintln!("{:10.3}  {}", at.as_secs_f64(), what());
        }
    }
}

/// An event in a line.
pub(super) fn show(payload: &bytes::Bytes) -> String {
    let Ok(event) = Event::decode(payload, &Limits::default()) else { return "garbage".to_owned() };
    let id = event.header.response_to.as_ref().or(event.header.message_id.as_ref());
    let id = id.map_or(&[][..], |id| id.content());
    let id = String::from_utf8_lossy(&id[..id.len().min(8)]).into_owned();
    let kind = if event.header.response_to.is_none() { "request " } else { "" };
    let args: String = value(&event.args).to_string().chars().take(60).collect();
    format!("{kind}{} {args} on {id}", event.name)
}
