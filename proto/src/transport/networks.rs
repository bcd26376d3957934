//! Which networks may connect to a socket.

use std::{error::Error, fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// A network of IPv4 or IPv6, such as `10.0.0.0/8` or `2001:db8::/32`, or a single address.
///
/// ```
/// use zerorpc_proto::transport::Network;
///
/// let network: Network = "10.1.0.0/16".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?));
/// assert!("10.1.2.3/16".parse::<Network>().is_err(), "this is a host in it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in it. Addresses of IPv4 that come as IPv6 (`::ffff:10.0.0.1`) are what they are.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// A single address.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    /// Reads `ADDRESS/BITS`, or an address alone.
    ///
    /// # Errors
    /// Where it is neither, where an address has bits beyond the network's, which would be a mistake in one of the two, or
    /// where a network of IPv4 is written as one of IPv6.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let net: IpNet = text.parse().map_err(|_| InvalidNetwork::Unreadable)?;
        let network = net.trunc();
        if network != net {
            return Err(InvalidNetwork::HostBits(Self(network)));
        }
        match net {
            IpNet::V6(net) if net.addr().to_ipv4_mapped().is_some() => Err(InvalidNetwork::Mapped),
            _ => Ok(Self(net)),
        }
    }
}

/// What cannot be read as a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidNetwork {
    /// It is no network at all.
    Unreadable,
    /// It is an address within a network; this is the network.
    HostBits(Network),
    /// It is a network of IPv4, written as one of IPv6.
    Mapped,
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str(
                "it must be a network such as 10.0.0.0/8 or 2001:db8::/32, or a single address",
            ),
            Self::HostBits(network) => {
                write!(f, "it has bits beyond the network's: write {network} if that is meant")
            }
            Self::Mapped => f.write_str("write networks of IPv4 as such, as in 10.0.0.0/8"),
        }
    }
}

impl Error for InvalidNetwork {}

/// Which networks may connect to a socket that is bound to `tcp://` endpoints. Those that are denied may not; of the
/// others all may, or, where some are allowed, those alone. Whoever may not is disconnected before a byte is read or sent.
///
/// ```
/// use zerorpc_proto::transport::Networks;
///
/// let networks = Networks::new().allow("10.0.0.0/8".parse()?).deny("10.66.0.0/16".parse()?);
/// assert!(networks.admits("10.1.2.3".parse()?));
/// assert!(!networks.admits("10.66.0.1".parse()?), "denied");
/// assert!(!networks.admits("192.0.2.1".parse()?), "not among those that are allowed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    allowed: Vec<Network>,
    denied: Vec<Network>,
}

impl Networks {
    /// All.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a network: from then on, only those that are allowed may connect.
    #[must_use]
    pub fn allow(mut self, network: Network) -> Self {
        self.allowed.push(network);
        self
    }

    /// Denies a network, also where it is part of one that is allowed.
    #[must_use]
    pub fn deny(mut self, network: Network) -> Self {
        self.denied.push(network);
        self
    }

    /// Whether all may connect.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.allowed.is_empty() && self.denied.is_empty()
    }

    /// Whether a peer at this address may connect.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let is_in = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
        !is_in(&self.denied) && (self.allowed.is_empty() || is_in(&self.allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_or_refused_with_advice() {
        for (text, told) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ] {
            assert_eq!(text.parse::<Network>().expect(text).to_string(), told);
        }
        for (text, advice) in [
            ("", "such as 10.0.0.0/8"),
            ("10.0.0.0/33", "such as 10.0.0.0/8"),
            ("10.0.0/8", "such as 10.0.0.0/8"),
            ("localhost", "such as 10.0.0.0/8"),
            ("10.1.2.3/8", "write 10.0.0.0/8"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "networks of IPv4 as such"),
        ] {
            let flaw = text.parse::<Network>().expect_err(text);
            assert!(flaw.to_string().contains(advice), "{text}: {flaw}");
        }
    }

    #[test]
    fn who_is_denied_is_denied_and_who_is_not_allowed_too() {
        let parse = |text: &str| text.parse().expect(text);
        let of = |allowed: &[&str], denied: &[&str]| {
            let networks = allowed.iter().fold(Networks::new(), |all, one| all.allow(parse(one)));
            denied.iter().fold(networks, |all, one| all.deny(parse(one)))
        };
        let table: &[(Networks, &str, bool)] = &[
            (of(&[], &[]), "192.0.2.1", true),
            (of(&[], &["192.0.2.0/24"]), "192.0.2.1", false),
            (of(&[], &["192.0.2.0/24"]), "::ffff:192.0.2.1", false),
            (of(&[], &["192.0.2.0/24"]), "192.0.3.1", true),
            (of(&[], &["0.0.0.0/0"]), "2001:db8::1", true),
            (of(&["10.0.0.0/8"], &[]), "10.1.2.3", true),
            (of(&["10.0.0.0/8"], &[]), "::ffff:10.1.2.3", true),
            (of(&["10.0.0.0/8"], &[]), "11.1.2.3", false),
            (of(&["10.0.0.0/8"], &[]), "2001:db8::1", false),
            (of(&["10.0.0.0/8", "::/0"], &["10.66.0.0/16"]), "10.66.0.1", false),
            (of(&["10.66.0.1"], &["10.66.0.0/16"]), "10.66.0.1", false),
            (of(&["10.0.0.0/8", "::/0"], &["10.66.0.0/16"]), "2001:db8::1", true),
        ];
        for (networks, address, expected) in table {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(networks.admits(address), *expected, "{networks:?}, {address}");
        }
        assert!(Networks::new().is_open() && !of(&[], &["::/0"]).is_open());
    }
}
