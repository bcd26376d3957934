//! What servers under test offer; `CONTRACT.md` says it in full.

use std::{collections::BTreeSet, time::Duration};

use rmpv::Value;
use serde_json::Value as Json;

use crate::{failure::Failure, raw::Peer};

/// The methods of the contract.
pub const METHODS: [&str; 12] = [
    "echo",
    "add",
    "count",
    "fail",
    "fail_after",
    "sleep",
    "burn",
    "blob",
    "forever",
    "forever_closed",
    "record",
    "recorded",
];

/// What is known of a server before cases are run.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// The methods that it says it has; unknown where it does not say.
    methods: Option<BTreeSet<String>>,
    /// Whether it answers a ping.
    pub pings: bool,
    /// What came of a call of the first method of the contract, if it answers neither that nor a ping, connected as it is.
    pub refusal: Option<Failure>,
}

impl Offer {
    /// Asks a server.
    #[must_use]
    pub fn ask(peer: &mut Peer, within: Duration) -> Self {
        let pings = peer.call("_zerorpc_ping", Vec::new(), within).is_ok();
        let inspected =
            if pings { peer.call("_zerorpc_inspect", Vec::new(), within).ok() } else { None };
        let refusal = if pings { None } else { refusal(peer, within) };
        Self { methods: inspected.as_ref().and_then(names), pings, refusal }
    }

    /// The first of these methods that the server lacks.
    #[must_use]
    pub fn lacks(&self, needs: &[&'static str]) -> Option<&'static str> {
        let methods = self.methods.as_ref()?;
        needs.iter().copied().find(|need| !methods.contains(*need))
    }
}

/// Why a call of the first method of the contract has no answer, where its connection stands.
fn refusal(peer: &mut Peer, within: Duration) -> Option<Failure> {
    let channel = peer.request(METHODS[0], vec![Value::Nil]).ok()?;
    let failure = peer.expect_answer(&channel, within).err()?;
    (!peer.bytes().ends(Duration::ZERO)).then_some(failure)
}

/// The case cannot be played, if this is the outcome of an order that a client has no means for.
#[must_use]
pub fn unsupported(outcome: &Json) -> Option<Failure> {
    let why = outcome["unsupported"].as_str()?;
    Some(Failure::skip(format!("the client cannot: {why}")))
}

/// The names of methods in what `_zerorpc_inspect` gives: a map by name, or a list of `[name, …]`.
fn names(inspected: &Value) -> Option<BTreeSet<String>> {
    let text = |value: &Value| match value {
        Value::Binary(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => other.as_str().map(str::to_owned),
    };
    let pairs = inspected.as_map()?;
    let (_, methods) = pairs.iter().find(|(key, _)| text(key).as_deref() == Some("methods"))?;
    match methods {
        Value::Map(methods) => Some(methods.iter().filter_map(|(name, _)| text(name)).collect()),
        Value::Array(methods) => {
            Some(methods.iter().filter_map(|entry| text(entry.as_array()?.first()?)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(methods: Value) -> Offer {
        let inspected = Value::Map(vec![(Value::from("methods"), methods)]);
        Offer { methods: names(&inspected), pings: true, refusal: None }
    }

    #[test]
    fn methods_are_read_from_both_dialects() {
        let map = offer(Value::Map(vec![(Value::from("echo"), Value::Nil)]));
        let list = offer(Value::Array(vec![Value::Array(vec![Value::Binary(b"echo".to_vec())])]));
        for offer in [map, list] {
            assert_eq!(offer.lacks(&["echo"]), None);
            assert_eq!(offer.lacks(&["echo", "add"]), Some("add"));
        }
    }

    #[test]
    fn a_server_that_does_not_say_what_it_has_may_have_all() {
        assert_eq!(Offer::default().lacks(&["echo"]), None);
        assert_eq!(offer(Value::Nil).lacks(&["echo"]), None);
    }
}
