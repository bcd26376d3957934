//! Flags that say which connections are accepted, and how many.

use std::num::{NonZeroU32, NonZeroUsize};

use clap::Args;
use zerorpc::{AcceptLimits, AcceptRate, Network, Networks};

use super::at_least_one;

/// Which connections are accepted at addresses that are bound, and how many.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct AcceptFlags {
    /// Accept no more than N connections at a time; the system's limit (ulimit -n) unless given
    ///
    /// One more takes the place of one that has not completed its handshake; where there is none, it is closed.
    #[arg(long, value_name = "N", value_parser = at_least_one::<NonZeroUsize>)]
    max_connections: Option<NonZeroUsize>,

    /// Accept no more than N connections from one address (of IPv6: from one /64 network) at a time
    ///
    /// Behind a proxy or a NAT, all callers have one address.
    #[arg(long, value_name = "N", value_parser = at_least_one::<NonZeroUsize>)]
    max_connections_per_address: Option<NonZeroUsize>,

    /// Accept no more than N connections in a second; others wait until it is their turn
    #[arg(long, value_name = "N", value_parser = at_least_one::<NonZeroU32>)]
    max_connection_rate: Option<NonZeroU32>,

    /// Accept connections over tcp from this network alone, such as 10.0.0.0/8 or 2001:db8::/32; may be repeated
    #[arg(long, value_name = "NETWORK")]
    allow_network: Vec<Network>,

    /// Accept no connections from this network, also if it is part of one that is allowed; may be repeated
    #[arg(long, value_name = "NETWORK")]
    deny_network: Vec<Network>,
}

impl AcceptFlags {
    pub(crate) fn limits(&self) -> AcceptLimits {
        AcceptLimits::new()
            .connections(self.max_connections.map(NonZeroUsize::get))
            .connections_per_address(self.max_connections_per_address.map(NonZeroUsize::get))
            .rate(self.max_connection_rate.map(|rate| AcceptRate::new(rate.get())))
    }

    pub(crate) fn networks(&self) -> Networks {
        let allowed = self.allow_network.iter().copied().fold(Networks::new(), Networks::allow);
        self.deny_network.iter().copied().fold(allowed, Networks::deny)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        accept: AcceptFlags,
    }

    fn parse(line: &str) -> Result<AcceptFlags, String> {
        let words = std::iter::once("zerorpc").chain(line.split_whitespace());
        Alone::try_parse_from(words).map(|alone| alone.accept).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_limits_and_networks() {
        let nothing = parse("").expect("nothing is needed");
        assert_eq!(nothing.limits(), AcceptLimits::new());
        assert!(nothing.networks().is_open());

        let line = "--max-connections 1000 --max-connections-per-address 10 --max-connection-rate 50 \
                    --allow-network 10.0.0.0/8 --allow-network ::1 --deny-network 10.66.0.0/16";
        let flags = parse(line).expect("good flags");
        let limits = AcceptLimits::new().connections(1000).connections_per_address(10);
        let limits = limits.rate(AcceptRate::new(50));
        assert_eq!(flags.limits(), limits);
        for (address, expected) in
            [("10.1.2.3", true), ("::1", true), ("10.66.1.1", false), ("192.0.2.1", false)]
        {
            let address = address.parse().expect("an address");
            assert_eq!(flags.networks().admits(address), expected, "{address}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, reason) in [
            ("--max-connections 0", "at least 1"),
            ("--max-connections-per-address some", "at least 1"),
            ("--max-connection-rate 0", "at least 1"),
            ("--max-connection-rate 5000000000", "at least 1"),
            ("--allow-network here", "such as 10.0.0.0/8"),
            ("--deny-network 10.1.2.3/8", "write 10.0.0.0/8 if that is meant"),
        ] {
            let text = parse(line).expect_err(line);
            assert!(text.contains(reason), "{line}: {text}");
        }
    }
}
