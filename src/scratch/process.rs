//! Processes of ours: as which account they run, how they are recorded, and whether they still live.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::error::{Error, Kind, Result};

/// The unprivileged account that servers run as when we are root, because `initdb` and `postgres` refuse to be root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub name: &'static str,
    pub uid: u32,
    pub gid: u32,
}

/// `None` when servers run as ourselves; as root `postgres` where that account exists, else `nobody`.
pub(super) fn account() -> Result<Option<Account>> {
    if own_uid() != 0 {
        return Ok(None);
    }
    let found = ["postgres", "nobody"].into_iter().find_map(|name| {
        let (uid, gid) = (id("-u", name)?, id("-g", name)?);
        (uid != 0).then_some(Account { name, uid, gid })
    });
    found.map(Some).ok_or_else(|| {
        Error::new(Kind::Environment, "find an account to run PostgreSQL as, which refuses to be root")
            .help("create one: useradd --system postgres; or run pgproof as an ordinary user")
    })
}

/// The effective user id of this process.
pub(super) fn own_uid() -> u32 {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Makes `command` run as `account`, with none of root's groups.
pub(super) fn become_account(command: &mut Command, account: Option<&Account>) {
    if let Some(account) = account {
        // As root, std drops the supplementary groups along with the user id.
        command.gid(account.gid).uid(account.uid).env("USER", account.name).env("LOGNAME", account.name);
        command.env("HOME", "/");
    }
}

/// Puts `command` in a session of its own, so that a terminal's Ctrl-C or hang-up is not for it.
pub(super) fn detach(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe functions may run; setsid is one, and allocates nothing.
    unsafe {
        command.pre_exec(|| match libc::setsid() {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
}

/// Starts `program`, detached; its pid is the content of `pid_file` before its first instruction, so that whoever
/// cleans up after us can always find it. Both output streams go to the end of `log`.
pub(super) fn spawn_recorded(
    program: &Path,
    arguments: &[String],
    directory: &Path,
    account: Option<&Account>,
    pid_file: File,
    log: File,
    environment: &[(&str, &str)],
) -> std::io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"echo $$; exec "$@" >&2"#, "pgproof"]).arg(program).args(arguments);
    command.current_dir(directory).envs(environment.iter().copied());
    // Messages in English, which we read; and no setting that was meant for a client of another server.
    command.env("LC_ALL", "C").env_remove("PGDATA").env_remove("PGPORT").env_remove("PGOPTIONS");
    command.stdin(Stdio::null()).stdout(pid_file).stderr(log);
    become_account(&mut command, account);
    detach(&mut command);
    command.spawn()
}

/// Runs a short command and returns what it printed, whatever its exit status.
pub(super) fn output(
    program: &Path,
    arguments: &[&str],
    account: Option<&Account>,
) -> std::io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).current_dir("/");
    become_account(&mut command, account);
    command.output()
}

/// Whether `pid` is alive and its command line names `directory`: then it is ours, and no reuse of the number.
pub(super) fn belongs(pid: u32, directory: &Path) -> bool {
    let mut needle = directory.as_os_str().as_encoded_bytes().to_vec();
    needle.push(b'/');
    let line = match std::fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) => line,
        Err(_) if Path::new("/proc/self").exists() => return false,
        Err(_) => match output(Path::new("ps"), &["-ww", "-o", "args=", "-p", &pid.to_string()], None) {
            Ok(output) => output.stdout,
            Err(_) => return false,
        },
    };
    line.windows(needle.len()).any(|window| window == needle)
}

/// Sends `signal` to the process group that `pid` leads.
pub(super) fn signal_group(pid: u32, signal: i32) {
    if let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 1) {
        // SAFETY: kill only takes numbers; a group that is gone is reported, and that is fine.
        unsafe { libc::kill(-pid, signal) };
    }
}

/// A password of 32 letters and digits from the system's random source.
pub(super) fn random_password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|e| Error::new(Kind::Environment, "read random bytes from /dev/urandom").because(e))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
