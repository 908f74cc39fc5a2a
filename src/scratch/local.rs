//! A server from local binaries: `initdb`, then `postgres` as a child of ours.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use super::home::Home;
use super::installation::Installation;
use super::{Engine, Options, SETTINGS, SUPERUSER, Server, process};
use crate::error::{Error, Kind, Result};

/// How often a port that we found free may turn out to be taken.
const PORT_ATTEMPTS: u32 = 10;

/// The longest path of a Unix socket, in bytes: 103 on macOS, 107 on Linux, less some air.
const SOCKET_PATH: usize = 100;

/// How long an immediate shutdown may take; the server itself kills what is left after five seconds.
const SHUTDOWN: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(5);

/// The running server process.
#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
    pub socket_dir: Option<PathBuf>,
    /// Ended, or handed away: nothing is left to stop.
    settled: bool,
}

/// Makes a cluster with `installation` and starts it.
pub(super) fn start(installation: &Installation, options: &Options) -> Result<Server> {
    if let Some(major) = options.major.filter(|major| *major != installation.major) {
        return Err(Error::new(
            Kind::Environment,
            format!("start PostgreSQL {major} from {}", installation.bin_dir.display()),
        )
        .because(format!("that folder holds {}", installation.version)));
    }
    let home = Home::create(process::account()?, None)?;
    check_reach(installation, &home)?;
    let password = process::random_password()?;
    initdb(installation, &home, &password)?;
    configure(&home, options)?;
    let (engine, port) = start_on_free_port(installation, &home, options, free_port)?;
    Ok(Server { engine: Engine::Local(engine), home, major: installation.major, port, password })
}

/// Fails if the account that the server runs as cannot run the binaries, as under /root.
fn check_reach(installation: &Installation, home: &Home) -> Result<()> {
    let Some(account) = &home.account else { return Ok(()) };
    let program = installation.bin_dir.join("postgres");
    let cause = match process::output(&program, &["--version"], Some(account)) {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(e) => e.to_string(),
    };
    Err(Error::new(Kind::Environment, format!("run {} as {}", program.display(), account.name))
        .because(cause)
        .help("as root, servers run as that account: move PostgreSQL to a folder that it may enter"))
}

fn initdb(installation: &Installation, home: &Home, password: &str) -> Result<()> {
    let password_file = home.write_secret("password", &format!("{password}\n"))?;
    // Code-point order as in C, but letters are letters, and LIKE needs its own operator class as in any other locale.
    let status = run_initdb(installation, home, &password_file, "C.UTF-8")?;
    let no_such_locale = || home.log_tail().contains("invalid locale");
    let status = match status.success() {
        false if no_such_locale() => run_initdb(installation, home, &password_file, "C")?,
        _ => status,
    };
    if !status.success() {
        return Err(Error::new(Kind::Environment, "make a PostgreSQL cluster")
            .because(home.told(format!("initdb {} ended with {status}", installation.version))));
    }
    let _ = std::fs::remove_file(password_file);
    Ok(())
}

fn run_initdb(
    installation: &Installation,
    home: &Home,
    password_file: &std::path::Path,
    locale: &str,
) -> Result<ExitStatus> {
    let arguments = [
        format!("--pgdata={}", home.data().display()),
        format!("--pwfile={}", password_file.display()),
        format!("--username={SUPERUSER}"),
        format!("--locale={locale}"),
        "--encoding=UTF8".to_owned(),
        "--auth-local=trust".to_owned(),
        "--auth-host=scram-sha-256".to_owned(),
        "--no-sync".to_owned(),
    ];
    // The default from 18 on; twins have pages that nobody computed a checksum for.
    let plain = (installation.major >= 18).then(|| "--no-data-checksums".to_owned());
    let arguments: Vec<String> = arguments.into_iter().chain(plain).collect();
    let mut child = home.spawn(&installation.bin_dir.join("initdb"), &arguments, &[])?;
    child.wait().map_err(|e| Error::new(Kind::Environment, "wait for initdb").because(e))
}

