//! Makes a key, and writes it to files.

use std::{
    io::{self, Write as _},
    path::Path,
};

use crate::{
    exit::{CliError, Exit},
    key_file::{KeyFileError, KeyFiles},
    status,
};

/// Writes `NAME.key` and `NAME.key_secret`, and prints the public key.
///
/// # Errors
/// When one of the files exists or cannot be written.
pub(crate) fn run(name: &Path) -> Result<(), CliError> {
    if name.file_name().is_none() {
        return Err(CliError::new(Exit::Usage, "a name is missing: --keygen NAME"));
    }
    let files = KeyFiles::named(name);
    let public = files.generate()?;
    status::print(format_args!("wrote {:?}, for others", files.public));
    status::print(format_args!("wrote {:?}, for its owner alone", files.secret));
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{public}")?;
    stdout.flush()?;
    Ok(())
}

impl From<KeyFileError> for CliError {
    fn from(error: KeyFileError) -> Self {
        Self::failed(error.to_string())
    }
}
