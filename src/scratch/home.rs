//! The one directory of a throwaway server, with the lock that says its owner is alive.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::PREFIX;
use super::process::{self, Account};
use super::watchdog::Watchdog;
use crate::error::{Error, Kind, Result};

/// How many lines of a log an error quotes.
const LOG_LINES: usize = 12;

/// The last line of the owner's record once the server was handed away.
pub(super) const KEPT: &str = "kept\n";

/// A directory of ours:
/// `owner` (locked while we live; our pid for people), `server.pid`, `log`, `data/`, `run/` for the socket.
/// As root the directory itself stays root's, so that the server's account cannot forge the records in it.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    owner: File,
    watchdog: Option<Watchdog>,
    pub account: Option<Account>,
}

impl Home {
    /// Makes the directory in `TMPDIR` (in /tmp where the server's account cannot enter that), with its watchdog.
    /// `container` is the name of the container to remove with it.
    pub fn create(account: Option<Account>, container: Option<&str>) -> Result<Home> {
        let wanted = std::env::temp_dir();
        match Home::create_in(&wanted, account.clone(), container) {
            Ok(home) => Ok(home),
            Err(e) if account.is_none() || wanted == Path::new("/tmp") => Err(failed(&wanted, e)),
            Err(e) => {
                let fallback = Path::new("/tmp");
                Home::create_in(fallback, account, container).map_err(|_| failed(&wanted, e))
            }
        }
    }

    fn create_in(parent: &Path, account: Option<Account>, container: Option<&str>) -> io::Result<Home> {
        let parent = std::fs::canonicalize(parent)?;
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(8)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let path = directory.path();
        let owner = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join("owner"))?;
        lock(&owner)?;
        // Written under the lock: a record that can be read and is not locked has lost its owner.
        (&owner).write_all(record(container).as_bytes())?;
        for name in ["data", "run"] {
            DirBuilder::new().mode(0o700).create(path.join(name))?;
        }
        if let Some(account) = &account {
            chown(path, None, Some(account.gid))?;
            std::fs::set_permissions(path, Permissions::from_mode(0o710))?;
            for name in ["data", "run"] {
                chown(path.join(name), Some(account.uid), Some(account.gid))?;
            }
            let data = path.join("data");
            let reach = ["-c", r#"cd "$0""#, &data.to_string_lossy()];
            if !process::output(Path::new("/bin/sh"), &reach, Some(account))?.status.success() {
                return Err(io::Error::other(format!("the account {} cannot enter it", account.name)));
            }
        }
        let watchdog = Watchdog::start(path, container)?;
        let path = directory.keep();
        Ok(Home { path, owner, watchdog: Some(watchdog), account })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Writes a small file that only the server's account may read.
    pub fn write_secret(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(content.as_bytes())?;
            self.account.as_ref().map_or(Ok(()), |it| chown(&path, Some(it.uid), Some(it.gid)))
        };
        write().map_err(|e| failed(&path, e))?;
        Ok(path)
    }

    /// Starts a detached process of the server's account in the data directory, recorded for whoever cleans up.
    pub fn spawn(
        &self,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
    ) -> Result<std::process::Child> {
        let start = || {
            let pid_file = File::create(self.path.join("server.pid"))?;
            let log = OpenOptions::new().append(true).create(true).mode(0o600).open(self.log())?;
            let account = self.account.as_ref();
            process::spawn_recorded(program, arguments, &self.data(), account, pid_file, log, environment)
        };
        start().map_err(|e| Error::new(Kind::Environment, format!("run {}", program.display())).because(e))
    }

    /// The last lines of the log, each after two spaces.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| format!("\n  {line}")).collect()
    }

    /// What happened, and the last lines of the log below it.
    pub fn told(&self, event: impl std::fmt::Display) -> String {
        match self.log_tail() {
            tail if tail.is_empty() => format!("{event}; its log is empty"),
            tail => format!("{event}; its log ends with:{tail}"),
        }
    }

    /// Removes the directory and lets the watchdog go. What runs in it must have ended.
    pub fn remove(&mut self) -> Result<()> {
        let Some(watchdog) = self.watchdog.take() else { return Ok(()) };
        match std::fs::remove_dir_all(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                // The watchdog is dropped without a word, and so tries again.
                Err(Error::new(Kind::Environment, format!("remove {}", self.path.display())).because(e))
            }
            _ => {
                watchdog.release();
                Ok(())
            }
        }
    }

    /// Leaves the directory to whoever stops the server; the watchdog removes it once that has happened.
    pub fn keep(&mut self) -> Result<()> {
        self.owner.write_all(KEPT.as_bytes()).map_err(|e| failed(&self.path, e))?;
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.keep();
        }
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // An error has nobody to go to; the watchdog then does it.
        let _ = self.remove();
    }
}

/// The owner's record: our pid, and the container that goes with the directory.
fn record(container: Option<&str>) -> String {
    let mut text = format!("owner {}\n", std::process::id());
    if let Some(name) = container {
        text.push_str(&format!("container {name}\n"));
    }
    text
}

/// Takes the lock that lives as long as this process has `file` open; an error when another process holds it.
pub(super) fn lock(file: &File) -> io::Result<()> {
    // SAFETY: flock takes a descriptor that is open for as long as `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn failed(path: &Path, e: io::Error) -> Error {
    Error::new(Kind::Environment, format!("make a throwaway server's directory in {}", path.display()))
        .because(e)
        .help("set TMPDIR to a folder with free space that every account may enter")
}
