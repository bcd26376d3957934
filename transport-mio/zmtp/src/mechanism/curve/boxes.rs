//! Boxes of NaCl, by way of the crate dryoc: the only place that knows of it.
//!
//! Curve25519, XSalsa20 and Poly1305 are what CURVE prescribes. dryoc is Rust alone, wipes what it works with, and uses
//! the vector units of processors, for which there is no other crate: RustCrypto's XSalsa20 takes seven times as long.

use dryoc::classic::{
    crypto_box::{
        crypto_box_beforenm, crypto_box_detached_afternm_inplace,
        crypto_box_open_detached_afternm_inplace,
    },
    crypto_core::crypto_scalarmult_base,
};
use zeroize::Zeroizing;
use zerorpc_proto::transport::SecretKey;

use crate::{RandomSource, Violation};

/// Bytes of a key.
pub(crate) const KEY: usize = 32;

/// Bytes that prove a box, in front of its content.
pub(super) const MAC: usize = 16;

/// What two keys have in common, or a key that one side has alone: closes and opens boxes.
#[derive(Clone)]
pub(crate) struct BoxKey(Zeroizing<[u8; KEY]>);

impl BoxKey {
    /// What a public key and another's secret half have in common; `None` for a public key that has the same in common with
    /// all others.
    pub(super) fn between(public: &[u8; KEY], secret: &SecretKey) -> Option<Self> {
        let key = crypto_box_beforenm(public, secret.as_bytes()).ok()?;
        Some(Self(Zeroizing::new(key)))
    }

    /// A key for what only this side opens.
    pub(super) fn generate(random: &dyn RandomSource) -> Result<Self, Violation> {
        draw(random).map(Self)
    }

    /// Encrypts `content` where it is; what proves it.
    pub(super) fn close(&self, nonce: &Nonce, content: &mut [u8]) -> [u8; MAC] {
        let mut mac = [0; MAC];
        crypto_box_detached_afternm_inplace(content, &mut mac, &nonce.0, &self.0);
        mac
    }

    /// Decrypts `content` where it is, if whoever closed the box has the same key and nobody has changed anything.
    #[must_use]
    pub(super) fn open(&self, nonce: &Nonce, mac: &[u8; MAC], content: &mut [u8]) -> bool {
        crypto_box_open_detached_afternm_inplace(content, mac, &nonce.0, &self.0).is_ok()
    }

    /// Appends a box.
    pub(super) fn write(&self, nonce: &Nonce, content: &[u8], out: &mut Vec<u8>) {
        let begins = out.len() + MAC;
        out.extend_from_slice(&[0; MAC]);
        out.extend_from_slice(content);
        let mac = self.close(nonce, &mut out[begins..]);
        out[begins - MAC..begins].copy_from_slice(&mac);
    }

    /// What is in a box of a handshake, which may be a secret.
    pub(super) fn read(&self, nonce: &Nonce, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (mac, content) = sealed.split_first_chunk()?;
        let mut content = Zeroizing::new(content.to_vec());
        self.open(nonce, mac, &mut content).then_some(content)
    }
}

/// What makes a box different from all others of a key.
pub(crate) struct Nonce([u8; 24]);

impl Nonce {
    /// Of a number that is not used again.
    pub(super) fn short(prefix: &[u8; 16], number: u64) -> Self {
        let mut nonce = [0; 24];
        nonce[..16].copy_from_slice(prefix);
        nonce[16..].copy_from_slice(&number.to_be_bytes());
        Self(nonce)
    }

    /// Of random bytes.
    pub(super) fn long(prefix: &[u8; 8], bytes: &[u8; 16]) -> Self {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(prefix);
        nonce[8..].copy_from_slice(bytes);
        Self(nonce)
    }
}

/// A key for one connection.
pub(crate) struct ShortTerm {
    pub(super) public: [u8; KEY],
    pub(super) secret: SecretKey,
}

impl ShortTerm {
    pub(super) fn generate(random: &dyn RandomSource) -> Result<Self, Violation> {
        let secret = SecretKey::new(*draw(random)?);
        Ok(Self { public: public_half(&secret), secret })
    }
}

/// The half of a key that others may know, from the one that they may not.
pub(crate) fn public_half(secret: &SecretKey) -> [u8; KEY] {
    let mut public = [0; KEY];
    crypto_scalarmult_base(&mut public, secret.as_bytes());
    public
}

/// Random bytes.
pub(super) fn draw<const N: usize>(
    random: &dyn RandomSource,
) -> Result<Zeroizing<[u8; N]>, Violation> {
    let mut bytes = Zeroizing::new([0; N]);
    random.fill(&mut bytes[..])?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
