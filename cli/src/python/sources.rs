//! What runs in the child: the sources beside `src/`.

/// Runs first.
pub(super) const LOADER: &str = include_str!("../../python/loader.py");

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../python/", $name, ".py")))),*]
    };
}

/// The modules of the bridge.
pub(super) const BRIDGE: &[(&str, &str)] = sources![
    "bridge/aio",
    "bridge/calls",
    "bridge/codec",
    "bridge/decorators",
    "bridge/ending",
    "bridge/failures",
    "bridge/green",
    "bridge/introspect",
    "bridge/link",
    "bridge/resolve",
    "bridge/serial",
    "bridge/signals",
    "bridge/threads",
    "bridge/timestamps",
    "bridge/values",
    "bridge/wire",
    "bridge/worker",
];

/// The package `zerorpc`, for modules that import it where it is not installed.
pub(super) const PACKAGE: &[(&str, &str)] = sources!["zerorpc/__init__"];
