//! How a module, or an object in it, is named on the command line.

use serde_json::json;
use zerorpc_tests::peers::Interpreter;

use crate::support::{Setup, each_python, folder, modules};

each_python!(
    whatever_can_be_imported_can_be_served,
    files_are_served_wherever_they_are,
    what_is_not_there_says_so,
);

fn whatever_can_be_imported_can_be_served(python: &Interpreter) {
    for (name, method, expected) in [
        ("my-service", "hello", json!("helped")),
        ("./my-service.py", "hello", json!("helped")),
        ("my-service:desk", "open", json!("open")),
        ("./my-service.py:Desk", "open", json!("open")),
        ("shop", "first", json!("apple")),
        ("shop/", "first", json!("apple")),
        ("./shop", "first", json!("apple")),
        ("shop.catalogue.items", "every", json!(["apple", "pear"])),
        ("shop/catalogue/items.py", "package", json!("shop.catalogue")),
        ("./shop/catalogue/items.py", "every", json!(["apple", "pear"])),
        ("shop.catalogue.items.Shelf", "take", json!("pear")),
        ("shop.catalogue.items:Shelf", "take", json!("pear")),
        ("shop.catalogue.items:shelf", "take", json!("pear")),
        ("shop.catalogue.items:make", "take", json!("pear")),
        ("shop.catalogue.items:Shelf.Board", "width", json!(80)),
        ("./shop/catalogue/items.py:shelf", "take", json!("pear")),
        ("space.mod", "where", json!("space.mod")),
        ("os.path", "basename", json!("b")),
        ("script", "name", json!("script")),
        ("./script.py", "name", json!("script")),
        ("sibling", "helper", json!("helped")),
    ] {
        let args = if method == "basename" { json!(["a/b"]) } else { json!([]) };
        let server = Setup::new(python, &[], name).start();
        assert_eq!(server.call(method, args), expected, "{name}");
    }
}

fn files_are_served_wherever_they_are(python: &Interpreter) {
    let elsewhere = folder();
    let place = elsewhere.path().join("with a space");
    std::fs::create_dir(&place).expect("it can be made");
    for file in ["my-service.py", "sibling.py", "script.py"] {
        std::fs::copy(modules().join(file), place.join(file)).expect("it can be copied");
    }
    std::fs::copy(modules().join("my-service.py"), place.join("1st try.py")).expect("a copy");
    let place = place.canonicalize().expect("it is there");
    let absolute = place.join("my-service.py");
    for name in [
        "with a space/my-service.py",
        "./with a space/my-service.py",
        "with a space/1st try.py",
        absolute.to_str().expect("it is text"),
    ] {
        let server = Setup::new(python, &[], name).directory(elsewhere.path()).start();
        // What lies beside it can be imported, as with `python FILE`.
        assert_eq!(server.call("hello", json!([])), json!("helped"), "{name}");
    }
    let script = place.join("script.py");
    let script = script.to_str().expect("it is text");
    let server = Setup::new(python, &[], script).start();
    assert_eq!(server.call("path", json!([])), json!(place.to_str()));
    assert_eq!(server.call("argv", json!([])), json!([script]));
    assert_ne!(server.call("name", json!([])), json!("__main__"));
}

fn what_is_not_there_says_so(python: &Interpreter) {
    for (name, parts) in [
        ("no-such-service", &["no-such-service"][..]),
        ("my-service.py", &["./my-service.py"]),
        ("./no/such/file.py", &["./no/such/file.py"]),
        ("shop:nothing", &["shop", "nothing"]),
        ("shop.catalogue.items:Shelf.nothing", &["Shelf", "nothing"]),
        ("./script.py:nothing", &["script", "nothing"]),
        ("shop.nothing", &["shop", "nothing"]),
        (":", &["\":\""]),
        ("shop:", &["shop:"]),
        (".", &["."]),
        ("./", &["./"]),
    ] {
        let ended = Setup::new(python, &[], name).run().expect(6, "");
        assert!(ended.stderr.starts_with("error: "), "{ended}");
        assert!(!ended.stderr.contains("<zerorpc>"), "{ended}");
        ended.tells(parts);
    }
}
