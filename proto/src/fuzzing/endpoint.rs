//! Arbitrary text as an endpoint.

use std::net::{IpAddr, SocketAddr};

use arbitrary::Unstructured;

use crate::transport::{Endpoint, Host, TcpAddress};

/// What endpoints are made of, so that most of what is put together means something, or nearly.
const PARTS: [&str; 32] = [
    "tcp://",
    "ipc://",
    "inproc://",
    "://",
    ":",
    ";",
    "*",
    "0",
    "@",
    "?",
    "?connections=",
    "2",
    "64",
    "65",
    "65535",
    "65536",
    "01234",
    "+1",
    "[",
    "]",
    "%",
    "::1",
    "fe80::1",
    "ff02::1",
    "::ffff:192.0.2.1",
    "127.0.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "host-1.example",
    "/",
    "é",
    "\u{85}",
];

/// Reads the text as an endpoint to bind and to connect to, writes what was read, and reads that again.
pub fn endpoint(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let text = match script.arbitrary() {
        Ok(true) => put_together(&mut script).unwrap_or_default(),
        _ => String::from_utf8_lossy(script.take_rest()).into_owned(),
    };
    let bound = Endpoint::parse_bind(&text);
    let connected = Endpoint::parse_connect(&text);
    for (read, parse) in
        [(&bound, Endpoint::parse_bind as Parse), (&connected, Endpoint::parse_connect)]
    {
        match read {
            Ok(endpoint) => {
                assert_eq!(parse(&endpoint.to_string()).as_ref(), Ok(endpoint), "{text:?}");
                compare(endpoint);
            }
            Err(reason) => assert!(
                !reason.is_empty() && !reason.contains(char::is_control),
                "{text:?}: {reason:?}"
            ),
        }
    }
    if let (Ok(bound), Ok(connected)) = (&bound, &connected) {
        assert_eq!(bound, connected, "{text:?}");
    }
    if let Ok(address) = text.parse() {
        check_understood(address);
    }
}

type Parse = fn(&str) -> Result<Endpoint, String>;

fn put_together(script: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let mut text = String::new();
    if script.ratio(3_u8, 4_u8)? {
        text.push_str(script.choose(&PARTS[..3])?);
    }
    while !script.is_empty() && text.len() < 1000 {
        match script.int_in_range(0..=7_u8)? {
            0 => text.push_str(&script.arbitrary::<u16>()?.to_string()),
            1 => text.push(script.arbitrary()?),
            2 => text.push_str(&script.arbitrary::<IpAddr>()?.to_string()),
            3 => text.push_str(&script.arbitrary::<SocketAddr>()?.to_string()),
            _ => text.push_str(script.choose(&PARTS)?),
        }
    }
    Ok(text)
}

/// The standard library reads the same address where no name and no interface is in it.
fn compare(endpoint: &Endpoint) {
    let Endpoint::Tcp { source, address, connections } = endpoint else { return };
    assert!((1..=64).contains(connections));
    for address in source.iter().chain([address]) {
        let ip = match address.host {
            Host::V4(ip) => IpAddr::V4(ip),
            Host::V6 { address, zone: None } => IpAddr::V6(address),
            _ => continue,
        };
        assert!(!ip.is_multicast(), "{ip} is of many machines");
        assert_eq!(address.to_string().parse(), Ok(SocketAddr::new(ip, address.port)));
    }
}

/// What the standard library takes for an address, an endpoint may have.
fn check_understood(address: SocketAddr) {
    let (ip, port) = (address.ip(), address.port());
    let host = match (ip, &address) {
        (IpAddr::V4(ip), _) if ip.is_multicast() || ip.is_broadcast() => return,
        (IpAddr::V4(ip), _) => Host::V4(ip),
        (IpAddr::V6(ip), SocketAddr::V6(v6)) => {
            let zone = (v6.scope_id() != 0).then(|| v6.scope_id().to_string());
            if ip.is_multicast() || (ip.is_unicast_link_local() && zone.is_none()) {
                return;
            }
            Host::V6 { address: ip, zone }
        }
        (IpAddr::V6(_), _) => return,
    };
    let read = Endpoint::parse_bind(&format!("tcp://{address}"));
    let address = TcpAddress { host, port };
    assert_eq!(read, Ok(Endpoint::Tcp { source: None, address, connections: 1 }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn random_texts(data in proptest::collection::vec(any::<u8>(), 0..100)) {
            super::endpoint(&data);
        }
    }
}
