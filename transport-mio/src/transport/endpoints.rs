//! Endpoints that are bound and connected.

use std::{io::ErrorKind, sync::Arc, time::Instant};

use mio::{Interest, Token};
use zerorpc_proto::transport::{Cause, Endpoint, Host, SocketKind};

use super::{
    MioTransport,
    slots::{Bound, Dialed, Slot},
};
use crate::{
    link::{Addresses, Dialer, Listener, Notifier},
    random::seed,
    waiter::SourceWaker,
};

impl MioTransport {
    pub(super) fn try_bind(&mut self, given: &str) -> Result<String, Cause> {
        let endpoint = Endpoint::parse_bind(given).map_err(no_endpoint)?;
        self.refuse_while_draining()?;
        let mut listener = Listener::bind(&endpoint, &self.links)?;
        let actual = listener.endpoint().to_owned();
        let entry = self.slots.vacant_entry();
        self.registry.register(&mut listener, Token(entry.key()), Interest::READABLE)?;
        let bound = Bound { listener, given: given.to_owned(), wake: None, runnable: false };
        entry.insert(Slot::Listener(Box::new(bound)));
        Ok(actual)
    }

    pub(super) fn try_connect(&mut self, given: &str) -> Result<(), Cause> {
        let endpoint = Endpoint::parse_connect(given).map_err(no_endpoint)?;
        self.refuse_while_draining()?;
        // As in libzmq: a second connection would have each message come twice, or the endpoint count twice.
        let once = matches!(self.kind, SocketKind::Dealer | SocketKind::Pub | SocketKind::Sub);
        if once && self.find_connected(given).is_some() {
            return Ok(());
        }
        let now = Instant::now();
        match &endpoint {
            Endpoint::Tcp { connections: 2.., .. }
                if matches!(self.kind, SocketKind::Pub | SocketKind::Sub) =>
            {
                return Err("several connections would have each event come several times; \
                            leave `?connections=` out"
                    .into());
            }
            Endpoint::Tcp { source, address, connections } => {
                let named = matches!(address.host, Host::Name(_));
                if *connections > 1 || self.uses_all_addresses() && named {
                    let (source, address, connections) =
                        (source.clone(), address.clone(), *connections);
                    self.add_group(given, source, address, connections, now);
                } else {
                    self.add_dialer(endpoint, given.into(), None, now);
                }
            }
            _ => self.add_dialer(endpoint, given.into(), None, now),
        }
        self.publish_deadline();
        Ok(())
    }

    fn refuse_while_draining(&self) -> Result<(), Cause> {
        if self.is_draining { Err("this socket is about to be closed".into()) } else { Ok(()) }
    }

    pub(super) fn try_unbind(&mut self, given: &str) -> Result<(), Cause> {
        let found = self.slots.iter().find(|(_, slot)| match slot {
            Slot::Listener(bound) => bound.given == given || bound.listener.endpoint() == given,
            Slot::Dialer(_) | Slot::Group(_) | Slot::Accepted(_) => false,
        });
        let slot = found.map(|(slot, _)| slot).ok_or("this socket is not bound there")?;
        self.remove_slot(slot);
        Ok(())
    }

    pub(super) fn try_disconnect(&mut self, given: &str) -> Result<(), Cause> {
        let slot = self.find_connected(given).ok_or("this socket is not connected there")?;
        let retired = self.slots.iter().filter(|(_, slot)| match slot {
            Slot::Accepted(connection) => connection.given.as_deref() == Some(given),
            Slot::Listener(_) | Slot::Dialer(_) | Slot::Group(_) => false,
        });
        let retired: Vec<usize> = retired.map(|(slot, _)| slot).collect();
        for slot in retired {
            self.close(slot, "this side disconnected");
        }
        for slot in self.members(slot).into_iter().chain([slot]) {
            self.close(slot, "this side disconnected");
            self.remove_slot(slot);
        }
        Ok(())
    }

    /// The dialer or the group of dialers of an endpoint.
    fn find_connected(&self, given: &str) -> Option<usize> {
        let found = self.slots.iter().find(|(_, slot)| match slot {
            Slot::Dialer(dialed) => dialed.group.is_none() && &*dialed.given == given,
            Slot::Group(group) => &*group.given == given,
            Slot::Listener(_) | Slot::Accepted(_) => false,
        });
        found.map(|(slot, _)| slot)
    }

    /// Begins to connect to an endpoint; on behalf of a group, to these of its addresses.
    pub(super) fn add_dialer(
        &mut self,
        endpoint: Endpoint,
        given: Arc<str>,
        member: Option<(usize, Addresses)>,
        now: Instant,
    ) {
        let slot = self.slots.vacant_key();
        let named = matches!(&endpoint, Endpoint::Tcp { address, .. } if matches!(address.host, Host::Name(_)));
        let mut dialer =
            Dialer::new(endpoint, self.links.clone(), seed(), self.notifier(slot), now);
        let group = member.map(|(group, addresses)| {
            dialer.set_addresses(addresses);
            group
        });
        let dialed = Dialed {
            dialer,
            given,
            named,
            group,
            connection: None,
            wake: None,
            denial: None,
            is_suspect: false,
        };
        self.slots.insert(Slot::Dialer(Box::new(dialed)));
        self.dial(slot, now);
    }

    /// What wakes whoever waits, for this source.
    pub(super) fn notifier(&self, slot: usize) -> Notifier {
        Notifier::new(Arc::new(SourceWaker {
            token: Token(slot),
            mailbox: Arc::clone(&self.mailbox),
            waker: self.waker.clone(),
        }))
    }
}

fn no_endpoint(words: String) -> Cause {
    Cause::new(ErrorKind::InvalidInput, words)
}
