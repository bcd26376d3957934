//! Keys of CURVE: both halves from one.

use zerorpc_proto::transport::{KeyPair, PublicKey, SecretKey};

use super::mechanism::public_half;

/// A key from its secret half, for which any 32 bytes do that nobody can guess.
///
/// ```
/// use zerorpc_proto::transport::SecretKey;
/// use zerorpc_zmtp::key_pair;
///
/// # fn random_bytes() -> [u8; 32] { [7; 32] }
/// let keys = key_pair(SecretKey::new(random_bytes()));
/// println!("others know me by {}", keys.public);
/// ```
#[must_use]
pub fn key_pair(secret: SecretKey) -> KeyPair {
    KeyPair::new(PublicKey::new(public_half(&secret)), secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of the manual of libzmq, zmq_curve(7).
    #[test]
    fn the_public_half_follows_from_the_secret_one() {
        for (public, secret) in [
            (
                "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
                "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
            ),
            (
                "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
                "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
            ),
        ] {
            let keys = key_pair(secret.parse().expect("a key"));
            assert_eq!(keys.public.to_string(), public);
            assert_eq!(*keys.secret.to_z85(), secret);
        }
    }
}
