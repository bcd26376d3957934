//! What is said when a module takes long to be imported.

use std::time::{Duration, Instant};

use super::process::Process;

/// When it is told, from the beginning of the import. Not measured: the first time, longer than most modules take, and sooner
/// than somebody gives up who waits for the server.
const TIMES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(60)];

/// From then on, it is told so often.
const LATER: Duration = Duration::from_secs(600);

/// So long has the child to write where it is. Not measured: it does so at once, if the system lets it run.
const PATIENCE: Duration = Duration::from_millis(200);

/// Says seldom that a module is still being imported, and where that stands.
#[derive(Debug)]
pub(super) struct SlowImport {
    began: Instant,
    /// How often it was told.
    told: u32,
    /// When the child was asked where it is, if it was.
    asked: Option<Instant>,
}

impl SlowImport {
    /// The import begins.
    pub(super) fn begin(now: Instant) -> Self {
        Self { began: now, told: 0, asked: None }
    }

    /// When to [look](Self::look) next.
    pub(super) fn due(&self) -> Instant {
        let later = self.told.saturating_sub(TIMES.len() as u32);
        let next = || match TIMES.get(self.told as usize) {
            Some(time) => *time,
            None => TIMES[TIMES.len() - 1] + LATER * (later + 1),
        };
        self.asked.map_or_else(|| self.began + next(), |asked| asked + PATIENCE)
    }

    /// What is to be said now, if anything is. Asks the child where it is first.
    pub(super) fn look(&mut self, now: Instant, target: &str, child: &Process) -> Option<String> {
        if now < self.due() {
            return None;
        }
        if self.asked.is_none() {
            child.ask_where();
            self.asked = Some(now);
            return None;
        }
        self.asked = None;
        self.told += 1;
        let place = match place(&child.told_where()) {
            place if place.is_empty() => "; where it stands is not known".to_owned(),
            place => format!("; it stands here (most recent call last):\n{place}"),
        };
        let seconds = now.duration_since(self.began).as_secs();
        Some(format!(
            "{target:?} is still being imported after {seconds} s, and no call is answered before that is done{place}"
        ))
    }
}

/// What the child's faulthandler has written of its main thread, without what imports the module: lines as in a traceback.
fn place(dump: &str) -> String {
    const IMPORTING: [&str; 4] =
        ["<frozen importlib", "<zerorpc>", "<string>", "/importlib/__init__.py"];
    let is_part = |line: &&str| {
        line.starts_with("  File ") && !IMPORTING.iter().any(|part| line.contains(part))
    };
    let mut lines: Vec<_> = dump.lines().filter(is_part).collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_seldom() {
        let mut import = SlowImport::begin(Instant::now());
        let mut times = Vec::new();
        for told in 0..6 {
            import.told = told;
            times.push((import.due() - import.began).as_secs());
        }
        assert_eq!(times, [5, 10, 60, 660, 1260, 1860]);
        import.asked = Some(import.began + TIMES[0]);
        assert_eq!(import.due(), import.began + TIMES[0] + PATIENCE);
    }

    #[test]
    fn the_place_is_what_the_module_has_called() {
        let dump = r#"Current thread 0x00007f5c4e2b8040 (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 833 in create_connection
  File "/srv/shop/database.py", line 12 in <module>
  File "<frozen importlib._bootstrap>", line 241 in _call_with_frames_removed
  File "<frozen importlib._bootstrap_external>", line 940 in exec_module
  File "/srv/shop/orders.py", line 3 in <module>
  File "<frozen importlib._bootstrap>", line 1204 in _gcd_import
  File "/usr/lib/python3.11/importlib/__init__.py", line 126 in import_module
  File "<zerorpc>/resolve.py", line 88 in _import
  File "<zerorpc>/worker.py", line 16 in main
  File "<string>", line 113 in start
"#;
        let expected = r#"  File "/srv/shop/orders.py", line 3 in <module>
  File "/srv/shop/database.py", line 12 in <module>
  File "/usr/lib/python3.11/socket.py", line 833 in create_connection"#;
        assert_eq!(place(dump), expected);
        assert_eq!(place(""), "");
    }
}
