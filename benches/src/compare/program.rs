//! Programs that can be run again and again.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

/// A program with what each run of it has in common.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    options: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
    folder: Option<PathBuf>,
}

impl Program {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), options: Vec::new(), variables: Vec::new(), folder: None }
    }

    /// With these words before all others.
    pub(crate) fn options<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.options.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// With a variable of the environment.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// In a folder.
    pub(crate) fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// A run of it under another program, such as a tracer, which gets these words first.
    pub(crate) fn under<W: AsRef<OsStr>>(
        &self,
        tracer: &str,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        let mut traced = Self::new(tracer).options(words).options([&self.path]);
        traced.options.extend(self.options.iter().cloned());
        Self { variables: self.variables.clone(), folder: self.folder.clone(), ..traced }
    }

    /// A run of it.
    pub(crate) fn command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.options).args(words);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}
