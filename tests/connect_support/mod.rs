//! Throwaway servers, certificates and poolers for the connection tests; refuses to skip when a tool is missing.

// Tests start processes and write files; each test binary uses a part of this.
#![allow(clippy::disallowed_methods, dead_code)]

use pgproof::error::{Error, Result};
use pgproof::postgres::{ConnectOptions, Environment, Flags, Interrupt, Server};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The password of every role that has one: no message may show it.
pub const PASSWORD: &str = "hunter2secret";

/// A program found in PATH, in Debian's server folders or in /usr/sbin.
fn program(name: &str, package: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|majors| majors.flatten().map(|major| major.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.push("/usr/sbin".into());
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{name} is missing: install {package} (on Debian: apt-get install {package})")
    })
}

/// The user that servers run as when we are root, who may not run them.
fn server_user() -> Option<(u32, u32)> {
    // SAFETY: geteuid cannot fail; getpwnam returns null or a record that stays valid until its next call,
    // and the strings are constants.
    unsafe {
        if libc::geteuid() != 0 {
            return None;
        }
        [c"postgres", c"nobody"].iter().find_map(|name| {
            let entry = libc::getpwnam(name.as_ptr());
            (!entry.is_null()).then(|| ((*entry).pw_uid, (*entry).pw_gid))
        })
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn give(path: &Path) {
    if let Some((uid, gid)) = server_user() {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .expect("the folder is given to the server's user");
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A data folder made once per test process, copied for each server, and removed when the process ends.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(dir) = TEMPLATE.get() {
            let _ = fs::remove_dir_all(dir);
        }
    }
    TEMPLATE.get_or_init(|| {
        // SAFETY: `remove` is a plain function that touches nothing but the folder.
        unsafe { libc::atexit(remove) };
        let dir = tempfile::tempdir().expect("a folder").keep();
        give(&dir);
        run(command(&program("initdb", "postgresql"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(dir.join("data")));
        dir
    })
}

/// A server of its own, stopped and removed when dropped.
pub struct Postgres {
    dir: TempDir,
    pub port: u16,
}

impl Postgres {
    /// Starts a server with these lines of `pg_hba.conf` and of `postgresql.conf`.
    pub fn start(hba: &str, config: &str) -> Postgres {
        Self::start_as(hba, config, &[])
    }

    /// Starts a server; `markers` are empty files such as `standby.signal`.
    pub fn start_as(hba: &str, config: &str, markers: &[&str]) -> Postgres {
        let template = template().join("data");
        let dir = tempfile::tempdir().expect("a folder");
        give(dir.path());
        let data = dir.path().join("data");
        run(command(Path::new("/bin/cp")).arg("-a").arg(&template).arg(&data));
        let server = Postgres { port: free_port(), dir };
        let hba = format!("local all postgres trust\n{hba}\n");
        fs::write(data.join("pg_hba.conf"), hba).expect("written");
        let base = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nfsync = off\n\
             shared_buffers = 16MB\n{config}\n",
            server.port,
            server.socket_dir().display()
        );
        fs::write(data.join("postgresql.conf"), base).expect("written");
        for marker in markers {
            fs::write(data.join(marker), "").expect("written");
        }
        server.pg_ctl(&["-w", "-t", "60", "start"]);
        server
    }

    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// What the server wrote to its log.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).expect("the server has a log")
    }

    /// Runs pg_ctl on this server.
    pub fn pg_ctl(&self, arguments: &[&str]) {
        let data = self.dir.path().join("data");
        run(command(&program("pg_ctl", "postgresql"))
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(self.log())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null()));
    }

    /// A session of the superuser over the socket.
    pub async fn superuser(&self) -> Server {
        let text = format!("host={} port={} user=postgres", self.socket_dir().display(), self.port);
        connect(&text).await.expect("the superuser connects")
    }

    /// Runs SQL as the superuser.
    pub async fn sql(&self, sql: &str) {
        let server = self.superuser().await;
        server.session("").await.expect("a session").batch("set up", sql).await.expect(sql);
    }

    /// A connection string for TCP, without a password.
    pub fn tcp(&self, rest: &str) -> String {
        format!("host=127.0.0.1 port={} {rest}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.dir.path().join("data");
        let _ = command(&program("pg_ctl", "postgresql"))
            .arg("-D")
            .arg(data)
            .args(["-m", "immediate", "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Copies a key or certificate to the server's user, closed to others.
fn install(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::copy(from, to).expect("copied");
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).expect("closed");
    give(to);
}

/// Resolves a connection string with nothing around it, and connects.
pub async fn connect(text: &str) -> Result<Server> {
    connect_in(text, Environment::default()).await
}

/// Resolves a connection string in an environment, and connects with a pool of two.
pub async fn connect_in(text: &str, environment: Environment) -> Result<Server> {
    let environment = Environment { os_user: Some("postgres".to_owned()), ..environment };
    let flags = Flags { dbname: Some(text.to_owned()), ..Flags::default() };
    Server::connect(ConnectOptions::resolve(&flags, &environment)?, 2, Interrupt::new()).await
}

/// An environment with one variable.
pub fn variable(name: &str, value: &str) -> Environment {
    Environment { vars: [(name.to_owned(), value.to_owned())].into(), ..Environment::default() }
}

/// Everything an error says, as `cli` prints it; the password must not be in it, nor in its debug form.
pub fn words(error: &Error) -> String {
    let words = format!("{error}: {}; {}", error.causes().join(": "), error.advice().unwrap_or("no help"));
    assert!(!format!("{words}{error:?}").contains(PASSWORD), "the password is shown: {words}");
    words
}

/// The text of a connection that must fail.
pub async fn refused(text: &str) -> (Error, String) {
    match connect(text).await {
        Ok(_) => panic!("{text} connects"),
        Err(error) => {
            let words = words(&error);
            (error, words)
        }
    }
}

/// PgBouncer in transaction mode before a server.
pub struct PgBouncer {
    child: Child,
    _dir: TempDir,
    pub port: u16,
}

impl PgBouncer {
    pub fn before(server: &Postgres) -> PgBouncer {
        let binary = program("pgbouncer", "pgbouncer");
        let dir = tempfile::tempdir().expect("a folder");
        give(dir.path());
        let port = free_port();
        let users = dir.path().join("users");
        fs::write(&users, "\"postgres\" \"\"\n").expect("written");
        let ini = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 1\n",
            server.socket_dir().display(),
            server.port,
            users.display()
        );
        fs::write(&ini, text).expect("written");
        let child = command(&binary)
            .arg("-q")
            .arg(&ini)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        PgBouncer { child, _dir: dir, port }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Certificates made with the openssl program.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// An authority (`ca.crt`), and an `other.crt` that signed nothing.
    pub fn new() -> Certificates {
        let made = Certificates { dir: tempfile::tempdir().expect("a folder") };
        for name in ["ca", "other"] {
            let subject = format!("/CN=pgproof test {name}");
            made.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout {name}.key -out {name}.crt"
            ), &["-subj", &subject]);
        }
        made
    }

    /// A certificate `name.crt` for `common`, signed by the authority; without `extensions` it is version 1.
    pub fn issue(&self, name: &str, common: &str, extensions: &str) {
        let subject = format!("/CN={common}");
        self.openssl(
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr"
            ),
            &["-subj", &subject],
        );
        let mut sign = format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -set_serial 7 -days 2 -out {name}.crt"
        );
        if !extensions.is_empty() {
            fs::write(self.path(&format!("{name}.ext")), extensions).expect("written");
            sign.push_str(&format!(" -extfile {name}.ext"));
        }
        self.openssl(&sign, &[]);
    }

    /// The manual's own recipe: a certificate that signs itself, marked as an authority.
    pub fn self_signed(&self, name: &str, common: &str) {
        let subject = format!("/CN={common}");
        let names = format!("subjectAltName=DNS:{common},IP:127.0.0.1");
        self.openssl(
            &format!("req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {name}.key -out {name}.crt"),
            &["-subj", &subject, "-addext", &names],
        );
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A certificate as openssl prints it.
    pub fn text(&self, name: &str) -> String {
        let output = Command::new(program("openssl", "openssl"))
            .args(["x509", "-noout", "-text", "-in"])
            .arg(self.path(name))
            .output()
            .expect("openssl starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn openssl(&self, arguments: &str, more: &[&str]) {
        let mut openssl = Command::new(program("openssl", "openssl"));
        run(openssl.current_dir(self.dir.path()).args(arguments.split(' ')).args(more));
    }

    /// A server that shows `name.crt`.
    pub fn server(&self, name: &str, hba: &str, config: &str) -> Postgres {
        // The files must be there before the server starts, so they are named by their place here.
        let (cert, key) =
            (self.path(&format!("{name}.served.crt")), self.path(&format!("{name}.served.key")));
        install(&self.path(&format!("{name}.crt")), &cert);
        install(&self.path(&format!("{name}.key")), &key);
        fs::set_permissions(self.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("open");
        let config = format!(
            "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n{config}",
            cert.display(),
            key.display()
        );
        Postgres::start(hba, &config)
    }
}
