//! What is true of the published crates as packages: what they depend on, and what whoever finds them needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

/// What cargo knows of the workspace and of all that it depends on.
struct Packages(Value);

impl Packages {
    fn read() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--locked", "--format-version", "1", "--manifest-path", manifest])
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).expect("cargo tells JSON"))
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        list(&self.0["packages"])
    }

    /// The crates of this repository that others get.
    fn published(&self) -> impl Iterator<Item = &Value> {
        // A crate that is not published is published to an empty list of registries.
        self.all().filter(|package| package["source"].is_null() && package["publish"].is_null())
    }

    fn named(&self, name: &str) -> &Value {
        self.all().find(|package| package["name"] == name).expect("there is such a crate")
    }

    /// All that a crate is built of, with the features that the workspace turns on; no tests.
    fn built_of(&self, package: &Value) -> Vec<&Value> {
        let nodes: BTreeMap<&str, &Value> =
            list(&self.0["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
        let mut seen = BTreeSet::new();
        let mut found = vec![text(&package["id"])];
        while let Some(id) = found.pop() {
            if seen.insert(id) {
                let of_use = |kind: &Value| kind["kind"] != "dev";
                let dependencies = list(&nodes[id]["deps"])
                    .filter(|dependency| list(&dependency["dep_kinds"]).any(of_use));
                found.extend(dependencies.map(|dependency| text(&dependency["pkg"])));
            }
        }
        self.all().filter(|package| seen.contains(text(&package["id"]))).collect()
    }

    /// Who of a package's parts is built with another one.
    fn dependants<'a>(&'a self, parts: &[&'a Value], on: &str) -> BTreeSet<&'a str> {
        let on = text(&self.named(on)["id"]);
        let built_with = |node: &Value| {
            list(&node["deps"]).any(|dependency| {
                let of_use = |kind: &Value| kind["kind"] != "dev";
                dependency["pkg"] == on && list(&dependency["dep_kinds"]).any(of_use)
            })
        };
        let nodes = list(&self.0["resolve"]["nodes"]).filter(|node| built_with(node));
        let ids: BTreeSet<&str> = nodes.map(|node| text(&node["id"])).collect();
        let among = parts.iter().filter(|part| ids.contains(text(&part["id"])));
        among.map(|part| text(&part["name"])).collect()
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// `1.89` and `1.89.0` are the same.
fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().expect("a number")).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn no_dependency_needs_a_newer_rust_than_the_crate_that_needs_it() {
    let packages = Packages::read();
    for package in packages.published() {
        let own = version(text(&package["rust_version"]));
        for part in packages.built_of(package) {
            let Some(needed) = part["rust_version"].as_str() else { continue };
            assert!(
                version(needed) <= own,
                "{} is for Rust {}, but {} {} needs {needed}",
                package["name"],
                package["rust_version"],
                part["name"],
                part["version"]
            );
        }
    }
}

#[test]
fn imports_run_downwards() {
    let packages = Packages::read();
    let own: BTreeSet<&str> = packages.published().map(|package| text(&package["name"])).collect();
    for (name, expected) in [
        ("zerorpc-proto", &[][..]),
        ("zerorpc-zmtp", &["zerorpc-proto"]),
        ("zerorpc-zmq", &["zerorpc-proto"]),
        ("zerorpc-mio", &["zerorpc-proto", "zerorpc-zmtp"]),
    ] {
        let parts = packages.built_of(packages.named(name));
        let below: BTreeSet<&str> = parts
            .iter()
            .map(|part| text(&part["name"]))
            .filter(|part| own.contains(part) && *part != name)
            .collect();
        assert_eq!(below, expected.iter().copied().collect(), "below {name}");
    }
}

#[test]
fn what_is_pure_depends_on_nothing_that_does_io() {
    let packages = Packages::read();
    for name in ["zerorpc-proto", "zerorpc-zmtp"] {
        let parts = packages.built_of(packages.named(name));
        for part in &parts {
            let part = text(&part["name"]);
            let does_io = ["mio", "socket2", "rustix", "nix", "zmq", "tracing"];
            assert!(!does_io.contains(&part), "{name} depends on {part}");
        }
        // It asks what the processor can do, for which there is the system on ARM. What dryoc asks the system for beyond
        // that, random numbers and memory that is not paged out, is refused to our own code by zmtp/clippy.toml.
        for (below, allowed) in
            [("libc", &["cpufeatures", "dryoc", "getrandom"][..]), ("getrandom", &["dryoc"])]
        {
            let asks = packages.dependants(&parts, below);
            let is_allowed = asks.iter().all(|part| allowed.contains(part));
            assert!(is_allowed, "{name} depends on {below}: {asks:?}");
        }
    }
}

#[test]
fn published_crates_have_what_a_package_needs() {
    let packages = Packages::read();
    let licence = |folder: &Path, name| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in packages.published() {
        let name = text(&package["name"]);
        let folder = Path::new(text(&package["manifest_path"])).parent().expect("a folder");
        for key in ["description", "license", "documentation", "rust_version"] {
            assert!(package[key].is_string(), "{name} has no {key}");
        }
        assert!((1..=5).contains(&list(&package["keywords"]).count()), "keywords of {name}");
        assert!(list(&package["categories"]).count() > 0, "categories of {name}");
        let readme = fs::read_to_string(folder.join(text(&package["readme"])));
        assert!(readme.is_ok_and(|text| text.starts_with(&format!("# {name}\n"))), "{name}");
        for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert!(!licence(&root, file).is_empty(), "{file}");
            assert_eq!(licence(folder, file), licence(&root, file), "{file} of {name}");
        }
    }
}
