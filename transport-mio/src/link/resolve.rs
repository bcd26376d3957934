//! Addresses for hosts: literals and interfaces at once, names by asking the resolver, which takes its time.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
};

use nix::{ifaddrs::getifaddrs, net::if_::if_nametoindex};
use zerorpc_proto::transport::{Host, TcpAddress};

use super::Notifier;

/// The addresses between which a connection is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Where to come from; `None` leaves it to the system.
    pub(crate) from: Option<Vec<SocketAddr>>,
    /// Where to go, in the order of trying.
    pub(crate) to: Vec<SocketAddr>,
}

impl Addresses {
    /// Looks up both ends; blocks if there are names.
    fn find(source: Option<&TcpAddress>, target: &TcpAddress) -> Result<Self, String> {
        Ok(Self { from: source.map(local).transpose()?, to: remote(target)? })
    }

    /// What connections are to be made for all of these addresses to be used: one to each IPv4 address, for which an
    /// IPv6 address stands in if there is one, and one to each further IPv6 address. A peer that has one of each, as
    /// `localhost`, gets one connection. The order in which addresses are told, which often is another each time,
    /// makes no difference.
    pub(crate) fn lanes(&self) -> Vec<Self> {
        let (mut v4, mut v6): (Vec<SocketAddr>, Vec<SocketAddr>) =
            self.to.iter().partition(|address| address.is_ipv4());
        for family in [&mut v4, &mut v6] {
            family.sort_unstable();
            family.dedup();
        }
        let lane = |number: usize| {
            let to = v4.get(number).into_iter().chain(v6.get(number)).copied().collect();
            Self { from: self.from.clone(), to }
        };
        (0..v4.len().max(v6.len())).map(lane).collect()
    }
}

/// Names that are being looked up.
#[derive(Debug)]
pub(super) struct Lookup(Receiver<Result<Addresses, String>>);

impl Lookup {
    /// Begins to look up both ends of a connection. What needs nobody to be asked is there at once.
    pub(super) fn begin(
        source: Option<&TcpAddress>,
        target: &TcpAddress,
        notifier: &Notifier,
    ) -> Self {
        let (sender, receiver) = channel();
        let (source, target, notifier) = (source.cloned(), target.clone(), notifier.clone());
        let has_name = |address: &TcpAddress| matches!(address.host, Host::Name(_));
        let blocks = has_name(&target) || source.as_ref().is_some_and(has_name);
        // Nobody may be listening any more; the result is of no use then.
        let deliver = sender.clone();
        let look = move || drop(deliver.send(Addresses::find(source.as_ref(), &target)));
        if !blocks {
            look();
            return Self(receiver);
        }
        let thread = thread::Builder::new().name("zerorpc-resolver".into());
        let started = thread.spawn(move || {
            look();
            notifier.notify();
        });
        if let Err(error) = started {
            drop(sender.send(Err(format!("cannot start a thread to look up the host: {error}"))));
        }
        Self(receiver)
    }

    /// The result, once it is there.
    pub(super) fn result(&self) -> Option<Result<Addresses, String>> {
        match self.0.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err("looking up the host was cut short".into()))
            }
        }
    }
}

/// The addresses of this machine that `address` may mean, IPv4 first; never empty. Blocks for names that are
/// of no interface.
pub(super) fn local(address: &TcpAddress) -> Result<Vec<SocketAddr>, String> {
    if let Host::Name(name) = &address.host {
        let found = of_interface(name, address.port);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    remote(address)
}

/// The addresses of `address`, IPv4 first; never empty. Blocks for names.
fn remote(address: &TcpAddress) -> Result<Vec<SocketAddr>, String> {
    let port = address.port;
    match &address.host {
        Host::Any => {
            Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()])
        }
        Host::V4(address) => Ok(vec![(*address, port).into()]),
        Host::V6 { address, zone: None } => Ok(vec![(*address, port).into()]),
        Host::V6 { address, zone: Some(zone) } => {
            Ok(vec![SocketAddrV6::new(*address, port, 0, index_of(zone)?).into()])
        }
        Host::Name(name) => of_name(name, port),
    }
}

fn of_name(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let unknown = |detail: &str| format!("unknown host `{name}` ({detail}); check the name");
    let found = (name, port).to_socket_addrs().map_err(|error| unknown(&error.to_string()))?;
    let mut found: Vec<_> = found.collect();
    // Most peers listen on IPv4 alone.
    found.sort_by_key(SocketAddr::is_ipv6);
    found.dedup();
    if found.is_empty() { Err(unknown("it has no address")) } else { Ok(found) }
}

