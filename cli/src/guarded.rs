//! Files whose permissions matter: those with secrets, which nobody else may read, and those that grant rights, which
//! nobody else may change.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Longer files are none of ours. Not measured: a bound, far more than any key, password or set of rules takes.
const MAX_LEN: u64 = 16 << 20;

/// What a file says, and who else can get at it. Wiped when it is dropped.
pub(crate) struct Guarded {
    path: PathBuf,
    pub(crate) text: Zeroizing<String>,
    metadata: Metadata,
}

/// Who else can get at a file, and how to keep them out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unguarded {
    path: PathBuf,
    mode: u32,
    can: &'static str,
    chmod: &'static str,
}

impl fmt::Display for Unguarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, mode, can, chmod } = self;
        write!(f, "others can {can} it (its mode is {mode:o}): run `chmod {chmod} {path:?}`")
    }
}

impl Guarded {
    /// Reads it; the permissions are those of the file that was read.
    ///
    /// # Errors
    /// When it cannot be read, or is no text.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let len = metadata.len().min(MAX_LEN);
        // Room for all of it: what grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(len as usize + 1));
        (&file).take(MAX_LEN + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_LEN {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
        }
        let text = str::from_utf8(&bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
        let text = Zeroizing::new(text.to_owned());
        Ok(Self { path: path.into(), text, metadata })
    }

    /// Makes sure that nobody else can read it. Where root owns it, a group may, which root has chosen for that.
    ///
    /// # Errors
    /// Who can.
    pub(crate) fn secret(&self) -> Result<(), Unguarded> {
        let others = if self.metadata.uid() == 0 { 0o027 } else { 0o077 };
        self.closed(others, "read", "600")
    }

    /// Makes sure that not everybody can write to it.
    ///
    /// # Errors
    /// If they can.
    pub(crate) fn trusted(&self) -> Result<(), Unguarded> {
        self.closed(0o002, "change", "o-w")
    }

    fn closed(&self, others: u32, can: &'static str, chmod: &'static str) -> Result<(), Unguarded> {
        closed(&self.path, &self.metadata, others, can, chmod)
    }
}

/// Makes sure that not everybody can put files into a folder.
///
/// # Errors
/// If they can, or it cannot be looked at.
pub(crate) fn trusted_folder(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    closed(path, &metadata, 0o002, "change", "o-w").map_err(io::Error::other)
}

impl std::error::Error for Unguarded {}

fn closed(
    path: &Path,
    metadata: &Metadata,
    others: u32,
    can: &'static str,
    chmod: &'static str,
) -> Result<(), Unguarded> {
    let mode = metadata.mode() & 0o7777;
    match mode & others {
        0 => Ok(()),
        _ => Err(Unguarded { path: path.into(), mode, can, chmod }),
    }
}
