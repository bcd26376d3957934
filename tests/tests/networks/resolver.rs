//! A name server that knows one name.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Answers questions for addresses of a name until it is dropped.
pub(crate) struct Resolver {
    address: SocketAddr,
    addresses: Arc<Mutex<Vec<Ipv4Addr>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    /// All names but this one do not exist.
    pub(crate) fn of(name: &str) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = socket.local_addr().expect("an address");
        let addresses = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (known, over, name) = (Arc::clone(&addresses), Arc::clone(&ended), encoded(name));
        let thread = thread::spawn(move || {
            let mut packet = [0; 2048];
            while let Ok((count, from)) = socket.recv_from(&mut packet) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let known = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(answer) = answer(&packet[..count], &name, &known) {
                    // Whoever asked may have gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, addresses, ended, thread: Some(thread) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the name leads to from now on.
    pub(crate) fn set(&self, addresses: &[Ipv4Addr]) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses.to_vec();
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let wake = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        // A thread that nothing wakes ends with the process.
        if wake.and_then(|wake| wake.send_to(b"", self.address)).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

/// A name as questions have it (RFC 1035, 3.1).
fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("labels are short"));
        bytes.extend_from_slice(label.to_ascii_lowercase().as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The answer to a packet with one question, if it is one.
fn answer(packet: &[u8], name: &[u8], addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    /// The name at the beginning of the question, type A, class IN, 1 s, four bytes.
    const RECORD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04";
    const TYPE_A: &[u8] = &[0, 1];
    let asked = packet.get(HEADER..HEADER + name.len())?;
    let question = packet.get(HEADER..HEADER + name.len() + 4)?;
    let is_known = asked.eq_ignore_ascii_case(name);
    let wants_ipv4 = &question[name.len()..name.len() + 2] == TYPE_A;
    let addresses = if is_known && wants_ipv4 { addresses } else { &[] };
    let count = u8::try_from(addresses.len()).expect("some addresses");
    let mut answer = packet[..2].to_vec();
    // An authoritative answer, without an error or with "no such name".
    answer.extend_from_slice(&[0x85, if is_known { 0x80 } else { 0x83 }]);
    answer.extend_from_slice(&[0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend_from_slice(question);
    for address in addresses {
        answer.extend_from_slice(RECORD);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}
