//! Every file of the corpora, through the body of its target.

use std::{fs, path::Path};

type Body = fn(&[u8]);

/// Every target, as in the manifest.
const TARGETS: [(&str, Body); 12] = [
    ("bridge", crate::bridge),
    ("curve", crate::curve),
    ("endpoint", crate::endpoint),
    ("event", crate::event),
    ("handshake", crate::handshake),
    ("inspect", crate::inspect),
    ("json", crate::json),
    ("msgpack", crate::msgpack),
    ("rpc", crate::rpc),
    ("session", crate::session),
    ("socket", crate::socket),
    ("zmtp", crate::zmtp),
];

/// What a corpus is at most: files, their bytes together, and the bytes of one.
const FILES: usize = 200;
const BYTES: usize = 200 << 10;
const LARGEST: usize = 64 << 10;

/// The names of what is in a folder of this crate.
fn names(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("a readable folder").file_name();
        name.into_string().expect("a name of ASCII")
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn every_target_has_a_body_and_a_corpus() {
    let known: Vec<String> = TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    let sources: Vec<String> = known.iter().map(|target| format!("{target}.rs")).collect();
    assert_eq!(names("fuzz_targets"), sources);
    assert_eq!(names("corpus"), known);
}

#[test]
fn corpora() {
    for (target, body) in TARGETS {
        let folder = format!("corpus/{target}");
        let files = names(&folder);
        assert!((1..=FILES).contains(&files.len()), "{folder}: {} files", files.len());
        let mut sum = 0;
        for file in files {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder).join(&file);
            let data = fs::read(&path).expect("a readable file");
            assert!(data.len() <= LARGEST, "{folder}/{file}: {} bytes", data.len());
            sum += data.len();
            // A body that panics is shown with the file that it panicked over.
            println!("{folder}/{file}");
            body(&data);
        }
        assert!(sum <= BYTES, "{folder}: {sum} bytes");
    }
}
