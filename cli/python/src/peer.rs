//! Who calls, as served code is told.

use rmpv::{Value, encode::write_value};
use zerorpc::Principal;

/// What is known of a caller, encoded: a map without what is not known; empty bytes where that is everything.
pub(super) fn encode(peer: &Principal) -> Vec<u8> {
    let text = |text: &str| Value::from(text);
    let process = peer.process.as_ref();
    let known = [
        ("name", peer.name.as_deref().map(text)),
        ("key", peer.key.map(|key| Value::from(key.to_string()))),
        ("username", peer.username.as_deref().map(text)),
        ("remote", Some(&*peer.remote).filter(|remote| !remote.is_empty()).map(text)),
        ("uid", process.map(|process| process.uid.into())),
        ("gid", process.map(|process| process.gid.into())),
        ("pid", process.and_then(|process| process.pid).map(Value::from)),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((Value::from(name), value?)));
    let mut known: Vec<(Value, Value)> = known.collect();
    let mut out = Vec::new();
    if !known.is_empty() {
        known.push((Value::from("mechanism"), Value::from(peer.mechanism.as_str())));
        // A `Vec` takes everything.
        let _never_fails = write_value(&mut out, &Value::Map(known));
    }
    out
}
