//! Keys of CURVE and their text.

use std::{fmt, str::FromStr};

use zeroize::{Zeroize as _, Zeroizing};

const KEY_LEN: usize = 32;

/// The half of a key that others know one by: 32 bytes of Curve25519, as text 40 characters of Z85 (32/Z85).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// How many bytes a key has.
    pub const LEN: usize = KEY_LEN;

    /// Takes the bytes of a key.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&z85::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

/// The half of a key that nobody else may know. Wiped when it is dropped; it has no `Display`, and no text in `Debug`.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; KEY_LEN]>);

impl SecretKey {
    /// Takes the bytes of a key. Whoever has other copies of them wipes those.
    #[must_use]
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The key as text, for a file that only its owner can read.
    #[must_use]
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(z85::encode(*self.0))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl FromStr for SecretKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        decode(text).map(Self)
    }
}

/// A key, both halves. That they belong together is for whoever makes it to see to: peers cannot finish a handshake if they
/// don't.
// Exhaustive: a key has two halves.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// What others know it by.
    pub public: PublicKey,
    /// What nobody else may know.
    pub secret: SecretKey,
}

impl KeyPair {
    /// These two halves.
    #[must_use]
    pub fn new(public: PublicKey, secret: SecretKey) -> Self {
        Self { public, secret }
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, InvalidKey> {
    if text.len() != KEY_LEN / 4 * 5 {
        return Err(InvalidKey::Length(text.len()));
    }
    let mut decoded = z85::decode(text).map_err(|_| InvalidKey::Character)?;
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    let fits = decoded.len() == KEY_LEN;
    if fits {
        bytes.copy_from_slice(&decoded);
    }
    decoded.zeroize();
    if fits { Ok(bytes) } else { Err(InvalidKey::Character) }
}

/// A text that is no key. It does not say which text: that may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It has so many bytes.
    #[error("a key has 40 characters of Z85, this has {0} bytes")]
    Length(usize),
    /// There is something in it that is not Z85.
    #[error("a key has 40 characters of Z85, this has others")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of the server in the manual of libzmq, zmq_curve(7).
    #[test]
    fn keys_have_a_text() {
        let text = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
        let key: PublicKey = text.parse().expect("a key");
        assert_eq!(key.as_bytes()[..4], [0x54, 0xfc, 0xba, 0x24]);
        assert_eq!(key.to_string(), text);
        let secret: SecretKey = text.parse().expect("a key");
        assert_eq!(*secret.to_z85(), text);
    }

    #[test]
    fn secrets_have_no_text_in_debug() {
        let secret = SecretKey::new([7; 32]);
        assert_eq!(format!("{secret:?}"), "SecretKey(..)");
        let pair = KeyPair::new(PublicKey::new([1; 32]), secret);
        assert!(!format!("{pair:?}").contains("[7"), "{pair:?}");
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, expected) in [
            ("", InvalidKey::Length(0)),
            ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", InvalidKey::Length(39)),
            ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77", InvalidKey::Length(41)),
            ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf ", InvalidKey::Character),
            ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\u{e9}", InvalidKey::Character),
            ("########################################", InvalidKey::Character),
        ] {
            assert_eq!(text.parse::<PublicKey>().err(), Some(expected), "{text:?}");
        }
    }
}
