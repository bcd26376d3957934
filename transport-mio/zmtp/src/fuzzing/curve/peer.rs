//! A peer of CURVE that is written down from the specification, not with our code, and does as a script says.

use dryoc::classic::{
    crypto_box::{
        crypto_box_beforenm, crypto_box_detached_afternm, crypto_box_open_detached_afternm,
    },
    crypto_core::crypto_scalarmult_base,
};

pub(super) type Key = [u8; 32];

/// The public half of a key.
pub(super) fn public(secret: &Key) -> Key {
    let mut public = [0; 32];
    crypto_scalarmult_base(&mut public, secret);
    public
}

/// What two keys have in common; anything where one of them is none.
pub(super) fn common(public: &Key, secret: &Key) -> Key {
    crypto_box_beforenm(public, secret).unwrap_or_default()
}

fn nonce(prefix: &[u8], rest: &[u8]) -> [u8; 24] {
    let mut nonce = [0; 24];
    let (front, back) = nonce.split_at_mut(prefix.len());
    front.copy_from_slice(prefix);
    back.copy_from_slice(rest);
    nonce
}

pub(super) fn close(key: &Key, prefix: &[u8], rest: &[u8], content: &[u8]) -> Vec<u8> {
    let (mut mac, mut closed) = ([0; 16], vec![0; content.len()]);
    crypto_box_detached_afternm(&mut closed, &mut mac, content, &nonce(prefix, rest), key)
        .expect("there is room");
    [&mac[..], &closed].concat()
}

pub(super) fn open(key: &Key, prefix: &[u8], rest: &[u8], closed: &[u8]) -> Option<Vec<u8>> {
    let (mac, closed) = closed.split_first_chunk()?;
    let mut content = vec![0; closed.len()];
    let nonce = nonce(prefix, rest);
    crypto_box_open_detached_afternm(&mut content, closed, mac, &nonce, key).ok()?;
    Some(content)
}

/// A frame of ZMTP 3.
pub(super) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | 2], &(body.len() as u64).to_be_bytes()[..], body].concat(),
    }
}

pub(super) fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    frame(4, &[&[length], name.as_bytes(), data].concat())
}

/// One direction of the traffic after a handshake.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) key: Key,
    pub(super) prefix: &'static [u8; 16],
    /// The latest number.
    pub(super) number: u64,
}

impl Direction {
    /// The body of a MESSAGE.
    pub(super) fn close(&self, number: u64, content: &[u8]) -> Vec<u8> {
        let number = number.to_be_bytes();
        let closed = close(&self.key, self.prefix, &number, content);
        [&b"\x07MESSAGE"[..], &number, &closed].concat()
    }

    /// What is in all frames of `wire`: flags and bodies.
    pub(super) fn open_all(&mut self, mut wire: &[u8]) -> Vec<Vec<u8>> {
        let mut opened = Vec::new();
        while let [flags, short, ..] = wire {
            assert_eq!(flags & !2, 0, "MESSAGE is no command, as libzmq sends it");
            let (begins, size) = match (flags, wire.get(1..9)) {
                (2, Some(length)) => {
                    let length: [u8; 8] = length.try_into().expect("eight bytes");
                    (9, usize::try_from(u64::from_be_bytes(length)).expect("a size"))
                }
                _ => (2, usize::from(*short)),
            };
            let (body, rest) = wire[begins..].split_at(size);
            wire = rest;
            let body = body.strip_prefix(b"\x07MESSAGE").expect("all is in boxes");
            let (number, closed) = body.split_at(8);
            let at = u64::from_be_bytes(number.try_into().expect("eight bytes"));
            assert!(at > self.number, "numbers rise: {at} after {}", self.number);
            self.number = at;
            let content = open(&self.key, self.prefix, number, closed).expect("it opens");
            opened.push(content);
        }
        opened
    }
}
