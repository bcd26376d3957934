//! How many connections a socket accepts, and what becomes of them.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// How many connections a socket accepts; those that it makes itself are not counted.
///
/// ```
/// use zerorpc_proto::transport::{AcceptLimits, AcceptRate, SocketOptions};
///
/// let limits = AcceptLimits::new()
///     .connections(20_000)
///     .connections_per_address(100)
///     .rate(AcceptRate::new(500).burst(5_000));
/// let options = SocketOptions::new().accept_limits(limits);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptLimits {
    /// How many connections may be in their handshake at a time, 4096 by default. One more takes the place of one of the
    /// oldest, if possible of one whose address has many.
    pub handshakes: usize,
    /// How many connections there may be, those in their handshake included; `None`, the default, leaves it to the system,
    /// which has so many descriptors (`ulimit -n`). One more takes the place of one in its handshake; where there is none,
    /// it is closed at once, so that its peer can try another server.
    pub connections: Option<usize>,
    /// How many of them may come from one address, of IPv6 from one network of 64 bits; `None`, the default, is no limit:
    /// behind a proxy or a NAT, all peers have one address. One more is closed at once. Connections over `ipc` have no
    /// address.
    pub connections_per_address: Option<usize>,
    /// How many are accepted in a second; `None`, the default, is no limit. Others wait until it is their turn; the system
    /// has room for 4096 that wait, if it is not set up for less (`net.core.somaxconn`).
    pub rate: Option<AcceptRate>,
}

impl AcceptLimits {
    /// As by default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        handshakes: usize,
        connections: into Option<usize>,
        connections_per_address: into Option<usize>,
        rate: into Option<AcceptRate>,
    }
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self { handshakes: 4096, connections: None, connections_per_address: None, rate: None }
    }
}

/// How many connections are accepted in a second, in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptRate {
    /// So many in each second, at least one.
    pub per_second: u32,
    /// So many at once after a quiet time, at least one; as many as in a second unless set.
    pub burst: u32,
}

impl AcceptRate {
    /// So many in a second, and as many at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second, burst: per_second }
    }

    setters! {
        burst: u32,
    }
}

/// What became of the connections that peers have made to a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptStats {
    /// Those that stand, those in their handshake included.
    pub connections: usize,
    /// Those in their handshake.
    pub in_handshake: usize,
    /// So many were accepted and began their handshake, so far.
    pub accepted: u64,
    /// So many got through it.
    pub established: u64,
    /// So many were closed at once.
    pub refused: RefusedConnections,
    /// So many ended in their handshake.
    pub failed: FailedHandshakes,
}

/// How many connections were closed as soon as they came, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedConnections {
    /// From a network that may not connect: [`Networks`](super::Networks).
    pub network: u64,
    /// Beyond [`AcceptLimits::connections`].
    pub connections: u64,
    /// Beyond [`AcceptLimits::connections_per_address`].
    pub per_address: u64,
}

impl RefusedConnections {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.network + self.connections + self.per_address
    }

    /// Those that have come to it since these were counted.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            network: self.network.saturating_sub(earlier.network),
            connections: self.connections.saturating_sub(earlier.connections),
            per_address: self.per_address.saturating_sub(earlier.per_address),
        }
    }
}

/// How many connections ended in their handshake, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedHandshakes {
    /// The peer went, as checks of balancers do.
    pub left: u64,
    /// The peer took longer than [`SocketOptions::handshake_timeout`](super::SocketOptions::handshake_timeout).
    pub timed_out: u64,
    /// Newer connections needed the place: [`AcceptLimits::handshakes`], [`AcceptLimits::connections`], or no descriptors
    /// were left.
    pub displaced: u64,
    /// Something else than ZMTP came, such as HTTP or TLS.
    pub foreign: u64,
    /// The peer broke the rules of ZMTP or of the mechanism.
    pub broken: u64,
    /// The two sides do not go together: kinds of sockets, mechanisms, versions.
    pub unfit: u64,
    /// The peer may not come in: wrong credentials, or the [`Authenticator`](super::Authenticator) said so.
    pub denied: u64,
    /// Anything else, such as a name that another connection has.
    pub other: u64,
}

impl FailedHandshakes {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts().iter().map(|(count, _)| count).sum()
    }

    /// Those that have come to it since these were counted.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            left: self.left.saturating_sub(earlier.left),
            timed_out: self.timed_out.saturating_sub(earlier.timed_out),
            displaced: self.displaced.saturating_sub(earlier.displaced),
            foreign: self.foreign.saturating_sub(earlier.foreign),
            broken: self.broken.saturating_sub(earlier.broken),
            unfit: self.unfit.saturating_sub(earlier.unfit),
            denied: self.denied.saturating_sub(earlier.denied),
            other: self.other.saturating_sub(earlier.other),
        }
    }

    /// The counts with what they count.
    fn counts(&self) -> [(u64, &'static str); 8] {
        [
            (self.left, "went away"),
            (self.timed_out, "took too long"),
            (self.displaced, "made room for others"),
            (self.foreign, "did not speak ZMTP"),
            (self.broken, "broke its rules"),
            (self.unfit, "did not fit"),
            (self.denied, "were denied"),
            (self.other, "failed otherwise"),
        ]
    }
}

impl fmt::Display for FailedHandshakes {
    /// For people: `20 took too long, 3 were denied`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.counts())
    }
}

impl fmt::Display for RefusedConnections {
    /// For people: `20 came from networks that may not connect`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(
            f,
            &[
                (self.network, "came from networks that may not connect"),
                (self.connections, "were too many in all"),
                (self.per_address, "were too many from one address"),
            ],
        )
    }
}

fn list(f: &mut fmt::Formatter<'_>, counts: &[(u64, &str)]) -> fmt::Result {
    let mut separator = "";
    for (count, words) in counts.iter().filter(|(count, _)| *count > 0) {
        write!(f, "{separator}{count} {words}")?;
        separator = ", ";
    }
    if separator.is_empty() { f.write_str("none") } else { Ok(()) }
}

/// Whom connections are counted for: an address of IPv4, or a network of 64 bits of IPv6, which one host has as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerAddress(IpAddr);

impl PeerAddress {
    /// Whom this address is counted for.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_host_are_one() {
        let table = [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
        ];
        for (address, expected) in table {
            let counted = PeerAddress::of(address.parse().expect(address));
            assert_eq!(counted.to_string(), expected, "{address}");
        }
    }

    #[test]
    fn counts_are_told_in_words() {
        let mut failed = FailedHandshakes { timed_out: 20, denied: 3, ..Default::default() };
        assert_eq!(failed.to_string(), "20 took too long, 3 were denied");
        failed.other = 1;
        assert_eq!(failed.total(), 24);
        assert_eq!(RefusedConnections::default().to_string(), "none");
        let refused = RefusedConnections { per_address: 2, ..Default::default() };
        assert_eq!(
            (refused.total(), refused.to_string().as_str()),
            (2, "2 were too many from one address")
        );
    }
}
