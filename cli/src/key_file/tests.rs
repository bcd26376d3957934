use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use tempfile::TempDir;

use super::*;

/// The keys of the manual of libzmq, zmq_curve(7).
const PUBLIC_KEY: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const SECRET_KEY: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

fn write(folder: &TempDir, text: &str, mode: u32) -> PathBuf {
    let path = folder.path().join("some.key");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
    path
}

#[test]
fn public_keys_are_read_in_all_forms() {
    let folder = TempDir::new().expect("a folder");
    for text in [
        // As pyzmq writes them, and `zcert_save` of czmq 4.2.1.
        format!("#   banner\n\nmetadata\ncurve\n    public-key = \"{PUBLIC_KEY}\"\n"),
        format!(
            "#   ****  Generated on 2026-11-28 16:26:08 by CZMQ  ****
#   ZeroMQ CURVE Public Certificate
#   Exchange securely, or use a secure mechanism to verify the contents
#   of this file after exchange. Store public certificates in your home
#   directory, in the .curve subdirectory.

metadata
    name = \"theirs\"
curve
    public-key = \"{PUBLIC_KEY}\"
"
        ),
        // As `zmq.auth` takes them, too.
        format!("public-key={PUBLIC_KEY}"),
        format!("\u{feff}public-key = \"{PUBLIC_KEY}\"\r\n"),
        format!("\tpublic-key\t= '{PUBLIC_KEY}'\r\n"),
        format!("curve\n    public-key = \"{PUBLIC_KEY}\"  # whose it is\n"),
        format!("# public-key = \"none\"\npublic-key = \"{PUBLIC_KEY}\nother = 1"),
    ] {
        let read = read_public(&write(&folder, &text, 0o644));
        assert_eq!(read.expect(&text).to_string(), PUBLIC_KEY, "{text}");
    }
}

#[test]
fn secret_keys_are_read_where_nobody_else_can_read_them() {
    let folder = TempDir::new().expect("a folder");
    let both = format!("curve\n  public-key = \"{PUBLIC_KEY}\"\n  secret-key = \"{SECRET_KEY}\"\n");
    for text in [both.clone(), format!("secret-key = {SECRET_KEY}\n")] {
        let path = write(&folder, &text, 0o600);
        let keys = read_pair(&path).expect("a key");
        assert_eq!(
            (keys.public.to_string(), &**keys.secret.to_z85()),
            (PUBLIC_KEY.into(), SECRET_KEY)
        );
        assert_eq!(read_public(&path).expect("a key"), keys.public);
    }
    for mode in [0o604, 0o606, 0o644, 0o666, 0o620] {
        let path = write(&folder, &both, mode);
        for error in [read_pair(&path).map(|_| ()), read_public(&path).map(|_| ())] {
            let text = error.expect_err("others can read it").to_string();
            let expected = format!("others can read it (its mode is {mode:o}): run `chmod 600 ");
            assert!(text.contains(&expected), "{text}");
            assert!(!text.contains(SECRET_KEY), "{text}");
        }
    }
}

#[test]
fn what_is_no_key_is_told() {
    let folder = TempDir::new().expect("a folder");
    for (text, expected) in [
        ("", "is no key file"),
        ("metadata\ncurve\n", "is no key file"),
        ("public-key-of-somebody", "is no key file"),
        ("\n\npublic-key = \"short\"", "line 3: this is no public key: a key has 40 characters"),
        ("secret-key = \"short\"", "line 1: this is no secret key"),
        (&format!("public-key = {PUBLIC_KEY}"), "holds no secret key: name the file whose"),
        (&format!("public-key = {SECRET_KEY}\nsecret-key = {SECRET_KEY}"), "is damaged"),
    ] {
        let error = read_pair(&write(&folder, text, 0o600)).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(SECRET_KEY), "{error}");
    }
    let missing = read_public(&folder.path().join("missing")).expect_err("it is missing");
    assert!(missing.to_string().contains("cannot read the key file"), "{missing}");
    fs::write(folder.path().join("some.key"), b"\xff\xfe").expect("a file");
    let binary = read_public(&folder.path().join("some.key")).expect_err("no text").to_string();
    assert!(binary.contains("it is not UTF-8"), "{binary}");
}

#[test]
fn clients_have_no_secret_of_their_server() {
    let folder = TempDir::new().expect("a folder");
    let files = KeyFiles::named(&folder.path().join("server"));
    let public = files.generate().expect("a key");
    assert_eq!(read_servers(&files.public).expect("a key"), public);
    for mode in [0o600, 0o644] {
        fs::set_permissions(&files.secret, Permissions::from_mode(mode)).expect("its owner may");
        let error = read_servers(&files.secret).expect_err("a secret").to_string();
        assert!(error.contains("take its .key file, which is for clients"), "{error}");
    }
    let error = read_servers(&folder.path().join("abc")).expect_err("nothing").to_string();
    assert!(error.contains("nor is it a key itself, which has 40 characters"), "{error}");
    let error = read_servers(&write(&folder, "", 0o644)).expect_err("nothing").to_string();
    assert!(error.contains("is no key file"), "{error}");
}

#[test]
fn what_is_written_can_be_read_and_is_not_overwritten() {
    let folder = TempDir::new().expect("a folder");
    let files = KeyFiles::named(&folder.path().join("some.one"));
    let public = files.generate().expect("a key");
    assert_eq!(read_public(&files.public).expect("a key"), public);
    assert_eq!(read_pair(&files.secret).expect("a key").public, public);
    let mode = |path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&files.secret), 0o600);
    assert_eq!(mode(&files.public) & 0o600, 0o600);
    assert_eq!(files.public, folder.path().join("some.one.key"));

    let before = fs::read(&files.secret).expect("a file");
    assert!(matches!(files.generate(), Err(KeyFileError::Exists { path }) if path == files.secret));
    assert_eq!(fs::read(&files.secret).expect("a file"), before);

    // No half of a new key stays beside the public half of another.
    fs::remove_file(&files.secret).expect("its owner may");
    assert!(matches!(files.generate(), Err(KeyFileError::Exists { path }) if path == files.public));
    assert!(!files.secret.exists());
    assert_eq!(read_public(&files.public).expect("a key"), public);
}

#[test]
fn keys_differ() {
    let keys = || generate().expect("random numbers");
    assert_ne!(keys().public, keys().public);
}
