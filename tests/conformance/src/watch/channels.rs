//! All channels of a connection, and which one an event belongs to.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use rmpv::Value;

use super::{
    Finding, Settings, Side, View,
    channel::{Around, Channel},
    check, form,
};
use crate::event::{Event, encode, shown, shown_bytes};

/// So many channels that have ended are remembered.
const ENDED: usize = 20_000;

/// So many ids of each side are.
const RECENT: usize = 1024;

/// What names a channel.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    opened_by_listener: bool,
    envelope: Vec<Vec<u8>>,
    /// In msgpack: ids of different types are different.
    id: Vec<u8>,
}

impl Key {
    fn new(opener: Side, envelope: &[Vec<u8>], id: &Value) -> Self {
        let opened_by_listener = opener == Side::Listener;
        Self { opened_by_listener, envelope: envelope.to_vec(), id: encode(id) }
    }
}

/// An event and who sent it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    pub(super) side: Side,
    /// Whether its side is known to be a server's, or a client's.
    pub(super) serves: Option<bool>,
    pub(super) envelope: &'a [Vec<u8>],
    pub(super) event: &'a Event,
    /// Whether nothing is wrong with its form.
    pub(super) clear: bool,
}

/// The channels of one connection.
#[derive(Debug, Default)]
pub(super) struct Channels {
    all: HashMap<Key, Channel>,
    open: HashSet<u64>,
    ended: VecDeque<(Key, u64)>,
    recent: [Recent; 2],
    serial: u64,
    /// Which servers have said that they drop nothing, by side.
    pub(super) lossless: [bool; 2],
}

/// The ids that a side has used lately, and the channels of their events.
#[derive(Debug, Default)]
struct Recent {
    channels: HashMap<Vec<u8>, u64>,
    order: VecDeque<Vec<u8>>,
}

impl Recent {
    /// The channel of an event with the same id.
    fn note(&mut self, id: Vec<u8>, channel: u64) -> Option<u64> {
        let before = self.channels.insert(id.clone(), channel);
        if before.is_none() {
            self.order.push_back(id);
            if self.order.len() > RECENT
                && let Some(oldest) = self.order.pop_front()
            {
                self.channels.remove(&oldest);
            }
        }
        before
    }
}

impl Channels {
    /// Judges an event by its channel.
    pub(super) fn event(
        &mut self,
        sent: Sent<'_>,
        at: Duration,
        view: View,
        settings: Settings,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let around = Around { settings, at, both: view.both, lossless: false, clear: sent.clear };
        let name = sent.event.name();
        match sent.event.response_to() {
            None if sent.event.is_upkeep() && sent.serves != Some(true) => {
                found.push((&check::NO_CHANNEL, format!("{name} without a response_to")));
            }
            None if sent.serves == Some(true) || is_answer(name) => {
                found.push((&check::UNKNOWN_CHANNEL, format!("{name} has no response_to")));
            }
            None => self.request(sent, around, &mut found),
            Some(id) => {
                let id = id.clone();
                match self.find(sent, &id, at, view) {
                    Some(key) => self.on_channel(sent, &key, around, &mut found),
                    None if view.both && view.whole => {
                        let (finding, key) = self.without_channel(sent, &id);
                        found.push(finding);
                        if let Some(key) = key {
                            self.on_channel(
                                sent,
                                &key,
                                Around { clear: false, ..around },
                                &mut found,
                            );
                        }
                    }
                    None => {}
                }
            }
        }
        found
    }

    fn request(&mut self, sent: Sent<'_>, around: Around, found: &mut Vec<Finding>) {
        let Sent { side, envelope, event, .. } = sent;
        if !event.args.is_array() {
            found.push((&check::REQUEST_ARGS, format!("the args are {}", shown(&event.args))));
        }
        let Some(id) = event.message_id().filter(|id| form::is_usable(id)) else { return };
        let key = Key::new(side, envelope, id);
        let mut is_muddled = false;
        if around.both
            && let Some(taken) = self.all.get(&key)
            && !taken.has_ended()
        {
            is_muddled = true;
            if !taken.may_be_given_up(&around) {
                let words =
                    format!("{} is the id of an open call of `{}`", shown(id), taken.method);
                found.push((&check::OPEN_ID, words));
            }
            self.open.remove(&taken.serial);
        }
        self.serial += 1;
        let mut channel = Channel::of_request(self.serial, event, around.at);
        channel.is_muddled = is_muddled;
        self.recent[side.index()].note(key.id.clone(), self.serial);
        self.open.insert(self.serial);
        self.all.insert(key, channel);
    }

