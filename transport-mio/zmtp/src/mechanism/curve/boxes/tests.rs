//! Boxes: those that NaCl's authors give, and those of other people's code.

use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305, aead::Aead as _};
use proptest::prelude::*;

use super::*;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
        .collect();
    bytes.try_into().expect("the right length")
}

/// Keys, nonce and box of "Cryptography in NaCl" (Bernstein, 2009), by which libsodium is tested as well.
#[test]
fn the_box_of_the_paper() {
    let alice =
        SecretKey::new(bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    let bob =
        SecretKey::new(bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    assert_eq!(
        public_half(&alice),
        bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    );
    assert_eq!(
        public_half(&bob),
        bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    );
    let nonce = Nonce(bytes("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37"));
    let content: [u8; 131] = bytes(concat!(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc",
        "e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31",
        "0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde",
        "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864",
        "5e0705",
    ));
    let expected: [u8; 147] = bytes(concat!(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce",
        "48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c972",
        "71d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae",
        "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3",
        "7973f622a43d14a6599b1f654cb45a74e355a5",
    ));
    let mut sealed = Vec::new();
    let ours = BoxKey::between(&public_half(&bob), &alice).expect("a key");
    ours.write(&nonce, &content, &mut sealed);
    assert_eq!(sealed, expected);
    let theirs = BoxKey::between(&public_half(&alice), &bob).expect("a key");
    assert_eq!(theirs.read(&nonce, &sealed).expect("it is whole")[..], content);
}

/// From "Cryptography in NaCl" as well: what these keys have in common.
#[test]
fn the_first_key_of_the_paper() {
    let alice =
        SecretKey::new(bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    let bob = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    let key = BoxKey::between(&bob, &alice).expect("a key");
    assert_eq!(*key.0, bytes("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"));
}

#[test]
fn a_box_that_was_changed_stays_shut() {
    let key = BoxKey(Zeroizing::new([3; 32]));
    let nonce = || Nonce([5; 24]);
    let mut sealed = Vec::new();
    key.write(&nonce(), b"some content", &mut sealed);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(key.read(&nonce(), &changed).is_none(), "changed at {at}");
        assert!(key.read(&nonce(), &sealed[..at]).is_none(), "cut off at {at}");
    }
    assert!(key.read(&Nonce([6; 24]), &sealed).is_none(), "another nonce");
    assert!(BoxKey(Zeroizing::new([4; 32])).read(&nonce(), &sealed).is_none(), "another key");
    assert!(key.read(&nonce(), &sealed).is_some());
}

/// Points of low order, on the curve and on its twist.
#[test]
fn weak_keys_make_none() {
    let secret = SecretKey::new([7; 32]);
    for weak in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ] {
        assert!(BoxKey::between(&bytes(weak), &secret).is_none(), "{weak}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn another_implementation_makes_the_same_boxes(
        key: [u8; 32],
        nonce: [u8; 24],
        content in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            prop::collection::vec(any::<u8>(), 600..5_000),
        ],
    ) {
        let ours = BoxKey(Zeroizing::new(key));
        let theirs = XSalsa20Poly1305::new(&key.into());
        let expected = theirs.encrypt(&nonce.into(), &content[..]).expect("a box");
        let mut sealed = Vec::new();
        ours.write(&Nonce(nonce), &content, &mut sealed);
        prop_assert_eq!(&sealed, &expected);
        let opened = ours.read(&Nonce(nonce), &sealed).expect("it is whole");
        prop_assert_eq!(&opened[..], &content);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn another_implementation_finds_the_same_keys(ours: [u8; 32], theirs: [u8; 32]) {
        use x25519_dalek::{PublicKey, StaticSecret};
        let secret = SecretKey::new(ours);
        let point = public_half(&SecretKey::new(theirs));
        prop_assert_eq!(point, PublicKey::from(&StaticSecret::from(theirs)).to_bytes());
        prop_assert!(BoxKey::between(&point, &secret).is_some());
        prop_assert_eq!(
            StaticSecret::from(ours).diffie_hellman(&PublicKey::from(point)).to_bytes(),
            shared_point(&point, &ours)
        );
    }
}

/// What keys of boxes are made of.
fn shared_point(public: &[u8; 32], secret: &[u8; 32]) -> [u8; 32] {
    let mut point = [0; 32];
    dryoc::classic::crypto_core::crypto_scalarmult(&mut point, secret, public)
        .expect("no weak key");
    point
}