fn configure(home: &Home, options: &Options) -> Result<()> {
    let path = home.data().join("postgresql.conf");
    let mut lines = String::from("\n# pgproof\n");
    let ours = SETTINGS.iter().map(|(name, value)| (*name, *value));
    for (name, value) in
        ours.chain(options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    {
        let quoted = value.replace('\\', "\\\\").replace('\'', "''");
        lines.push_str(&format!("{name} = '{quoted}'\n"));
    }
    let append = || std::fs::OpenOptions::new().append(true).open(&path)?.write_all(lines.as_bytes());
    append().map_err(|e| Error::new(Kind::Environment, format!("write {}", path.display())).because(e))
}

/// Between our finding a port free and the server's taking it, another process may: then we try the next.
fn start_on_free_port(
    installation: &Installation,
    home: &Home,
    options: &Options,
    mut free_port: impl FnMut() -> Result<u16>,
) -> Result<(Postmaster, u16)> {
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        let socket_dir = Some(home.path().join("run"))
            .filter(|dir| dir.as_os_str().len() + format!("/.s.PGSQL.{port}").len() <= SOCKET_PATH);
        let arguments = [
            "-D".to_owned(),
            home.data().display().to_string(),
            "-p".to_owned(),
            port.to_string(),
            "-k".to_owned(),
            socket_dir.as_ref().map_or(String::new(), |dir| dir.display().to_string()),
        ];
        let child = home.spawn(&installation.bin_dir.join("postgres"), &arguments, &[])?;
        let mut postmaster = Postmaster { child, socket_dir, settled: false };
        match postmaster.wait_ready(home, options.start_within)? {
            None => return Ok((postmaster, port)),
            Some(_) if attempt < PORT_ATTEMPTS && port_was_taken(home) => attempt += 1,
            Some(status) => {
                return Err(Error::new(
                    Kind::Environment,
                    format!("start PostgreSQL {}", installation.version),
                )
                .because(home.told(format!("the server ended with {status}"))));
            }
        }
    }
}

fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| Error::new(Kind::Environment, "find a free port on 127.0.0.1").because(e))
}

fn port_was_taken(home: &Home) -> bool {
    let log = home.log_tail();
    log.contains("could not create any TCP/IP sockets") || log.contains("Address already in use")
}

impl Postmaster {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server says in its pid file that it is ready, as `pg_ctl --wait` does.
    /// Returns the exit status if it ended instead.
    fn wait_ready(&mut self, home: &Home, start_within: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + start_within;
        let pid_file = home.data().join("postmaster.pid");
        loop {
            let ended = self
                .child
                .try_wait()
                .map_err(|e| Error::new(Kind::Environment, "watch the server").because(e));
            if let Some(status) = ended? {
                self.settled = true;
                return Ok(Some(status));
            }
            let status = std::fs::read_to_string(&pid_file).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(None);
            }
            if Instant::now() >= deadline {
                let event = format!("the server was not ready within {} s", start_within.as_secs());
                return Err(Error::new(Kind::Environment, "start PostgreSQL").because(home.told(event)));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Stops the server at once and waits for its end.
    pub fn stop(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.settled, true) {
            return Ok(());
        }
        let failed = |e| Error::new(Kind::Environment, "stop the throwaway server").because(e);
        if self.child.try_wait().map_err(failed)?.is_some() {
            return Ok(());
        }
        process::signal_group(self.pid(), libc::SIGQUIT);
        let deadline = Instant::now() + SHUTDOWN;
        while self.child.try_wait().map_err(failed)?.is_none() {
            if Instant::now() >= deadline {
                process::signal_group(self.pid(), libc::SIGKILL);
                self.child.wait().map_err(failed)?;
                break;
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Leaves the server running when this value goes.
    pub fn forget(&mut self) {
        self.settled = true;
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        // An error has nobody to go to.
        let _ = self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::installations;

    #[test]
    fn a_port_that_was_taken_in_between_is_given_up_for_the_next() {
        let installation =
            installations().pop().expect("these tests need PostgreSQL: apt-get install postgresql");
        let home = Home::create(process::account().expect("an account"), None).expect("a directory");
        initdb(&installation, &home, "password").expect("initdb");
        configure(&home, &Options::default()).expect("configure");
        let holder = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let taken = holder.local_addr().expect("its address").port();
        let mut offers = vec![free_port().expect("a free port"), taken];
        let offer = || Ok(offers.pop().expect("an offer"));
        let (_postmaster, port) =
            start_on_free_port(&installation, &home, &Options::default(), offer).expect("start");
        assert_ne!(port, taken);
    }
}
