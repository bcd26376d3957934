use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt as _};

use tempfile::TempDir;

use super::*;

const ADA: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const BOB: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
const PEER: &str = "tcp://192.0.2.7:50123";

fn read(folder: &TempDir, text: &str, mechanism: Option<MechanismName>) -> Result<Rules, String> {
    let path = folder.path().join("rules.toml");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its owner may");
    let source = Source { path: path.clone(), mechanism };
    source.read(&mut Vec::new()).map_err(|error| {
        let text = error.to_string();
        text.strip_prefix(&format!("{}:", path.display())).unwrap_or(&text).to_owned()
    })
}

fn name(rules: &Rules, request: &AuthRequest<'_>) -> Result<String, String> {
    rules.admit(request).map(|entry| entry.name.to_string()).map_err(|denied| denied.to_string())
}

fn of_key(rules: &Rules, key: &str) -> Result<String, String> {
    name(rules, &AuthRequest::new(Credential::Key(key.parse().expect("a key")), PEER))
}

#[test]
fn keys_have_names_and_rules() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("bob.key"), format!("public-key = \"{BOB}\"")).expect("a file");
    let rules = read(
        &folder,
        &format!(
            "# Who may call.\n[ada]\nkey = \"{ADA}\"\nallow = [\"time.*\", \"strftime\"]\ndeny = \"time.sleep\"\n\
             [\"bob@home\"]\nkey = [\"bob.key\"]\n[nothing]\nkey = \"{}\"\nallow = []\n",
            "0".repeat(40)
        ),
        None,
    );
    let rules = rules.expect("good rules");
    assert_eq!(of_key(&rules, ADA).as_deref(), Ok("ada"));
    assert_eq!(of_key(&rules, BOB).as_deref(), Ok("bob@home"));
    let stranger = "1".repeat(40);
    assert_eq!(of_key(&rules, &stranger), Err("it is in no entry of the rules".to_owned()));
    let anonymous = name(&rules, &AuthRequest::new(Credential::Anonymous, PEER));
    assert_eq!(anonymous, Err("anonymous peers are not authorized".to_owned()));

    let entry = |key: &str| rules.of_key(&key.parse().expect("a key")).expect("an entry");
    for (key, method, expected) in [
        (ADA, "strftime", true),
        (ADA, "time.time", true),
        (ADA, "time.sleep", false),
        (ADA, "gmtime", false),
        (BOB, "anything", true),
        (&"0".repeat(40), "anything", false),
    ] {
        assert_eq!(entry(key).may_call(method), expected, "{key} {method}");
    }
}

#[test]
fn any_key_is_for_keys_of_no_other_entry() {
    let folder = TempDir::new().expect("a folder");
    let rules = read(&folder, &format!("[guests]\nkey = '*'\n[ada]\nkey = '{ADA}'\n"), None);
    let rules = rules.expect("good rules");
    assert_eq!(of_key(&rules, ADA).as_deref(), Ok("ada"));
    assert_eq!(of_key(&rules, BOB).as_deref(), Ok("guests"));
}

#[test]
fn users_have_passwords() {
    let folder = TempDir::new().expect("a folder");
    let rules = read(&folder, "[a]\nuser = 'ada'\npassword = 'lovelace'\n", None).expect("rules");
    for (user, password, expected) in [
        ("ada", "lovelace", true),
        ("ada", "Lovelace", false),
        ("ada", "", false),
        ("bob", "lovelace", false),
        ("bob", "", false),
    ] {
        let credential = Credential::password(user.as_bytes(), password.as_bytes());
        let found = name(&rules, &AuthRequest::new(credential, PEER));
        assert_eq!(found.is_ok(), expected, "{user} {password}: {found:?}");
        if let Err(reason) = found {
            assert_eq!(reason, "unknown user or wrong password");
        }
    }
}

