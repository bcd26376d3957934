//! Messages: frames that belong together, and the event in them.

use super::{Check, Connection, Finding, Side, channels::Sent, check, form, shown};
use crate::{event::shown_bytes, raw::Frame};

/// A message of more bytes or frames is not kept.
const LARGEST_MESSAGE: usize = 512 << 20;
const MOST_FRAMES: usize = 1 << 16;

impl Connection {
    /// A frame of a message.
    pub(super) fn part(&mut self, side: Side, frame: Frame) {
        let is_event = form::is_event(&frame.body);
        if is_event && let Some(first) = self.end_mut(side).begun_event.take() {
            let end = self.end_mut(side);
            let next = end.begun.split_off(first);
            let frames = std::mem::replace(&mut end.begun, next);
            end.begun_bytes = end.begun.iter().map(Vec::len).sum();
            let words = "the frames of two messages come as one".to_owned();
            self.broken(side, (self.frames_check(side), words), None);
            self.message(side, frames, false);
        }
        let end = self.end_mut(side);
        let more = frame.more();
        end.begun_bytes += frame.body.len();
        end.begun.push(frame.body);
        if is_event {
            end.begun_event = Some(end.begun.len());
        }
        if end.begun_bytes > LARGEST_MESSAGE || end.begun.len() > MOST_FRAMES {
            end.line.shut();
            end.begun.clear();
            let words = "the message is too large to be looked into, and so is what follows";
            self.note(Some(side), words.to_owned());
        } else if !more {
            end.begun_bytes = 0;
            end.begun_event = None;
            let frames = std::mem::take(&mut end.begun);
            self.message(side, frames, true);
        }
    }

    /// A message, and whether it is all of what came as one.
    fn message(&mut self, side: Side, frames: Vec<Vec<u8>>, alone: bool) {
        self.judge_early_message(side);
        if self.one_way_message(side, &frames) {
            return;
        }
        let (envelope, payload, mut found) = self.split(side, &frames);
        let (event, findings) = form::read(payload);
        found.extend(findings);
        let said = shown::message(envelope, event.as_ref(), payload);
        if let Some(event) = &event {
            self.events += 1;
            let serves = match self.end(side).socket_type() {
                "ROUTER" | "REP" => Some(true),
                "DEALER" | "REQ" => Some(false),
                _ => None,
            };
            let sent = Sent { side, serves, envelope, event, clear: alone && found.is_empty() };
            found.extend(self.channels.event(sent, self.now, self.view, self.settings));
        }
        if self.settings.dump {
            self.said(side, shown::brief(envelope, event.as_ref(), payload));
        }
        for finding in found {
            self.broken(side, finding, Some(said.clone()));
        }
    }

    /// Which rule tells how this side has to frame its events.
    fn frames_check(&self, side: Side) -> &'static Check {
        let serves = matches!(self.end(side).socket_type(), "ROUTER" | "REP");
        if serves { &check::SERVER_FRAMES } else { &check::CLIENT_FRAMES }
    }

    /// The envelope and the payload of a message, and what is wrong with what stands between them.
    fn split<'a>(
        &self,
        side: Side,
        frames: &'a [Vec<u8>],
    ) -> (&'a [Vec<u8>], &'a [u8], Vec<Finding>) {
        let check = self.frames_check(side);
        match frames {
            [envelope @ .., delimiter, payload]
                if delimiter.is_empty() && form::is_event(payload) =>
            {
                (envelope, payload, Vec::new())
            }
            [envelope @ .., delimiter, event, behind]
                if delimiter.is_empty() && form::is_event(event) && !form::is_event(behind) =>
            {
                (envelope, event, vec![(check, "a frame follows the event".to_owned())])
            }
            [envelope @ .., delimiter, payload] if delimiter.is_empty() => {
                (envelope, payload, Vec::new())
            }
            [envelope @ .., delimiter, payload] => {
                let words = format!("the delimiter is {}", shown_bytes(delimiter));
                (envelope, payload, vec![(check, words)])
            }
            [payload] => (&[], payload, vec![(check, "there is no delimiter".to_owned())]),
            [] => (&[], &[], Vec::new()),
        }
    }
}
