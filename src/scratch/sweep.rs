//! Removing what an earlier run left behind, when it and its watchdog were killed together.

use std::fs::{DirEntry, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use super::home::{self, KEPT};
use super::{PREFIX, docker, process};

/// A directory without a readable record is being made right now, unless it is older than this.
const UNRECORDED_AGE: Duration = Duration::from_secs(600);

/// How long a server may take for an immediate shutdown before it is killed.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Sweeps once in the life of this process.
pub(super) fn once() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        sweep();
    });
}

/// Stops the servers and removes the directories of owners that are gone, and returns these directories.
///
/// Looks in the temporary folder and in /tmp, at directories of our own account whose name starts with
/// [`PREFIX`]; it follows no link. An owner is alive as long as the kernel holds its lock on the record,
/// so that no reused process id can stand in for it. A server that was kept counts as alive while it runs.
pub fn sweep() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = [std::env::temp_dir(), PathBuf::from("/tmp")]
        .iter()
        .filter_map(|folder| std::fs::canonicalize(folder).ok())
        .collect();
    folders.dedup();
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    entries.filter(is_ours).map(|entry| entry.path()).filter(|path| sweep_one(path)).collect()
}

fn is_ours(entry: &DirEntry) -> bool {
    // DirEntry::metadata does not follow a link.
    entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())
        && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == process::own_uid())
}

/// Removes `directory` if its owner is gone.
fn sweep_one(directory: &Path) -> bool {
    let Some((_lock, record)) = abandoned(directory) else { return false };
    let pid =
        std::fs::read_to_string(directory.join("server.pid")).ok().and_then(|it| it.trim().parse().ok());
    let server = pid.filter(|pid| process::belongs(*pid, directory));
    if let Some(pid) = server {
        if record.ends_with(KEPT) {
            return false;
        }
        process::signal_group(pid, libc::SIGQUIT);
        let deadline = Instant::now() + SHUTDOWN;
        while process::belongs(pid, directory) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        if process::belongs(pid, directory) {
            process::signal_group(pid, libc::SIGKILL);
        }
    }
    let container = record.lines().find_map(|line| line.strip_prefix("container "));
    if let Some(name) = container.filter(|name| name.starts_with(PREFIX)) {
        docker::remove(name);
    }
    std::fs::remove_dir_all(directory).is_ok()
}

/// The lock on the owner's record and what it says; `None` while the owner lives, or may still be starting.
fn abandoned(directory: &Path) -> Option<(Option<File>, String)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut file = options.open(directory.join("owner")).ok();
    let mut record = String::new();
    if let Some(file) = &mut file {
        // Read after the lock was taken: the owner writes its record while it holds the lock.
        home::lock(file).ok()?;
        file.read_to_string(&mut record).ok()?;
    }
    let age = || std::fs::symlink_metadata(directory).ok()?.modified().ok()?.elapsed().ok();
    (!record.is_empty() || age()? > UNRECORDED_AGE).then_some((file, record))
}
