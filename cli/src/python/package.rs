//! The package `zerorpc` that served code finds where the one from PyPI is not installed (`cli/python/zerorpc`).

use std::{fs, io, path::Path};

/// Its files, by name.
const FILES: [(&str, &str); 9] = [
    ("__init__.py", include_str!("../../python/zerorpc/__init__.py")),
    ("client.py", include_str!("../../python/zerorpc/client.py")),
    ("context.py", include_str!("../../python/zerorpc/context.py")),
    ("decorators.py", include_str!("../../python/zerorpc/decorators.py")),
    ("exceptions.py", include_str!("../../python/zerorpc/exceptions.py")),
    ("link.py", include_str!("../../python/zerorpc/link.py")),
    ("oneway.py", include_str!("../../python/zerorpc/oneway.py")),
    ("server.py", include_str!("../../python/zerorpc/server.py")),
    ("sockets.py", include_str!("../../python/zerorpc/sockets.py")),
];

/// Writes the package into a folder, which is to be the last one on `sys.path`.
pub(super) fn unpack(folder: &Path) -> io::Result<()> {
    let package = folder.join("zerorpc");
    fs::create_dir_all(&package)?;
    FILES.iter().try_for_each(|(name, source)| fs::write(package.join(name), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_unpacked() {
        let folder = tempfile::tempdir().expect("a folder");
        unpack(folder.path()).expect("it is written");
        let names = |folder: &Path| {
            let mut names: Vec<_> = fs::read_dir(folder)
                .expect("a folder")
                .map(|entry| entry.expect("a file").file_name())
                .filter(|name| name != "__pycache__")
                .collect();
            names.sort();
            names
        };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/zerorpc");
        assert_eq!(names(&folder.path().join("zerorpc")), names(&source));
    }
}
