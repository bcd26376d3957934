//! Ports for what is under test.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
};

/// Ports that no system gives to connections that go out: one that is free now is still free when a server binds it.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// Where to look next. Each process begins elsewhere.
static NEXT: LazyLock<AtomicU16> =
    LazyLock::new(|| AtomicU16::new((RandomState::new().hash_one(()) % u64::from(COUNT)) as u16));

/// An address on which nobody listens, and which is handed out once.
pub(super) fn free_address() -> std::io::Result<SocketAddr> {
    for _ in 0..COUNT {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_is_handed_out_twice_or_while_somebody_listens() {
        let first = free_address().expect("a free port");
        let port = FIRST + NEXT.load(Ordering::Relaxed) % COUNT;
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let second = free_address().expect("a free port");
        assert_ne!(first, second);
        assert_ne!(second.port(), port);
        TcpListener::bind(second).expect("it is free");
    }
}