/// The addresses of a network interface; none if there is no such interface, or the system does not tell.
fn of_interface(name: &str, port: u16) -> Vec<SocketAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let mut found: Vec<SocketAddr> = interfaces
        .filter(|interface| interface.interface_name == name)
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), port)));
            let v6 = || {
                let v6 = address.as_sockaddr_in6()?;
                Some(SocketAddrV6::new(v6.ip(), port, 0, v6.scope_id()).into())
            };
            v4.or_else(v6)
        })
        .collect();
    // Addresses that need no zone come before those that do.
    found.sort_by_key(|address| match address.ip() {
        IpAddr::V4(_) => 0,
        IpAddr::V6(v6) => 1 + u8::from(v6.is_unicast_link_local()),
    });
    found
}

fn index_of(zone: &str) -> Result<u32, String> {
    zone.parse().or_else(|_| {
        if_nametoindex(zone)
            .map_err(|_| format!("this machine has no network interface `{zone}`; see `ip link`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::CountingWaker;
    use zerorpc_proto::transport::Endpoint;

    fn address(text: &str) -> TcpAddress {
        match Endpoint::parse_bind(&format!("tcp://{text}")) {
            Ok(Endpoint::Tcp { address, .. }) => address,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn literals_need_nobody() {
        let table = [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0:80", "0.0.0.0:80"),
            ("[::1]:80", "[::1]:80"),
            ("[fe80::1%7]:80", "[fe80::1%7]:80"),
        ];
        for (text, expected) in table {
            let waker = CountingWaker::default();
            let lookup = Lookup::begin(Some(&address("*:0")), &address(text), &waker.notifier());
            let addresses = lookup.result().expect("it is there at once").expect(text);
            assert_eq!(addresses.to, [expected.parse().expect("an address")], "{text}");
            let any = ["0.0.0.0:0", "[::]:0"].map(|any| any.parse().expect("an address"));
            assert_eq!(addresses.from.expect("a source"), any);
            assert_eq!(waker.count(), 0);
        }
        let reason = remote(&address("[fe80::1%nonesuch0]:80")).expect_err("no such interface");
        assert!(reason.contains("`nonesuch0`"), "{reason}");
    }

    #[test]
    fn lanes_use_every_address_once() {
        let table: [(&[&str], &[&[&str]]); 6] = [
            (&["1.1.1.1"], &[&["1.1.1.1"]]),
            (&["1.1.1.1", "::1"], &[&["1.1.1.1", "::1"]]),
            (&["1.1.1.3", "1.1.1.1", "1.1.1.2"], &[&["1.1.1.1"], &["1.1.1.2"], &["1.1.1.3"]]),
            (&["::2", "1.1.1.1", "::1", "1.1.1.1"], &[&["1.1.1.1", "::1"], &["::2"]]),
            (&["1.1.1.2", "::1", "1.1.1.1"], &[&["1.1.1.1", "::1"], &["1.1.1.2"]]),
            (&["::2", "::1", "::2"], &[&["::1"], &["::2"]]),
        ];
        let with_port = |text: &&str| SocketAddr::new(text.parse().expect("an address"), 80);
        for (told, expected) in table {
            let from = Some(vec![with_port(&"127.0.0.1")]);
            let to: Vec<_> = told.iter().map(with_port).collect();
            let lanes = Addresses { from: from.clone(), to: to.clone() }.lanes();
            let expected: Vec<Addresses> = expected
                .iter()
                .map(|lane| Addresses {
                    from: from.clone(),
                    to: lane.iter().map(with_port).collect(),
                })
                .collect();
            assert_eq!(lanes, expected, "{told:?}");
            let reversed = to.into_iter().rev().collect();
            assert_eq!(Addresses { from, to: reversed }.lanes(), expected, "{told:?}");
        }
    }

    #[test]
    fn interfaces_and_names() {
        let interfaces = getifaddrs().expect("interfaces");
        let loopback = interfaces
            .filter(|interface| {
                let v4 = interface.address.and_then(|address| Some(address.as_sockaddr_in()?.ip()));
                v4 == Some(Ipv4Addr::LOCALHOST)
            })
            .map(|interface| interface.interface_name)
            .next()
            .expect("a loopback interface");
        for name in [loopback.as_str(), "localhost"] {
            let found = local(&address(&format!("{name}:80"))).expect(name);
            assert_eq!(found[0], (Ipv4Addr::LOCALHOST, 80).into(), "{name}");
        }
        let reason = local(&address("no-such-host.invalid:80")).expect_err("no such host");
        assert!(reason.contains("unknown host `no-such-host.invalid`"), "{reason}");
    }
}
