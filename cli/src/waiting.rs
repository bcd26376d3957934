//! Tells once that nobody is connected, where a call or a worker waits for somebody.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use zerorpc::MonitorEvent;

use crate::{exit::CliError, plan::Link};

/// How long is waited without a word. Not measured: longer than a server on another continent takes to be connected, and
/// shorter than people take to wonder.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// Looks whether somebody is connected, for as long as it lives.
pub(crate) struct Waiting {
    /// Nobody waits any more.
    is_over: Arc<AtomicBool>,
}

impl Waiting {
    /// Has `tell` say why nobody is connected after [`SILENCE`], if that is so. `events` tell of everything that happens to
    /// connections; `bound` are all binds among the links, as they were bound.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn begin(
        links: &[Link],
        bound: &[String],
        events: Receiver<MonitorEvent>,
        tell: impl FnOnce(&str) + Send + 'static,
    ) -> Result<Self, CliError> {
        let mut awaited = Awaited::at(links, bound);
        let is_over = Arc::new(AtomicBool::new(false));
        let waiting = Self { is_over: Arc::clone(&is_over) };
        let due = Instant::now() + SILENCE;
        let looking = thread::Builder::new().name("waiting".to_owned()).spawn(move || {
            let ended = loop {
                match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(event) => awaited.note(event),
                    Err(ended) => break ended,
                }
            };
            let is_alone = ended == RecvTimeoutError::Timeout && awaited.connected.is_empty();
            if is_alone && !is_over.load(Ordering::Acquire) {
                tell(&awaited.to_string());
            }
        });
        looking.map_err(|error| CliError::failed(format!("cannot start a thread: {error}")))?;
        Ok(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
    }
}

/// Who is waited for, and what became of it so far.
struct Awaited {
    /// Where.
    endpoints: Vec<String>,
    /// All are connected to: nobody comes by himself.
    is_dialed: bool,
    /// Where connections that stand lead to.
    connected: Vec<String>,
    /// What the latest attempt met.
    latest: Option<String>,
}

impl Awaited {
    fn at(links: &[Link], bound: &[String]) -> Self {
        let dialed = links.iter().filter_map(|link| match link {
            Link::Bind(_) => None,
            Link::Connect(address) => Some(address),
        });
        let endpoints = bound.iter().chain(dialed).cloned().collect();
        Self { endpoints, is_dialed: bound.is_empty(), connected: Vec::new(), latest: None }
    }

    fn note(&mut self, event: MonitorEvent) {
        match event {
            MonitorEvent::Connected { remote, .. } => self.connected.push(remote),
            MonitorEvent::Disconnected { remote, .. } => self.lose(&remote),
            MonitorEvent::GoingAway { ref remote, .. } => {
                self.lose(remote);
                self.latest = Some(event.to_string());
            }
            // Where it leads to was said already.
            MonitorEvent::Retried { reason, .. } if self.endpoints.len() == 1 => {
                self.latest = Some(reason);
            }
            MonitorEvent::Retried { endpoint, reason, .. } => {
                self.latest = Some(format!("cannot connect to {endpoint}: {reason}"));
            }
            MonitorEvent::HandshakeFailed { .. } => self.latest = Some(event.to_string()),
            _ => {}
        }
    }

    fn lose(&mut self, remote: &str) {
        let lost = self.connected.iter().position(|connected| connected == remote);
        lost.map(|index| self.connected.swap_remove(index));
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = if self.is_dialed { "no answer" } else { "nobody has connected" };
        let latest = self.latest.as_deref().unwrap_or(nothing);
        write!(f, "at {} yet: {latest}", self.endpoints.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;

    const HERE: &str = "tcp://127.0.0.1:1";
    const THERE: &str = "tcp://127.0.0.1:2";

    fn retried(endpoint: &str) -> MonitorEvent {
        let (endpoint, reason) = (endpoint.to_owned(), "nobody listens there".to_owned());
        MonitorEvent::Retried { endpoint, reason, after: Duration::ZERO }
    }

    #[test]
    fn who_is_awaited_is_told_with_what_the_latest_attempt_met() {
        let bind = || Link::Bind("tcp://127.0.0.1:*".to_owned());
        let connect = |address: &str| Link::Connect(address.to_owned());
        let failed = || MonitorEvent::HandshakeFailed {
            remote: THERE.to_owned(),
            reason: "it hung up".to_owned(),
        };
        for (links, events, told) in [
            (vec![connect(HERE)], vec![], "at tcp://127.0.0.1:1 yet: no answer"),
            (
                vec![connect(HERE)],
                vec![failed(), retried(HERE)],
                "at tcp://127.0.0.1:1 yet: nobody listens there",
            ),
            (
                vec![connect(HERE), connect(THERE)],
                vec![retried(HERE), retried(THERE)],
                "at tcp://127.0.0.1:1, tcp://127.0.0.1:2 yet: cannot connect to tcp://127.0.0.1:2: nobody listens there",
            ),
            (vec![bind()], vec![], "at tcp://127.0.0.1:1 yet: nobody has connected"),
            (
                vec![bind()],
                vec![failed()],
                "at tcp://127.0.0.1:1 yet: no connection with tcp://127.0.0.1:2: it hung up",
            ),
        ] {
            let is_bound = matches!(links[..], [Link::Bind(_)]);
            let bound: &[String] = if is_bound { &[HERE.to_owned()] } else { &[] };
            let mut awaited = Awaited::at(&links, bound);
            events.into_iter().for_each(|event| awaited.note(event));
            assert_eq!(awaited.to_string(), told);
        }
    }

    /// One who waits for a connection to [`HERE`].
    struct Begun {
        /// Its socket lives for as long.
        _monitor: Sender<MonitorEvent>,
        _waiting: Option<Waiting>,
        told: Receiver<String>,
    }

    /// Begins to wait, and stops at once if it `is_over`.
    fn begin(events: Vec<MonitorEvent>, is_over: bool) -> Begun {
        let (monitor, heard) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        events.into_iter().for_each(|event| monitor.send(event).expect("it is listened to"));
        let links = [Link::Connect(HERE.to_owned())];
        let tell = move |why: &str| tell.send(why.to_owned()).expect("it is awaited");
        let waiting = Waiting::begin(&links, &[], heard, tell).expect("a thread");
        Begun { _monitor: monitor, _waiting: (!is_over).then_some(waiting), told }
    }

    #[test]
    fn nobody_who_is_connected_or_no_longer_awaited_is_told_of() {
        let (peer, remote) = (zerorpc::zerorpc_proto::PeerId::NAMELESS, HERE.to_owned());
        let connected = || MonitorEvent::Connected { peer, remote: remote.clone() };
        let leaving = || MonitorEvent::GoingAway { peer, remote: remote.clone() };
        let gone = || {
            let (remote, reason) = (remote.clone(), "it hung up".to_owned());
            MonitorEvent::Disconnected { peer, remote, reason }
        };
        let stopping = "at tcp://127.0.0.1:1 yet: the peer at tcp://127.0.0.1:1 is stopping";
        let begun = [
            (vec![], false, Some("at tcp://127.0.0.1:1 yet: no answer")),
            (vec![], true, None),
            (vec![retried(HERE), connected()], false, None),
            (vec![connected(), leaving(), gone()], false, Some(stopping)),
            (vec![connected(), gone(), connected()], false, None),
        ]
        .map(|(events, is_over, expected)| (begin(events, is_over), expected));
        for (begun, expected) in begun {
            // It is hung up where nothing is told.
            assert_eq!(begun.told.recv().ok().as_deref(), expected);
        }
    }
}
