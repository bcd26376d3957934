//! Endpoints whose peers do not let this side in, want another mechanism, or do not speak ZMTP.
//!
//! libzmq never connects to them again. So this side does, as after a connection that was refused: settings may change.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::{Endpoint, Host, MechanismName, SocketOptions};

use super::{
    HANDSHAKE_BROKEN, HANDSHAKE_FAILED, HANDSHAKE_REFUSED, Happened, READY, RETRIED,
    emitter::{MECHANISM_MISMATCH, UNEXPECTED_COMMAND},
};

/// What became of the handshakes at endpoints that this side connects to.
#[derive(Debug)]
pub(super) struct Refusals {
    ours: MechanismName,
    shortest: Duration,
    longest: Duration,
    /// By the endpoints as they were given.
    latest: BTreeMap<String, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    /// What to tell whoever waits for a peer, where nothing but other settings helps.
    denial: Option<Arc<str>>,
    /// When to connect again, unless that was done.
    redial: Option<Instant>,
    /// How long the latest wait was.
    waited: Duration,
}

impl Refusals {
    pub(super) fn new(options: &SocketOptions) -> Self {
        Self {
            ours: options.security.mechanism(),
            shortest: options.reconnect.max(Duration::from_millis(1)),
            longest: options.reconnect_longest.max(options.reconnect),
            latest: BTreeMap::new(),
        }
    }

    pub(super) fn note(&mut self, happened: &Happened<'_>, connected: &[String], now: Instant) {
        let Some(given) = which(happened.endpoint, connected) else { return };
        match happened.event {
            HANDSHAKE_BROKEN | HANDSHAKE_REFUSED => {
                let waited = self.latest.get(given).map(|refusal| refusal.waited * 2);
                let waited = waited.unwrap_or(self.shortest).min(self.longest);
                let refusal = Refusal {
                    denial: self.denial(happened, given),
                    redial: now.checked_add(waited),
                    waited,
                };
                self.latest.insert(given.clone(), refusal);
            }
            // libzmq goes on by itself.
            READY | RETRIED | HANDSHAKE_FAILED => self.forget(given),
            _ => {}
        }
    }

    fn denial(&self, happened: &Happened<'_>, given: &str) -> Option<Arc<str>> {
        let why = match (happened.event, happened.value, self.ours) {
            (HANDSHAKE_BROKEN, MECHANISM_MISMATCH, ours) => {
                format!("it wants another security mechanism than {ours}, which is ours; set up both sides alike")
            }
            // libzmq's client of PLAIN knows ERROR by another name alone, which libzmq's server has for it.
            (HANDSHAKE_REFUSED, ..) | (HANDSHAKE_BROKEN, UNEXPECTED_COMMAND, MechanismName::Plain)
                if self.ours == MechanismName::Plain =>
            {
                "it does not let this side in; the user name or the password is wrong".into()
            }
            (HANDSHAKE_REFUSED, _, MechanismName::Curve) => {
                "it does not let this side in; have our key authorized there".into()
            }
            (HANDSHAKE_REFUSED, ..) => {
                "it does not let this side in, nor anybody who is not known to it: show it a key or a password, or have this \
                 user or address let in"
                    .into()
            }
            _ => return None,
        };
        Some(format!("{given}: {why}").into())
    }

    /// Whether there are any, which are to be connected to again.
    pub(super) fn are_any(&self) -> bool {
        !self.latest.is_empty()
    }

    /// The next endpoint that it is time to connect to again.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<String> {
        let is_due = |refusal: &Refusal| refusal.redial.is_some_and(|at| at <= now);
        let (endpoint, refusal) = self.latest.iter_mut().find(|(_, refusal)| is_due(refusal))?;
        refusal.redial = None;
        Some(endpoint.clone())
    }

    /// Why nobody is at any of these endpoints.
    pub(super) fn of_all(&self, connected: &[String]) -> Option<Arc<str>> {
        let denial = |endpoint: &String| self.latest.get(endpoint)?.denial.clone();
        connected.iter().map(denial).collect::<Option<Vec<_>>>()?.pop()
    }

    /// Forgets an endpoint that was given up.
    pub(super) fn forget(&mut self, endpoint: &str) {
        self.latest.remove(endpoint);
    }
}

/// Which endpoint that this side connects to is meant. Those with names of hosts are told as they were given, or by the address
/// that the name stands for: that is clear where there is no other one.
fn which<'a>(endpoint: &str, connected: &'a [String]) -> Option<&'a String> {
    connected.iter().find(|given| *given == endpoint).or(match connected {
        [only] if is_named(only) && port(only) == port(endpoint) => Some(only),
        _ => None,
    })
}

/// Whether the host of an endpoint is a name, not an address.
fn is_named(endpoint: &str) -> bool {
    let Ok(Endpoint::Tcp { address, .. }) = Endpoint::parse_connect(endpoint) else { return false };
    matches!(address.host, Host::Name(_))
}

fn port(endpoint: &str) -> Option<&str> {
    endpoint.strip_prefix("tcp://")?.rsplit_once(':').map(|(_, port)| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_about_endpoints_that_there_are() {
        let given = |endpoints: &[&str]| endpoints.iter().map(|one| (*one).to_owned()).collect();
        for (event, connected, expected) in [
            ("tcp://127.0.0.1:80", &["tcp://127.0.0.1:80", "tcp://127.0.0.2:80"][..], Some(0)),
            ("tcp://127.0.0.2:80", &["tcp://127.0.0.1:80", "tcp://127.0.0.2:80"], Some(1)),
            // The other one was disconnected from.
            ("tcp://127.0.0.2:80", &["tcp://127.0.0.1:80"], None),
            ("tcp://127.0.0.1:80", &["tcp://localhost:80"], Some(0)),
            ("tcp://localhost:80", &["tcp://localhost:80"], Some(0)),
            ("tcp://127.0.0.1:8080", &["tcp://localhost:80"], None),
            ("tcp://127.0.0.1:80", &["tcp://localhost:80", "tcp://other:80"], None),
            ("ipc:///tmp/a", &["ipc:///tmp/a"], Some(0)),
            ("ipc:///tmp/b", &["ipc:///tmp/a"], None),
            ("tcp://127.0.0.1:80", &[], None),
        ] {
            let connected: Vec<String> = given(connected);
            let expected = expected.map(|at: usize| &connected[at]);
            assert_eq!(which(event, &connected), expected, "{event} {connected:?}");
        }
    }

    #[test]
    fn waits_become_longer_until_libzmq_goes_on_by_itself() {
        let options = SocketOptions::default()
            .reconnect(Duration::from_millis(100))
            .reconnect_longest(Duration::from_millis(300));
        let (mut refusals, connected) = (Refusals::new(&options), ["a".to_owned()]);
        let mut now = Instant::now();
        let refused =
            Happened { event: HANDSHAKE_BROKEN, value: MECHANISM_MISMATCH, endpoint: "a" };
        for wait in [100, 200, 300, 300] {
            refusals.note(&refused, &connected, now);
            assert!(refusals.of_all(&connected).is_some());
            let wait = Duration::from_millis(wait);
            assert_eq!(refusals.take_due(now + wait - Duration::from_millis(1)), None);
            now += wait;
            assert_eq!(refusals.take_due(now).as_deref(), Some("a"));
            assert_eq!(refusals.take_due(now), None, "it was done");
        }
        refusals.note(&Happened { event: RETRIED, value: 10, endpoint: "a" }, &connected, now);
        assert_eq!(refusals.of_all(&connected), None);
        assert!(!refusals.are_any());
    }
}
