use std::{fs::File, thread};

use tempfile::TempDir;
use zerorpc::Credential;

use super::*;

const ADA: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const BOB: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

fn request(key: &str) -> AuthRequest<'static> {
    AuthRequest::new(Credential::Key(key.parse().expect("a key")), "tcp://192.0.2.7:50123")
}

fn watch(path: &Path) -> Watched {
    Watched::new(Source { path: path.into(), mechanism: None }).expect("good rules")
}

/// Waits until what is known of the files is too old for peers that come in.
fn admits(watched: &Watched, key: &str) -> bool {
    thread::sleep(2 * FRESH_FOR_PEERS);
    watched.authenticate(&request(key)).is_ok()
}

fn entry(name: &str, key: &str) -> String {
    format!("[{name}]\nkey = \"{key}\"\n")
}

#[test]
fn changes_are_taken_up() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("rules.toml");
    fs::write(&path, entry("ada", ADA)).expect("a file");
    let watched = watch(&path);
    assert!(admits(&watched, ADA) && !admits(&watched, BOB));

    // Of the same length, within the same tick of the clock of files.
    let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
    fs::write(&path, entry("ada", BOB)).expect("a file");
    File::options().append(true).open(&path).expect("it").set_modified(modified).expect("it can");
    assert!(!admits(&watched, ADA) && admits(&watched, BOB));

    // By another file in its place.
    let beside = folder.path().join("new");
    fs::write(&beside, entry("ada", ADA) + &entry("bob", BOB)).expect("a file");
    fs::rename(&beside, &path).expect("it can");
    assert!(admits(&watched, ADA) && admits(&watched, BOB));
}

#[test]
fn what_is_broken_leaves_the_old_rules_in_force() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("rules.toml");
    fs::write(&path, entry("ada", ADA)).expect("a file");
    let watched = watch(&path);
    for broken in ["[ada", "[bob]\nuid = 1\n[carol]\nkey = '*'\n"] {
        fs::write(&path, broken).expect("a file");
        assert!(admits(&watched, ADA) && !admits(&watched, BOB), "{broken}");
        let files = watched.files.as_ref().expect("it has files");
        assert!(files.read.lock().expect("no panic").error.is_some(), "{broken}");
    }
    fs::remove_file(&path).expect("it can");
    assert!(admits(&watched, ADA));
    fs::write(&path, entry("bob", BOB)).expect("a file");
    assert!(!admits(&watched, ADA) && admits(&watched, BOB));
}

#[test]
fn a_folder_is_followed() {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, key: &str| {
        fs::write(folder.path().join(name), format!("public-key = {key}")).expect("a file");
    };
    write("ada.key", ADA);
    let watched = watch(folder.path());
    assert!(admits(&watched, ADA) && !admits(&watched, BOB));
    write("bob.key", BOB);
    assert!(admits(&watched, ADA) && admits(&watched, BOB));
    fs::remove_file(folder.path().join("ada.key")).expect("it can");
    assert!(!admits(&watched, ADA) && admits(&watched, BOB));
    write("bob.key", ADA);
    assert!(admits(&watched, ADA) && !admits(&watched, BOB));
}

#[test]
fn rights_are_lost_with_the_entry() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("rules.toml");
    fs::write(&path, entry("ada", ADA) + "deny = 'stop'\n" + &entry("bob", BOB)).expect("a file");
    let watched = watch(&path);
    let [ada, bob] = [ADA, BOB].map(|key| Principal::new(None, &request(key)));
    assert!(watched.may_call(&ada, "start") && !watched.may_call(&ada, "stop"));
    assert!(watched.may_call(&bob, "stop"));

    fs::write(&path, entry("ada", ADA)).expect("a file");
    let began = Instant::now();
    while watched.may_call(&bob, "start") {
        assert!(began.elapsed() < Duration::from_secs(60), "the file is never looked at");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(watched.may_call(&ada, "stop"));
}
