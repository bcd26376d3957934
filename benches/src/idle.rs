//! Connections on which nothing happens: callers that cost their own process next to nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::{Result, Tally, hold};

/// The greeting of ZMTP 3.0 with the NULL mechanism: signature, version, mechanism, role and filler.
const GREETING: [u8; 64] = {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    let (null, mut at) = (*b"NULL", 0);
    while at < null.len() {
        greeting[12 + at] = null[at];
        at += 1;
    }
    greeting
};

/// READY of a DEALER that has no identity: a short command frame.
const READY: &[u8] = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER";

/// What the first byte of a short command frame is.
const COMMAND: u8 = 4;

/// Makes so many connections to a ZMTP server, each through its handshake, and holds them until it is told to
/// go on; reports how long making each took.
///
/// # Errors
/// When the server cannot be reached or refuses a handshake.
pub fn idle_connections(address: &str, count: usize) -> Result<Tally> {
    let _first = connect(address)?;
    hold(count, || connect(address))
}

fn connect(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(&GREETING)?;
    let mut greeting = [0; 64];
    stream.read_exact(&mut greeting)?;
    if greeting[10] < 3 || greeting[12..17] != *b"NULL\0" {
        return Err("the server greets otherwise than ZMTP 3 with the NULL mechanism".into());
    }
    stream.write_all(READY)?;
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let [COMMAND, length] = head else {
        return Err("the server answers the greeting with no short command".into());
    };
    let mut body = vec![0; usize::from(length)];
    stream.read_exact(&mut body)?;
    match body.starts_with(b"\x05READY") {
        true => Ok(stream),
        false => Err("the server refuses the handshake".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::READY;

    #[test]
    fn the_frame_is_as_long_as_it_says() {
        assert_eq!(READY.len(), 2 + usize::from(READY[1]));
    }
}
