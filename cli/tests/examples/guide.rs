//! What `docs/embedding.md` says of the examples.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Event loops of one's own are to be no longer.
const MOST: usize = 140;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The examples by their places as seen from `docs/`, with all their lines.
fn examples() -> BTreeMap<String, usize> {
    let mut examples = BTreeMap::new();
    for folder in ["examples", "proto/examples", "transport-mio/zmtp/examples"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder of examples") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                examples.insert(format!("../{folder}/{name}"), read(&path).lines().count());
            }
        }
    }
    examples
}

#[test]
fn the_guide_knows_all_examples_and_how_long_they_are() {
    let page = read(&root().join("docs/embedding.md"));
    let row = |line: &str| {
        let (_, rest) = line.strip_prefix("| [`")?.split_once("](")?;
        let (place, rest) = rest.split_once(')')?;
        let count = rest.trim_end_matches([' ', '|']).rsplit(' ').next()?;
        Some((place.to_owned(), count.parse().ok()?))
    };
    let told: BTreeMap<String, usize> = page.lines().filter_map(row).collect();
    assert_eq!(told, examples(), "the table at the end of docs/embedding.md is to say this");
}

#[test]
fn an_event_loop_of_ones_own_is_short() {
    for (place, lines) in examples() {
        let is_loop = place.contains("/poll_") || place.contains("/tokio_");
        assert!(!is_loop || lines <= MOST, "{place} has {lines} lines, at most {MOST} are allowed");
    }
}
