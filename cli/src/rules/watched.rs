//! Rules that follow their files.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use zerorpc::{AuthRequest, Authenticator, Authorizer, Denied, Principal};

use super::{Rules, RulesError, Source};

/// How old what is known of the files may be when a peer comes in: who was just added is let in, and a flood of peers has
/// the files looked at a hundred times in a second. Not measured: a bound.
const FRESH_FOR_PEERS: Duration = Duration::from_millis(10);
/// How old it may be when one calls. Not measured: calls are many, and a second is
/// soon for whoever changes a file.
const FRESH_FOR_CALLS: Duration = Duration::from_secs(1);

/// A file that was changed so shortly before it was read may have changed once more without a trace: the coarsest times of
/// files that are in use, those of FAT, are two seconds apart.
const SETTLED: Duration = Duration::from_secs(2);

/// The rules in force. They change with their files; while those are broken, they stay as they were.
pub(crate) struct Watched {
    rules: RwLock<Arc<Rules>>,
    files: Option<Files>,
}

struct Files {
    source: Source,
    began: Instant,
    /// When they were looked at last, in milliseconds since `began`.
    looked: AtomicU64,
    read: Mutex<Read>,
}

/// What was read last.
struct Read {
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    at: SystemTime,
    /// What was wrong with it.
    error: Option<RulesError>,
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    len: u64,
    inode: u64,
    /// Files may be made unsafe, or safe.
    mode: u32,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok()?,
            len: metadata.len(),
            inode: metadata.ino(),
            mode: metadata.mode(),
        })
    }
}

impl Watched {
    /// Rules that stay as they are.
    pub(crate) fn fixed(rules: Rules) -> Self {
        Self { rules: RwLock::new(Arc::new(rules)), files: None }
    }

    /// The rules of some files, as long as those are good.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn new(mut source: Source) -> Result<Self, RulesError> {
        let (rules, read) = Read::of(&source);
        let rules = rules?;
        // What a socket speaks is settled when it is made.
        source.mechanism = source.mechanism.or(rules.mechanism());
        let files = Files {
            source,
            began: Instant::now(),
            looked: AtomicU64::new(0),
            read: Mutex::new(read),
        };
        Ok(Self { rules: RwLock::new(Arc::new(rules)), files: Some(files) })
    }

    /// Those in force at the moment.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
    /// Looks whether files have changed, unless that is known well enough, or somebody does so just now.
    fn look(&self, fresh: Duration) {
        let Some(files) = &self.files else { return };
        let now = u64::try_from(files.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = files.looked.load(Ordering::Relaxed);
        let known = now.saturating_sub(looked) < fresh.as_millis() as u64;
        let mine = || {
            files.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if !known && mine() {
            self.follow(files);
        }
    }

    fn follow(&self, files: &Files) {
        let mut read = files.read.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = read.has_changed();
        if !changed && read.is_settled() {
            return;
        }
        let (rules, now) = Read::of(&files.source);
        match (rules, &now.error) {
            (Ok(rules), _) => {
                *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                if changed {
                    tracing::info!("new rules of {:?} are in force", files.source.path);
                }
            }
            (Err(error), _) if read.error.as_ref() != Some(&error) => {
                tracing::error!("{error}; the rules that were in force stay so");
            }
            (Err(_), _) => {}
        }
        *read = now;
    }
}

impl Read {
    fn of(source: &Source) -> (Result<Rules, RulesError>, Self) {
        let at = SystemTime::now();
        let mut paths = Vec::new();
        // What changes while it is read is read again: its time is too close to this one.
        let rules = source.read(&mut paths);
        let stamps = paths.into_iter().map(|path| (path.clone(), Stamp::of(&path))).collect();
        let error = rules.as_ref().err().cloned();
        (rules, Self { stamps, at, error })
    }

    fn has_changed(&self) -> bool {
        self.stamps.iter().any(|(path, stamp)| Stamp::of(path) != *stamp)
    }

    fn is_settled(&self) -> bool {
        let settled =
            |stamp: &Stamp| self.at.duration_since(stamp.modified).is_ok_and(|age| age > SETTLED);
        self.stamps.iter().filter_map(|(_, stamp)| stamp.as_ref()).all(settled)
    }
}

impl Authenticator for Watched {
    fn authenticate(&self, request: &AuthRequest<'_>) -> Result<String, Denied> {
        self.look(FRESH_FOR_PEERS);
        self.rules().admit(request).map(|entry| entry.name.to_string())
    }
}

impl Authorizer for Watched {
    fn may_call(&self, principal: &Principal, method: &str) -> bool {
        self.look(FRESH_FOR_CALLS);
        self.rules().entry(principal).is_some_and(|entry| entry.may_call(method))
    }
}

#[cfg(test)]
mod tests;
