//! What surrounds the process, as a value: variables, home, user name, socket folders.
//!
//! Refuses to look twice: it is read once at the edge, and tests build their own.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::PathBuf;

/// The surroundings that decide where a connection goes.
#[derive(Clone, Default)]
pub struct Environment {
    /// Environment variables whose name and value are valid UTF-8.
    pub vars: BTreeMap<String, String>,
    /// The home folder: `HOME`, else the one in the user database.
    pub home: Option<PathBuf>,
    /// The name of the operating system's user: PostgreSQL's default role.
    pub os_user: Option<String>,
    /// Folders where a local server's Unix socket may be, best first.
    pub socket_dirs: Vec<PathBuf>,
    /// Folders that may hold a system-wide `pg_service.conf` when `PGSYSCONFDIR` is not set.
    pub service_dirs: Vec<PathBuf>,
}

impl Environment {
    /// Reads the surroundings of this process.
    pub fn of_process() -> Self {
        let vars: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let (os_user, home) = user_database_entry();
        let home = vars.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from).or(home);
        Environment {
            vars,
            home,
            os_user,
            socket_dirs: ["/var/run/postgresql", "/tmp"].map(PathBuf::from).to_vec(),
            service_dirs: ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc"]
                .map(PathBuf::from)
                .to_vec(),
        }
    }

    /// The value of a variable; `None` when it is absent or empty, as libpq's tools treat both alike.
    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The name and home folder of the effective user, or `None` where the user database does not know it.
fn user_database_entry() -> (Option<String>, Option<PathBuf>) {
    let mut buffer = vec![0 as libc::c_char; 16 * 1024];
    // SAFETY: an all-zero `passwd` is a valid value (null pointers and zeros), and it is only read after
    // getpwuid_r filled it; `buffer` outlives every pointer that getpwuid_r stores into it.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        let status =
            libc::getpwuid_r(libc::geteuid(), &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found);
        if status != 0 || found.is_null() {
            return (None, None);
        }
        let text = |pointer: *mut libc::c_char| {
            (!pointer.is_null()).then(|| CStr::from_ptr(pointer).to_str().ok().map(str::to_owned)).flatten()
        };
        (text(entry.pw_name), text(entry.pw_dir).map(PathBuf::from))
    }
}
