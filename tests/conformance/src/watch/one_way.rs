//! Push/pull and publish/subscribe, as a bystander judges them.

use super::{Connection, Side, check, form, shown};
use crate::event::{shown as shown_value, shown_bytes};

impl Connection {
    /// Judges a message, if its sender is of a kind that has no channels.
    pub(super) fn one_way_message(&mut self, side: Side, frames: &[Vec<u8>]) -> bool {
        match self.end(side).socket_type() {
            "PUSH" | "PUB" | "XPUB" => self.thrown(side, frames),
            "SUB" | "XSUB" => self.subscription_message(side, frames),
            "PULL" => {
                let words = "a PULL sends a message".to_owned();
                self.broken_once(side, (&check::ONE_WAY_BACK, words));
            }
            _ => return false,
        }
        true
    }

    fn thrown(&mut self, side: Side, frames: &[Vec<u8>]) {
        let payload = frames.last().map(Vec::as_slice).unwrap_or_default();
        let (event, mut found) = form::read(payload);
        let said = shown::message(&[], event.as_ref(), payload);
        if frames.len() > 1 {
            found.push((&check::ONE_WAY_FRAMES, format!("a message of {} frames", frames.len())));
        }
        if let Some(event) = &event {
            if !event.args.is_array() {
                let words = format!("the args are {}", shown_value(&event.args));
                found.push((&check::ONE_WAY_EVENT, words));
            }
            if event.response_to().is_some() {
                found.push((&check::ONE_WAY_EVENT, "it has a response_to".to_owned()));
            }
        }
        self.said(side, shown::brief(&[], event.as_ref(), payload));
        for finding in found {
            self.broken(side, finding, Some(said.clone()));
        }
    }

    fn subscription_message(&mut self, side: Side, frames: &[Vec<u8>]) {
        let lower = self.ends.iter().filter_map(|end| end.version).min();
        match frames {
            [frame] if frame.first() == Some(&1) => {
                self.said(side, format!("subscribes to {}", shown_bytes(&frame[1..])));
                if lower.is_some_and(|version| version >= (3, 1)) {
                    let words = "a subscription as a message, between two of ZMTP 3.1".to_owned();
                    self.broken_once(side, (&check::SUBSCRIPTION_FORM, words));
                }
                self.subscription(side, &frame[1..]);
            }
            [frame] if frame.first() == Some(&0) => {
                self.said(side, format!("cancels {}", shown_bytes(&frame[1..])));
            }
            _ => {
                let words = "a SUB sends something else than subscriptions".to_owned();
                self.broken_once(side, (&check::ONE_WAY_BACK, words));
            }
        }
    }

    pub(super) fn subscription(&mut self, side: Side, topic: &[u8]) {
        if !topic.is_empty() {
            let words = format!("a subscription to {}", shown_bytes(topic));
            self.broken_once(side, (&check::SUBSCRIPTION, words));
        }
    }
}