    /// The channel that an event belongs to. One that began before anybody looked is taken as it is.
    fn find(&mut self, sent: Sent<'_>, id: &Value, at: Duration, view: View) -> Option<Key> {
        let own = Key::new(sent.side, sent.envelope, id);
        let others = Key::new(sent.side.other(), sent.envelope, id);
        let serves = sent.serves.or_else(|| is_answer(sent.event.name()).then_some(true));
        let (first, second) = if serves == Some(true) { (others, own) } else { (own, others) };
        if self.all.contains_key(&first) {
            return Some(first);
        }
        if self.all.contains_key(&second) {
            return Some(second);
        }
        if view.both && view.whole || serves.is_none() {
            return None;
        }
        self.serial += 1;
        self.open.insert(self.serial);
        self.all.insert(first.clone(), Channel::adopted(self.serial, at));
        Some(first)
    }

    fn on_channel(&mut self, sent: Sent<'_>, key: &Key, around: Around, found: &mut Vec<Finding>) {
        let Sent { side, event, .. } = sent;
        let Some(channel) = self.all.get_mut(key) else { return };
        if let Some(id) = event.message_id().filter(|id| form::is_usable(id)) {
            let before = self.recent[side.index()].note(encode(id), channel.serial);
            if around.both && before.is_some_and(|serial| self.open.contains(&serial)) {
                let words = format!("{} was the id of another event", shown(id));
                found.push((&check::SAME_ID, words));
            }
        }
        let opener = if key.opened_by_listener { Side::Listener } else { Side::Connector };
        let around = Around { lossless: self.lossless[opener.other().index()], ..around };
        if opener == side {
            channel.by_client(event, &around, found);
        } else {
            channel.by_server(event, &around, found);
        }
        if channel.has_ended() && self.open.remove(&channel.serial) {
            self.ended.push_back((key.clone(), channel.serial));
            self.forget();
        }
    }

    /// Something was not seen: what is open is not judged by what has passed.
    pub(super) fn doubt(&mut self) {
        self.all.values_mut().for_each(Channel::doubt);
    }

    /// Forgets what ended long ago.
    fn forget(&mut self) {
        while self.ended.len() > ENDED
            && let Some((key, serial)) = self.ended.pop_front()
        {
            if self.all.get(&key).is_some_and(|channel| channel.serial == serial) {
                self.all.remove(&key);
            }
        }
    }

    /// What is wrong with an event whose channel is not there, and which one is meant.
    fn without_channel(&self, sent: Sent<'_>, id: &Value) -> (Finding, Option<Key>) {
        let Sent { side, envelope, event, .. } = sent;
        let by_listener = side.other() == Side::Listener;
        let open = || {
            self.all.iter().filter(|(key, channel)| {
                key.opened_by_listener == by_listener && self.open.contains(&channel.serial)
            })
        };
        let encoded = encode(id);
        if let Some((key, channel)) = open().find(|(key, _)| key.id == encoded) {
            let words = format!(
                "{} for the call of `{}` has the envelope {}, and its request {}",
                event.name(),
                channel.method,
                shown_envelope(envelope),
                shown_envelope(&key.envelope)
            );
            return ((&check::ENVELOPE, words), Some(key.clone()));
        }
        let bytes = content(id);
        let same = open().find(|(key, _)| content_of(&key.id) == bytes && bytes.is_some());
        if let Some((key, channel)) = same {
            let asked = rmpv::decode::read_value(&mut key.id.as_slice()).unwrap_or(Value::Nil);
            let words = format!(
                "{} for the call of `{}` says {}, and its request {}",
                event.name(),
                channel.method,
                shown(id),
                shown(&asked)
            );
            return ((&check::ID_TYPE, words), Some(key.clone()));
        }
        let words = format!(
            "{} has the response_to {}, which nobody has asked for",
            event.name(),
            shown(id)
        );
        ((&check::UNKNOWN_CHANNEL, words), None)
    }

    /// What servers have failed to say until now: on which side, and what.
    pub(super) fn silence(&mut self, at: Duration, settings: Settings) -> Vec<(Side, Finding)> {
        let around = Around { settings, at, both: true, lossless: false, clear: true };
        let mut found = Vec::new();
        if self.open.is_empty() {
            return found;
        }
        for (key, channel) in &mut self.all {
            if let Some(finding) = channel.server_silence(&around) {
                let server = if key.opened_by_listener { Side::Connector } else { Side::Listener };
                found.push((server, finding));
            }
        }
        found
    }
}

/// Whether only servers say this.
fn is_answer(name: &str) -> bool {
    matches!(name, "OK" | "ERR" | "STREAM" | "STREAM_DONE")
}

/// What an id holds, whatever its type.
fn content(id: &Value) -> Option<Vec<u8>> {
    match id {
        Value::Binary(bytes) | Value::Ext(_, bytes) => Some(bytes.clone()),
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

fn content_of(mut id: &[u8]) -> Option<Vec<u8>> {
    rmpv::decode::read_value(&mut id).ok().as_ref().and_then(content)
}

fn shown_envelope(envelope: &[Vec<u8>]) -> String {
    let frames: Vec<String> = envelope.iter().take(4).map(|frame| shown_bytes(frame)).collect();
    format!("[{}]", frames.join(", "))
}
