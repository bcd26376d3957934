//! Where rules come from: a folder of keys, a file of rules, or the file of one key.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use zerorpc::MechanismName;

use super::{Entry, Rules, RulesError, Sign, reader::Reader};
use crate::{
    guarded::{Guarded, trusted_folder},
    key_file,
};

/// The path that names the rules, and the mechanism that they are for.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// `None`: whichever the rules are for.
    pub(crate) mechanism: Option<MechanismName>,
}

impl Source {
    /// Reads all of it; `files` gets what was read, whether or not it was good.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn read(&self, files: &mut Vec<PathBuf>) -> Result<Rules, RulesError> {
        files.push(self.path.clone());
        let path = self.path.as_path();
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if metadata.is_dir() {
            self.folder(files)
        } else if path.extension().is_some_and(|extension| extension == "key_secret") {
            let why = "holds a secret key, which is its owner's alone: name the .key file that belongs to it";
            Err(error(path, why.to_owned()))
        } else if path.extension().is_some_and(|extension| extension == "key") {
            let mut rules = Rules::default();
            self.key(path, &mut rules)?;
            Ok(rules)
        } else {
            let file = Guarded::read(path).map_err(|error| unreadable(path, &error))?;
            file.trusted().map_err(|why| error(path, why.to_string()))?;
            Reader { path, mechanism: self.mechanism, files }.read(&file)
        }
    }

    /// Each `NAME.key` is a peer of that name that may call everything.
    fn folder(&self, files: &mut Vec<PathBuf>) -> Result<Rules, RulesError> {
        let path = self.path.as_path();
        trusted_folder(path).map_err(|why| error(path, why.to_string()))?;
        let mut rules = Rules::default();
        let found = fs::read_dir(path).and_then(|entries| {
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()
        });
        let mut found = found.map_err(|error| unreadable(path, &error))?;
        found.retain(|path| path.extension().is_some_and(|extension| extension == "key"));
        found.sort();
        files.extend_from_slice(&found);
        for file in found {
            self.key(&file, &mut rules)?;
        }
        Ok(rules)
    }

    fn key(&self, path: &Path, rules: &mut Rules) -> Result<(), RulesError> {
        let key = key_file::read_public(path).map_err(|why| error(path, why.to_string()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let entry = Arc::new(Entry::named(&name));
        rules.enter(Sign::Key(key), &entry).map_err(|other| {
            error(path, format!("this is the same key as that of {:?}", other.name))
        })
    }
}

fn error(path: &Path, message: String) -> RulesError {
    RulesError { path: path.into(), line: None, message }
}

fn unreadable(path: &Path, why: &io::Error) -> RulesError {
    error(path, format!("cannot be read: {why}"))
}
