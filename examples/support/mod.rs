//! What programs need beside their loops.

use std::env;

/// The address that the program is given, with or without its scheme.
pub(crate) fn address(default: &str) -> String {
    let given = env::args().nth(1).unwrap_or_else(|| default.to_owned());
    given.trim_start_matches("tcp://").to_owned()
}

/// Random bits: ids of messages must not repeat among the sockets that meet.
pub(crate) fn seed() -> Result<u128, getrandom::Error> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed)?;
    Ok(u128::from_ne_bytes(seed))
}
