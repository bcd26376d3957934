//! What ends the worker's process group if this process cannot do it any more.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// It waits until this process closes the pipe, by its end if by nothing else. Then the worker (`$1`) is told to end, more
/// than once since its pipe may be closed a little later, it has three seconds for that (as in [`GRACE`](super::process::GRACE)), and its whole group is killed, whatever holds it.
const SCRIPT: &str = r#"
read _
for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -s TERM "$1" || break
    sleep 0.2
done
for _ in 1 2 3 4 5; do
    kill -s 0 "$1" || break
    kill -s TERM -- "-$1"
    sleep 0.2
done
kill -s KILL -- "-$1"
rm -rf -- "$2"
"#;

/// A shell that outlives this process, for a moment.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Guards the process group that `worker` leads, and the folder that it may have made.
    pub(super) fn start(worker: u32, folder: &Path) -> io::Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "zerorpc-guard", &worker.to_string()])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is sent to the group of this process is not for it.
            .process_group(0)
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Neither can fail for a child of ours that nobody has waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
