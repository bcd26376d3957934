//! The connections of a socket that picks the peer itself.

use std::collections::BTreeMap;

use super::{ACCEPTED, CONNECTED, DISCONNECTED, Happened, READY};

/// Connections by their descriptors.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<u32, Link>);

#[derive(Debug)]
struct Link {
    /// Of a connection that was accepted, where it was.
    endpoint: String,
    accepted: bool,
    ready: bool,
}

impl Table {
    /// Whether there is somebody to talk to.
    pub(super) fn any(&self) -> bool {
        self.0.values().any(|link| link.ready)
    }

    pub(super) fn note(&mut self, happened: &Happened<'_>) {
        let &Happened { event, value, endpoint } = happened;
        match event {
            CONNECTED | ACCEPTED => {
                let accepted = event == ACCEPTED;
                self.0.insert(value, Link { endpoint: endpoint.into(), accepted, ready: false });
            }
            // This comes without a descriptor. To take an accepted connection for ready too early does no harm:
            // libzmq has no queue for it yet.
            READY => {
                for link in self.0.values_mut() {
                    link.ready |= link.accepted || link.endpoint == endpoint;
                }
            }
            DISCONNECTED => {
                self.0.remove(&value);
            }
            _ => {}
        }
    }

    /// Forgets the connections of an endpoint that was given up.
    pub(super) fn forget(&mut self, endpoint: &str) {
        self.0.retain(|_, link| {
            let accepted_there = || link.accepted && is_within(&link.endpoint, endpoint);
            link.endpoint != endpoint && !accepted_there()
        });
    }
}

/// Whether a connection that was accepted at `local` came in at `bound`, which may stand for all addresses.
fn is_within(local: &str, bound: &str) -> bool {
    let ports = [local, bound].map(|endpoint| endpoint.rsplit_once(':'));
    match ports {
        [Some((_, local)), Some((host, bound))] => {
            local == bound && matches!(host, "tcp://0.0.0.0" | "tcp://[::]")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_to_any_address_goes_with_it() {
        let table = [
            ("tcp://127.0.0.1:80", "tcp://0.0.0.0:80", false),
            ("tcp://[::ffff:127.0.0.1]:80", "tcp://[::]:80", false),
            ("tcp://127.0.0.1:80", "tcp://127.0.0.1:80", false),
            ("tcp://127.0.0.1:80", "tcp://[::]:8080", true),
            ("tcp://127.0.0.1:80", "tcp://127.0.0.2:80", true),
            ("ipc:///tmp/a", "tcp://[::]:80", true),
        ];
        for (came, given_up, expected) in table {
            let mut links = Table::default();
            links.note(&Happened { event: ACCEPTED, value: 5, endpoint: came });
            links.note(&Happened { event: READY, value: 0, endpoint: came });
            links.forget(given_up);
            assert_eq!(links.any(), expected, "{came} {given_up}");
        }
    }

    #[test]
    fn who_is_there_follows_from_the_events() {
        let table = [
            ("nothing", vec![], false),
            ("connected", vec![(CONNECTED, 5, "a")], false),
            ("greeted", vec![(CONNECTED, 5, "a"), (READY, 0, "a")], true),
            ("another greeted", vec![(CONNECTED, 5, "a"), (READY, 0, "b")], false),
            ("never greeted", vec![(CONNECTED, 5, "a"), (DISCONNECTED, 5, "a")], false),
            ("gone", vec![(CONNECTED, 5, "a"), (READY, 0, "a"), (DISCONNECTED, 5, "a")], false),
            (
                "one of two gone",
                vec![
                    (CONNECTED, 5, "a"),
                    (READY, 0, "a"),
                    (CONNECTED, 6, "b"),
                    (READY, 0, "b"),
                    (DISCONNECTED, 5, "a"),
                ],
                true,
            ),
            (
                "a stranger failed",
                vec![
                    (ACCEPTED, 5, "a"),
                    (READY, 0, "a"),
                    (ACCEPTED, 6, "a"),
                    (DISCONNECTED, 6, "a"),
                ],
                true,
            ),
            ("any address", vec![(ACCEPTED, 5, "*:1"), (READY, 0, "local:1")], true),
            (
                "the number again",
                vec![(CONNECTED, 5, "a"), (READY, 0, "a"), (CONNECTED, 5, "b")],
                false,
            ),
        ];
        for (case, events, expected) in table {
            let mut links = Table::default();
            for (event, value, endpoint) in events {
                links.note(&Happened { event, value, endpoint });
            }
            assert_eq!(links.any(), expected, "{case}");
        }
    }
}
