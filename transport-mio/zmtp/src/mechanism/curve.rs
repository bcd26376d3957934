//! CURVE (25/ZMTP-CURVE, 26/CurveZMQ): HELLO, WELCOME, INITIATE and READY, after which every frame is in a box.
//!
//! ```text
//! C ──► S   HELLO     C' in the clear, Box[64 zeros](C'→S)
//! C ◄── S   WELCOME   Box[S', cookie](S→C')                          cookie = SecretBox[C', s'](K)
//! C ──► S   INITIATE  cookie, Box[C, vouch, properties](C'→S')       vouch = Box[C', S](C→S')
//! C ◄── S   READY     Box[properties](S'→C')
//! C ◄─► S   MESSAGE   Box[flags, frame](C'→S' or S'→C')
//! ```
//!
//! C and S are the long-term keys, C' and S' those of this connection, in small letters their secret halves. Between WELCOME
//! and INITIATE a server keeps nothing but K, which is another one for each connection: a cookie is good for the
//! connection that it was made for, and for no longer than its handshake may take.

mod boxes;
mod ciphers;
mod client;
mod server;

pub(crate) use ciphers::{Ciphers, Decryption, Encryption};
pub(super) use client::Client;
pub(super) use server::Server;

pub(crate) use boxes::public_half;
use boxes::{BoxKey, KEY, MAC, Nonce, ShortTerm, draw};

use crate::Violation;

/// The nonce of WELCOME, of a cookie or of a vouch, as it is sent.
const LONG_NONCE: usize = 16;

/// The nonce of any other box, as it is sent: a number that rises.
const SHORT_NONCE: usize = 8;

/// HELLO: version, filler, C', nonce, box.
const HELLO: usize = 2 + 72 + KEY + SHORT_NONCE + MAC + 64;

/// The nonce of a cookie, and its box.
const COOKIE: usize = LONG_NONCE + MAC + 2 * KEY;

/// WELCOME: nonce, box.
const WELCOME: usize = LONG_NONCE + MAC + KEY + COOKIE;

/// The nonce of a vouch, and its box.
const VOUCH: usize = LONG_NONCE + MAC + 2 * KEY;

/// What is in a box before the properties of INITIATE: C, vouch.
const CLAIM: usize = KEY + VOUCH;

/// So long a handshake command may be at most where one of a known length is due, with its name: an ERROR may come instead.
pub(super) const SHORT_COMMAND: u64 = 1 + 5 + 1 + 255;

/// Text prefixes of nonces.
mod prefix {
    pub(super) const HELLO: &[u8; 16] = b"CurveZMQHELLO---";
    pub(super) const INITIATE: &[u8; 16] = b"CurveZMQINITIATE";
    pub(super) const READY: &[u8; 16] = b"CurveZMQREADY---";
    pub(super) const FROM_CLIENT: &[u8; 16] = b"CurveZMQMESSAGEC";
    pub(super) const FROM_SERVER: &[u8; 16] = b"CurveZMQMESSAGES";
    pub(super) const WELCOME: &[u8; 8] = b"WELCOME-";
    pub(super) const COOKIE: &[u8; 8] = b"COOKIE--";
    pub(super) const VOUCH: &[u8; 8] = b"VOUCH---";
}

/// Cuts the first `N` bytes off.
fn cut<'a, const N: usize>(
    command: &'static str,
    data: &mut &'a [u8],
) -> Result<&'a [u8; N], Violation> {
    let Some((first, rest)) = data.split_first_chunk() else {
        return Err(Violation::Malformed { command, reason: "it is too short" });
    };
    *data = rest;
    Ok(first)
}

/// Data of a command that always has the same length.
fn exactly<'a, const N: usize>(
    command: &'static str,
    data: &'a [u8],
) -> Result<&'a [u8; N], Violation> {
    data.try_into().map_err(|_| Violation::Malformed { command, reason: "its length is wrong" })
}
