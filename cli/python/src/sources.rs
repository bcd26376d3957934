//! What runs in the child: the sources beside `src/`.

/// Runs first.
pub(super) const LOADER: &str = include_str!("../loader.py");

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../", $name, ".py")))),*]
    };
}

/// The modules of the bridge.
pub(super) const BRIDGE: &[(&str, &str)] = sources![
    "bridge/aio",
    "bridge/calls",
    "bridge/codec",
    "bridge/ending",
    "bridge/failures",
    "bridge/green",
    "bridge/introspect",
    "bridge/link",
    "bridge/middleware",
    "bridge/resolve",
    "bridge/serial",
    "bridge/servers",
    "bridge/signals",
    "bridge/threads",
    "bridge/timestamps",
    "bridge/values",
    "bridge/wire",
    "bridge/worker",
];

/// The package `zerorpc`, for modules that import it where it is not installed.
pub(super) const PACKAGE: &[(&str, &str)] = sources![
    "zerorpc/__init__",
    "zerorpc/client",
    "zerorpc/context",
    "zerorpc/decorators",
    "zerorpc/exceptions",
    "zerorpc/link",
    "zerorpc/oneway",
    "zerorpc/server",
    "zerorpc/sockets",
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn nothing_is_left_out() {
        let python = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (folder, sources) in [("bridge", BRIDGE), ("zerorpc", PACKAGE)] {
            let files = fs::read_dir(python.join(folder)).expect("a folder");
            let paths = files.map(|file| file.expect("a file").path());
            let named = |path: &Path| path.strip_prefix(python).ok()?.to_str().map(str::to_owned);
            let there: BTreeSet<String> = paths
                .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
                .filter_map(|path| named(&path.with_extension("")))
                .collect();
            assert_eq!(there, sources.iter().map(|(name, _)| (*name).to_owned()).collect());
        }
    }
}
