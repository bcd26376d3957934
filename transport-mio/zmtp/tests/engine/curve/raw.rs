//! A client of CURVE that is written here, from the specification, and does as it is told. Makes bytes alone: tests over
//! real sockets take it from here.

use dryoc::classic::{
    crypto_box::{crypto_box_easy, crypto_box_open_easy},
    crypto_core::crypto_scalarmult_base,
};
use zerorpc_proto::transport::KeyPair;

use super::{client_keys, frame, property, server_keys};

pub(crate) struct RawClient {
    pub(crate) secret: [u8; 32],
    pub(crate) public: [u8; 32],
    /// The server's short-term key, and the cookie.
    pub(crate) theirs: [u8; 32],
    pub(crate) cookie: Vec<u8>,
}

/// What stands in a claim, if it is true.
pub(crate) struct Claim {
    /// Who the client says it is.
    pub(crate) known: [u8; 32],
    /// By whose key it is vouched.
    pub(crate) voucher: KeyPair,
    /// For which short-term key, and which server.
    pub(crate) vouched: [[u8; 32]; 2],
    pub(crate) properties: Vec<u8>,
}

pub(crate) fn sealed(
    content: &[u8],
    prefix: &[u8],
    number: &[u8],
    to: &[u8; 32],
    by: &[u8; 32],
) -> Vec<u8> {
    let nonce: [u8; 24] = [prefix, number].concat().try_into().expect("24 bytes");
    let mut sealed = vec![0; content.len() + 16];
    crypto_box_easy(&mut sealed, content, &nonce, to, by).expect("a sound key");
    sealed
}

impl RawClient {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let mut public = [0; 32];
        crypto_scalarmult_base(&mut public, &secret);
        Self { secret, public, theirs: [0; 32], cookie: Vec::new() }
    }

    /// The data of HELLO.
    pub(crate) fn hello(&self) -> Vec<u8> {
        let number = 1_u64.to_be_bytes();
        let server = server_keys().public;
        let signature =
            sealed(&[0; 64], b"CurveZMQHELLO---", &number, server.as_bytes(), &self.secret);
        [&[1, 0], &[0; 72][..], &self.public, &number, &signature].concat()
    }

    /// Takes the data of WELCOME.
    pub(crate) fn welcome(&mut self, data: &[u8]) {
        let nonce: [u8; 24] = [b"WELCOME-", &data[..16]].concat().try_into().expect("24 bytes");
        let mut content = [0; 128];
        let server = server_keys().public;
        crypto_box_open_easy(&mut content, &data[16..], &nonce, server.as_bytes(), &self.secret)
            .expect("it is for us");
        self.theirs.copy_from_slice(&content[..32]);
        self.cookie = content[32..].to_vec();
    }

    pub(crate) fn truth(&self) -> Claim {
        Claim {
            known: *client_keys().public.as_bytes(),
            voucher: client_keys(),
            vouched: [self.public, *server_keys().public.as_bytes()],
            properties: property("Socket-Type", b"DEALER"),
        }
    }

    /// The data of INITIATE.
    pub(crate) fn initiate(&self, claim: &Claim) -> Vec<u8> {
        let number = 2_u64.to_be_bytes();
        let vouch = sealed(
            &claim.vouched.concat(),
            b"VOUCH---",
            &[7; 16],
            &self.theirs,
            claim.voucher.secret.as_bytes(),
        );
        let content = [&claim.known[..], &[7; 16], &vouch, &claim.properties].concat();
        let content = sealed(&content, b"CurveZMQINITIATE", &number, &self.theirs, &self.secret);
        [&self.cookie[..], &number, &content].concat()
    }

    /// A frame of the wire with a frame in it.
    pub(crate) fn message(&self, number: u64, flags: u8, body: &[u8]) -> Vec<u8> {
        frame(0, &self.message_body(number, flags, body))
    }

    pub(crate) fn message_body(&self, number: u64, flags: u8, body: &[u8]) -> Vec<u8> {
        let number = number.to_be_bytes();
        let content = [&[flags], body].concat();
        let content = sealed(&content, b"CurveZMQMESSAGEC", &number, &self.theirs, &self.secret);
        [&b"\x07MESSAGE"[..], &number, &content].concat()
    }
}