#[test]
fn processes_are_known_by_user_then_by_group() {
    let folder = TempDir::new().expect("a folder");
    let text = "[root]\nuid = 'root'\n[some]\nuid = [1000, 0x3e9]\n[staff]\ngid = 50\n";
    let rules = read(&folder, text, None).expect("rules");
    assert!(!rules.reach_beyond_processes());
    let process = |uid, gid| {
        let process = Some(ProcessCredentials::new(uid, gid, None));
        name(&rules, &AuthRequest::new(Credential::Anonymous, "ipc://x").process(process))
    };
    assert_eq!(process(0, 50).as_deref(), Ok("root"));
    assert_eq!(process(1001, 1).as_deref(), Ok("some"));
    assert_eq!(process(7, 50).as_deref(), Ok("staff"));
    assert_eq!(process(7, 7), Err("processes of uid 7 and gid 7 are not authorized".to_owned()));
    let rules = read(&folder, "[all]\nanonymous = true\n", None).expect("rules");
    assert_eq!(name(&rules, &AuthRequest::new(Credential::Anonymous, PEER)).as_deref(), Ok("all"));
    assert!(rules.reach_beyond_processes());
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let folder = TempDir::new().expect("a folder");
    let curve = Some(MechanismName::Curve);
    for (text, mechanism, expected) in [
        ("[ada\n", None, "1: this is not TOML: "),
        ("\n[ada]\nkey = \n", None, "3: this is not TOML: "),
        ("[a]\nuid = 1\n[a]\nuid = 2\n", None, "3: this is not TOML: duplicate key"),
        ("ada = 1\n", None, "1: `ada` is no entry: an entry begins with `[ada]`"),
        ("[ada]\nallow = []\n", None, "1: [ada] does not say who it is for: give it one of"),
        ("[ada]\nuid = 1\ngid = 1\n", None, "1: [ada] is for several: give it one of"),
        ("[ada]\nuid = 1\nalow = []\n", None, "3: unknown `alow`: an entry may have `key`"),
        ("[ada]\nkey = 'short'\n", None, "2: this is neither a key nor the name of a .key file"),
        ("[ada]\nkey = 'missing.key'\n", None, "2: cannot read the key file"),
        ("[ada]\nkey = 7\n", None, "2: a key stands in quotes"),
        (&format!("[a]\nkey = '{ADA}'\n[b]\nkey = [\n'{ADA}']\n"), None, "5: the key Yne@"),
        (
            &format!("[a]\nkey = ['{ADA}', '{ADA}']\n"),
            None,
            "2: the key Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID stands here twice",
        ),
        ("[a]\nuser = 'a'\n", None, "2: a user needs a `password`"),
        ("[a]\nuser = 'a'\npassword = ''\n", None, "3: an empty password"),
        ("[a]\nuid = 1\npassword = 'p'\n", None, "3: `password` goes with `user` alone"),
        ("[a]\nuid = 'no such user'\n", None, "2: this system has no such number or name"),
        ("[a]\nuid = -1\n", None, "2: this system has no such number or name"),
        ("[a]\nanonymous = false\n", None, "2: `anonymous` can only be `true`"),
        ("[a]\nuid = 1\nallow = [1]\n", None, "3: the name of a method stands in quotes"),
        (
            "[a]\nuid = 1\n[b]\nkey = '*'\n",
            None,
            "4: [b] can never come in: a server without a key",
        ),
        (
            "[a]\nuser = 'a'\npassword = 'p'\n[b]\nuid = 1\n",
            None,
            "5: [b] can never come in: a server of users",
        ),
        (
            "[a]\nuser = 'a'\npassword = 'p'\n",
            curve,
            "2: [a] can never come in: a server with a key",
        ),
    ] {
        let error = read(&folder, text, mechanism).err().expect(text);
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let text = "[a]\nuser = 'a'\npassword = 'hunter2\n";
    let error = read(&folder, text, None).err().expect(text);
    assert!(error.starts_with("3: ") && !error.contains("hunter2"), "{error}");
}

#[test]
fn files_have_to_be_guarded() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("rules.toml");
    let source = Source { path: path.clone(), mechanism: None };
    let read = |text: &str, mode| {
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
        source.read(&mut Vec::new()).map(|_| ()).map_err(|error| error.to_string())
    };
    let user = "[a]\nuser = 'a'\npassword = 'p'\n";
    let error = read(user, 0o644).expect_err("others can read it");
    let expected = "rules.toml:3: here is a password, but others can read it (its mode is 644): run `chmod 600 ";
    assert!(error.contains(expected), "{error}");
    assert_eq!(read(user, 0o600), Ok(()));
    assert_eq!(read("[a]\nuid = 1\n", 0o644), Ok(()));
    let error = read("[a]\nuid = 1\n", 0o646).expect_err("others can change it");
    assert!(error.contains("others can change it (its mode is 646): run `chmod o-w "), "{error}");

    // So has a key that lets somebody in: named by the rules, in a folder, and alone.
    let key = folder.path().join("ada.key");
    fs::write(&key, format!("public-key = \"{ADA}\"")).expect("a file");
    assert_eq!(read("[a]\nkey = 'ada.key'\n", 0o644), Ok(()));
    fs::set_permissions(&key, Permissions::from_mode(0o646)).expect("its owner may");
    let error = read("[a]\nkey = 'ada.key'\n", 0o644).expect_err("others can change the key");
    assert!(error.contains("rules.toml:2: ") && error.contains("run `chmod o-w "), "{error}");
    for path in [folder.path(), &key] {
        let source = Source { path: path.into(), mechanism: None };
        let error = source.read(&mut Vec::new()).err().expect("others can change it").to_string();
        assert!(error.contains("ada.key") && error.contains("run `chmod o-w "), "{error}");
    }
}

#[test]
fn a_folder_has_a_name_for_each_key() {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("ada.key", &format!("public-key = \"{ADA}\""));
    write("bob.b.key", &format!("public-key = \"{BOB}\""));
    write("README", "not a key");
    write("carol.key_secret", "not for here");
    let source = Source { path: folder.path().into(), mechanism: Some(MechanismName::Curve) };
    let mut files = Vec::new();
    let rules = source.read(&mut files).expect("good keys");
    assert_eq!(files.len(), 3);
    assert_eq!(of_key(&rules, ADA).as_deref(), Ok("ada"));
    assert_eq!(of_key(&rules, BOB).as_deref(), Ok("bob.b"));
    assert!(rules.of_key(&ADA.parse().expect("a key")).expect("an entry").may_call("anything"));

    write("again.key", &format!("public-key = \"{BOB}\""));
    let error = source.read(&mut Vec::new()).err().expect("a double").to_string();
    assert!(error.ends_with("bob.b.key: this is the same key as that of \"again\""), "{error}");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("its owner may");
    let error = source.read(&mut Vec::new()).err().expect("anybody can change it").to_string();
    assert!(error.contains("run `chmod o-w "), "{error}");

    // One key alone does as well.
    let source = Source { path: folder.path().join("ada.key"), mechanism: None };
    let rules = source.read(&mut Vec::new()).expect("a key");
    assert_eq!(of_key(&rules, ADA).as_deref(), Ok("ada"));
    assert!(of_key(&rules, BOB).is_err());
    let source = Source { path: folder.path().join("carol.key_secret"), mechanism: None };
    let error = source.read(&mut Vec::new()).err().expect("a secret").to_string();
    assert!(error.contains("name the .key file that belongs to it"), "{error}");
}
