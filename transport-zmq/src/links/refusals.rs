//! Endpoints whose peers do not let this side in, want another mechanism, or do not speak ZMTP.
//!
//! libzmq never connects to them again. So this side does, as after a connection that was refused: settings may change.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use zerorpc_proto::transport::{MechanismName, SocketOptions};

use super::{
    HANDSHAKE_BROKEN, HANDSHAKE_FAILED, HANDSHAKE_REFUSED, Happened, READY, RETRIED,
    teller::{MECHANISM_MISMATCH, UNEXPECTED_COMMAND},
};

/// How often it is looked for endpoints to be connected to again.
pub(crate) const GLANCE: Duration = Duration::from_millis(100);

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

/// Which endpoint that this side connects to is meant. Names of hosts are told as they were given, or as the address that
/// they stand for: that is clear where there is no other one.
fn which<'a>(endpoint: &str, connected: &'a [String]) -> Option<&'a String> {
    let is_resolved = |given: &str| {
        let port = |endpoint: &str| endpoint.rsplit_once(':').map(|(_, port)| port.to_owned());
        given.starts_with("tcp://")
            && endpoint.starts_with("tcp://")
            && port(given) == port(endpoint)
    };
    connected.iter().find(|given| *given == endpoint).or(match connected {
        [only] if is_resolved(only) => Some(only),
        _ => None,
    })
}
