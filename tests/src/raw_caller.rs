//! A caller whose bytes the test writes itself, and which reads as little as it likes.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A connection of a DEALER behind its handshake.
#[derive(Debug)]
pub struct RawCaller {
    stream: TcpStream,
}

impl RawCaller {
    /// Connects over TCP, and reads the greeting of the other side and nothing behind it.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn connect(endpoint: &str) -> Self {
        let address = endpoint.trim_start_matches("tcp://");
        let mut stream = TcpStream::connect(address).expect("the server accepts");
        stream.write_all(&handshake()).expect("there is room");
        stream.read_exact(&mut [0; 64]).expect("the server shakes hands");
        Self { stream }
    }

    /// Writes all of it, however long the other side takes to read it.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Asks so often for a blob of ten megabytes.
    ///
    /// # Panics
    /// When the connection has ended.
    pub fn ask_for_blobs(&mut self, times: u32) {
        let requests =
            (0..times).flat_map(|number| request(number, "blob", &blob_args(10_000_000)));
        self.write(&requests.collect::<Vec<u8>>()).expect("there is room");
    }

    /// Whether the other side has ended the connection, however much of what it sent waits to be read.
    ///
    /// # Panics
    /// When the system does not say.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let mut polled = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        poll(&mut polled, Some(&Timespec::default())).expect("it can be asked") > 0
    }
}

/// The greeting and READY of a DEALER that says nothing of itself.
#[must_use]
pub fn handshake() -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
    bytes.resize(64, 0);
    bytes.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    bytes
}

/// A message with one payload, as a DEALER sends it.
///
/// # Panics
/// Never.
#[must_use]
pub fn message(payload: &[u8]) -> Vec<u8> {
    let length = u64::try_from(payload.len()).expect("it is in memory");
    [b"\x01\0\x02", &length.to_be_bytes()[..], payload].concat()
}

/// A request for a method with encoded arguments, its id made of `number`.
///
/// # Panics
/// When the name is longer than 64 KiB.
#[must_use]
pub fn request(number: u32, method: &str, args: &[u8]) -> Vec<u8> {
    let length = u16::try_from(method.len()).expect("a name").to_be_bytes();
    let id = format!("{number:08}");
    let head = [b"\x93\x82\xaamessage_id\xa8", id.as_bytes(), b"\xa1v\x03\xda", &length].concat();
    message(&[&head, method.as_bytes(), args].concat())
}

/// The argument of the method `blob`.
#[must_use]
pub fn blob_args(size: u32) -> Vec<u8> {
    [b"\x91\xce", &size.to_be_bytes()[..]].concat()
}
