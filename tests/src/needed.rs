//! Programs that a test needs and a machine may lack.

use std::io::Write;

/// What was found or made, or `None` with a note on stderr where it cannot be had.
///
/// # Panics
///
/// Under `CI=true`, where a test that cannot be run is a failure.
pub fn available<T>(what: &str, prepared: Result<T, String>) -> Option<T> {
    match prepared {
        Ok(it) => Some(it),
        Err(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{what} is missing, and CI=true allows no skipping: {why}")
        }
        Err(why) => {
            skipped(what, &why);
            None
        }
    }
}

/// Notes that a test is skipped.
pub(crate) fn skipped(what: &str, why: &str) {
    // Not `eprintln!`, whose output the test runner hides when the test passes. A closed stderr leaves nobody to
    // tell.
    let _ = writeln!(std::io::stderr(), "SKIPPED, for want of {what}: {why}");
}
