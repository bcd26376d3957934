//! Commands, as a bystander judges them.

use std::time::Duration;

use super::{Connection, Side, check, connection::Ping};
use crate::{event::shown_bytes, raw::Command};

/// So many PINGs that wait for an answer are remembered.
const PINGS: usize = 1024;

impl Connection {
    pub(super) fn command(&mut self, side: Side, command: &Command) {
        self.said(side, shown(command));
        if self.end(side).ready.is_none() && self.view.whole {
            self.handshake_command(side, command);
            return;
        }
        let others = self.end(side.other());
        // Who is not known to be older is taken for one of today.
        let knows_3_1 = others.version.is_none_or(|version| version >= (3, 1));
        match command.name.as_str() {
            "READY" => {
                let words = "READY comes twice".to_owned();
                self.broken(side, (&check::NO_READY, words), None);
            }
            "PING" => {
                if !knows_3_1 {
                    let words = "PING to a peer of ZMTP 3.0".to_owned();
                    self.broken_once(side, (&check::PING_UNASKED, words));
                }
                self.ping(side, &command.data);
            }
            "PONG" => self.pong(side, &command.data),
            "GOAWAY" if others.ready.as_ref().is_some_and(|ready| !ready.goaway) => {
                let words = "GOAWAY to a peer whose READY has no X-Goaway".to_owned();
                self.broken(side, (&check::GOAWAY_UNASKED, words), None);
            }
            "ERROR" if !knows_3_1 => {
                let words = format!("{command} to a peer of ZMTP 3.0");
                self.broken(side, (&check::ERROR_UNASKED, words), None);
            }
            "ERROR" => self.note(Some(side), format!("last words: {command}")),
            "SUBSCRIBE" => {
                if !knows_3_1 {
                    let words = "the command SUBSCRIBE to a peer of ZMTP 3.0".to_owned();
                    self.broken_once(side, (&check::SUBSCRIPTION_FORM, words));
                }
                self.subscription(side, &command.data);
            }
            _ => {}
        }
    }

    fn ping(&mut self, side: Side, data: &[u8]) {
        let at = self.now;
        let end = self.end_mut(side);
        let ping = match data {
            [high, low, context @ ..] => {
                let tenths = u16::from_be_bytes([*high, *low]);
                let ttl = Duration::from_millis(u64::from(tenths) * 100);
                end.ttl = (tenths > 0).then_some(ttl);
                // What is longer may be cut.
                Ping { context: context[..context.len().min(16)].to_vec(), at, short: false }
            }
            _ => Ping { context: Vec::new(), at, short: true },
        };
        end.pings.push_back(ping);
        if end.pings.len() > PINGS {
            end.pings.pop_front();
        }
    }

    /// A PONG of a side answers the first PING of the other that has its context.
    fn pong(&mut self, side: Side, context: &[u8]) {
        if !self.view.both {
            return;
        }
        let pings = &mut self.end_mut(side.other()).pings;
        let matching = |ping: &Ping| {
            ping.context == context || context.len() > 16 && context.starts_with(&ping.context)
        };
        match pings.iter().position(|ping| !ping.short && matching(ping)) {
            // Those before it may have been passed over: PONGs come in order.
            Some(place) => drop(pings.drain(..=place)),
            None => {
                let short = pings.iter().position(|ping| ping.short);
                let finding = match short {
                    Some(place) => {
                        pings.remove(place);
                        if context.is_empty() {
                            return;
                        }
                        &check::PONG_LEAKS
                    }
                    None if !self.view.whole => return,
                    None => &check::PONG_CONTEXT,
                };
                let words = format!("PONG with the context {}", shown_bytes(context));
                self.broken(side, (finding, words), None);
            }
        }
    }

    /// Whether PINGs of a side have waited for too long.
    pub(super) fn judge_pings(&mut self, side: Side) {
        let (now, grace) = (self.now, self.settings.grace);
        let end = self.end_mut(side);
        let late = |ping: &Ping| now.saturating_sub(ping.at) > 5 * grace;
        while end.pings.front().is_some_and(|ping| ping.short && late(ping)) {
            end.pings.pop_front();
        }
        if end.pings.front().is_some_and(late)
            && let Some(ping) = end.pings.pop_front()
        {
            let words =
                format!("no PONG for the PING with the context {}", shown_bytes(&ping.context));
            self.broken(side.other(), (&check::PONG_MISSING, words), None);
        }
    }

    /// Whether the other side should have ended the connection, as nothing has come from this one for so long.
    pub(super) fn judge_ttl(&mut self, side: Side, silent: Duration) {
        let Some(ttl) = self.end(side).ttl else { return };
        if silent > ttl + 2 * self.settings.grace {
            self.end_mut(side).ttl = None;
            let words =
                format!("nothing has come for {silent:.1?} behind a PING with a TTL of {ttl:.1?}");
            self.broken(side.other(), (&check::TTL_PASSED, words), None);
        }
    }
}

/// A command for people, without what is secret.
fn shown(command: &Command) -> String {
    match command.name.as_str() {
        "HELLO" => "HELLO with a name and a password".to_owned(),
        _ => command.to_string(),
    }
}
