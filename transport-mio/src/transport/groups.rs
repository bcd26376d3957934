//! Endpoints that lead to several connections: names with all their addresses, which change, and endpoints that are
//! to have several connections to each.
//!
//! A [`Resolver`] says what addresses there are, and each [lane](Addresses::lanes) of them has as many dialers as the
//! endpoint is to have connections. When the addresses change, lanes that are new get dialers, and dialers whose
//! lanes are gone are dismissed: a connection stays for the calls that are open there, and gets no others.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use zerorpc_proto::transport::{Endpoint, MonitorEvent, SocketKind, TcpAddress};

use super::{
    MioTransport,
    slots::{Group, Slot},
};
use crate::{
    link::{Addresses, Resolution, Resolver},
    random::seed,
};

/// A dialer of a group, as far as it matters to whom it goes on to belong.
struct Member {
    slot: usize,
    /// Where its connection leads to, if it has one that is ready.
    remote: Option<SocketAddr>,
    /// Where it may connect to.
    lane: Vec<SocketAddr>,
}

impl MioTransport {
    /// Whether all addresses of a name are connected to. Other sockets would get messages several times, or are there
    /// for one peer.
    pub(super) fn uses_all_addresses(&self) -> bool {
        matches!(self.kind, SocketKind::Dealer | SocketKind::Push)
    }

    /// Begins to connect to all addresses of an endpoint.
    pub(super) fn add_group(
        &mut self,
        given: &str,
        source: Option<TcpAddress>,
        address: TcpAddress,
        connections: u8,
        now: Instant,
    ) {
        let slot = self.slots.vacant_key();
        let (from, to) = (source.clone(), address.clone());
        let resolver = Resolver::new(from, to, &self.links, seed(), self.notifier(slot), now);
        let endpoint = Endpoint::Tcp { source, address, connections };
        let group = Group {
            resolver,
            endpoint,
            given: given.into(),
            connections,
            failing: false,
            wake: None,
        };
        self.slots.insert(Slot::Group(Box::new(group)));
        self.resolve(slot, now);
    }

    /// The dialers of a group; of anything else, none.
    pub(super) fn members(&self, group: usize) -> Vec<usize> {
        let all = self.slots.iter();
        all.filter(|(_, slot)| matches!(slot, Slot::Dialer(dialed) if dialed.group == Some(group)))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// Goes on looking up the addresses of a group.
    pub(super) fn resolve(&mut self, slot: usize, now: Instant) {
        loop {
            let Some(Slot::Group(group)) = self.slots.get_mut(slot) else { return };
            match group.resolver.poll(now) {
                Resolution::Found(addresses) => {
                    group.failing = false;
                    self.spread(slot, &addresses, now);
                }
                Resolution::Failed { reason, retry } => {
                    let again = std::mem::replace(&mut group.failing, true);
                    let endpoint = group.given.to_string();
                    if self.members(slot).is_empty() {
                        let after = retry.saturating_duration_since(now);
                        self.emit(MonitorEvent::Retried { endpoint, reason, after });
                    } else if !again {
                        tracing::warn!("{endpoint} keeps the addresses that it had: {reason}");
                    }
                    return self.schedule(slot, Some(retry));
                }
                Resolution::Waiting(until) => return self.schedule(slot, until),
            }
        }
    }

    /// A connection of a dialer was lost or could not be made: its group may have other addresses by now.
    pub(super) fn look_up_again(&mut self, group: Option<usize>, now: Instant) {
        if let Some(slot) = group
            && let Some(Slot::Group(group)) = self.slots.get_mut(slot)
            && let Some(at) = group.resolver.wake_if_earlier(now)
        {
            self.schedule(slot, Some(at));
        }
    }

    /// Sees to it that all addresses of a group have their dialers, and no others.
    fn spread(&mut self, slot: usize, addresses: &Addresses, now: Instant) {
        let Some(Slot::Group(group)) = self.slots.get(slot) else { return };
        let (endpoint, given) = (group.endpoint.clone(), Arc::clone(&group.given));
        let connections = usize::from(group.connections);
        let lanes =
            if self.uses_all_addresses() { addresses.lanes() } else { vec![addresses.clone()] };
        let wanted: Vec<Addresses> =
            lanes.into_iter().flat_map(|lane| std::iter::repeat_n(lane, connections)).collect();
        let members: Vec<Member> =
            self.members(slot).into_iter().filter_map(|slot| self.member(slot)).collect();
        let (kept, dismissed) = assign(&members, &wanted);
        if !dismissed.is_empty() || kept.contains(&None) {
            tracing::debug!(addresses = ?addresses.to, "{given} leads to other addresses now");
        }
        for slot in dismissed {
            self.dismiss(slot);
        }
        for (lane, member) in wanted.into_iter().zip(kept) {
            match member {
                Some(member) => {
                    if let Some(Slot::Dialer(dialed)) = self.slots.get_mut(member) {
                        dialed.dialer.set_addresses(lane);
                    }
                }
                None => {
                    self.add_dialer(endpoint.clone(), given.clone(), Some((slot, lane)), now);
                }
            }
        }
    }

    fn member(&self, slot: usize) -> Option<Member> {
        let Some(Slot::Dialer(dialed)) = self.slots.get(slot) else { return None };
        let connection = dialed.connection.as_ref();
        let ready = connection.filter(|connection| self.socket.peer_of(connection.id).is_some());
        let remote = ready.and_then(|connection| connection.stream.address());
        Some(Member { slot, remote, lane: dialed.dialer.addresses().to_vec() })
    }

    /// A dialer has no address any more. What it is connected to may still have calls to answer, but gets no others: to
    /// whoever calls it is a peer that is going away, whose connection is ended when nothing is open there.
    fn dismiss(&mut self, slot: usize) {
        const REASON: &str = "the name does not lead to this address any more";
        let id = self.connection(slot).map(|connection| connection.id);
        match id.filter(|id| self.socket.peer_of(*id).is_some()) {
            Some(id) if self.uses_all_addresses() => {
                self.socket.retire(id, REASON);
                self.move_out(slot);
                self.follow();
            }
            _ => self.close(slot, REASON),
        }
        self.remove_slot(slot);
    }
}

/// Whether a member can go on with a lane.
type Fits = fn(&Member, &Addresses) -> bool;

impl Member {
    /// Whether it is connected to an address of the lane.
    fn is_at(&self, lane: &Addresses) -> bool {
        // A connection knows the plain form of its address, and of no interface.
        let plain = |address: &SocketAddr| (address.ip().to_canonical(), address.port());
        self.remote.is_some_and(|remote| lane.to.iter().any(|it| plain(it) == plain(&remote)))
    }

    /// Whether it is not connected and tries an address of the lane.
    fn may_go_to(&self, lane: &Addresses) -> bool {
        self.remote.is_none() && lane.to.iter().any(|address| self.lane.contains(address))
    }
}

/// Which member goes on with each of the lanes, if any does, and the members that none is left for. A connection stays
/// with a lane that has its address.
fn assign(members: &[Member], wanted: &[Addresses]) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut left: Vec<&Member> = members.iter().collect();
    let mut kept = vec![None; wanted.len()];
    let rules: [Fits; 2] = [Member::is_at, Member::may_go_to];
    for fits in rules {
        for (lane, kept) in wanted.iter().zip(&mut kept) {
            if kept.is_none()
                && let Some(found) = left.iter().position(|member| fits(member, lane))
            {
                *kept = Some(left.swap_remove(found).slot);
            }
        }
    }
    (kept, left.into_iter().map(|member| member.slot).collect())
}

#[cfg(test)]
mod tests;
