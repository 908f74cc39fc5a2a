//! Throwaway PostgreSQL servers: from local binaries, else through the docker client.
//!
//! Refuses to touch a server it did not start.
//!
//! A server lives in one directory whose name starts with [`PREFIX`]. Three things remove both: `Drop` on every
//! ordinary path; a watchdog process that reads a pipe of ours, when we vanish (`kill -9` included); and
//! [`sweep`], run once by the next process that starts a server, when the watchdog vanished as well.
#![allow(clippy::disallowed_methods)] // An edge: starting processes, and waiting for them, is what this module is for.

mod docker;
mod home;
mod installation;
mod local;
mod process;
mod sweep;
mod watchdog;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use home::Home;

pub use installation::{Installation, installations};
pub use sweep::sweep;

/// What the name of every directory and container of ours starts with.
pub const PREFIX: &str = "pgproof-scratch-";

/// The image that [`Source::Auto`] falls back to when no major is asked for.
pub const DEFAULT_IMAGE: &str = "postgres:18";

/// The superuser of every throwaway server.
const SUPERUSER: &str = "postgres";

/// Where the server program comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// The newest installation found on this machine, else [`DEFAULT_IMAGE`] where Docker answers.
    #[default]
    Auto,
    /// The folder that holds `initdb` and `postgres`.
    BinDir(PathBuf),
    /// An image, run through the `docker` client.
    Docker(String),
}

impl FromStr for Source {
    type Err = Error;

    /// Reads `BIN_DIR`, `docker:IMAGE` or `auto`. Fails with [`Kind::Usage`] where the folder or image is empty.
    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix("docker:") {
            Some(image) if !image.is_empty() => Ok(Source::Docker(image.to_owned())),
            None if text == "auto" => Ok(Source::Auto),
            None if !text.is_empty() => Ok(Source::BinDir(PathBuf::from(text))),
            _ => Err(Error::new(Kind::Usage, format!("read \"{text}\" as a source of PostgreSQL")).help(
                "write a folder that holds initdb and postgres, or docker:IMAGE such as docker:postgres:18",
            )),
        }
    }
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server program comes from.
    pub source: Source,
    /// The major version to start; `None` takes the newest, or whatever `source` names.
    pub major: Option<u32>,
    /// Settings as in `postgresql.conf`, without quotes; a later one wins, and all win over our own.
    pub settings: Vec<(String, String)>,
    /// How long the server may take to accept connections, `initdb` or `docker run` not counted.
    pub start_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            source: Source::Auto,
            major: None,
            settings: Vec::new(),
            start_within: Duration::from_secs(60),
        }
    }
}

/// Settings of ours: this server may lose its data, must not be reachable from outside, and is the same everywhere.
const SETTINGS: [(&str, &str); 6] = [
    ("listen_addresses", "127.0.0.1"),
    ("fsync", "off"),
    ("shared_buffers", "128MB"),
    ("max_connections", "100"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

/// A running throwaway server; dropping it stops it and removes everything it wrote.
#[derive(Debug)]
pub struct Server {
    // Declared first and so dropped first: the processes end before their directory goes.
    engine: Engine,
    home: Home,
    major: u32,
    port: u16,
    password: String,
}

#[derive(Debug)]
enum Engine {
    Local(local::Postmaster),
    Docker(docker::Container),
}

/// A server that outlives this process, as [`Server::keep`] leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// A shell command that stops the server; its directory goes with it.
    pub stop_command: String,
    /// The directory that holds the server's files; `None` for a container, which holds its own.
    pub directory: Option<PathBuf>,
}

impl Server {
    /// Starts a server and waits until it accepts connections.
    ///
    /// Fails with [`Kind::Environment`] where no PostgreSQL can be found (the help says what to install) or it does
    /// not start (the cause ends with the last lines of its log), with [`Kind::Config`] for a setting that is not one.
    pub fn start(options: &Options) -> Result<Server> {
        sweep::once();
        for (name, value) in &options.settings {
            check_setting(name, value)?;
        }
        match &options.source {
            Source::BinDir(dir) => local::start(&Installation::at(dir)?, options),
            Source::Docker(image) => docker::start(image, options),
            Source::Auto => {
                let found = installations();
                let wanted = |it: &&Installation| options.major.is_none_or(|major| major == it.major);
                if let Some(installation) = found.iter().rfind(wanted) {
                    return local::start(installation, options);
                }
                if docker::answers() {
                    let image =
                        options.major.map_or(DEFAULT_IMAGE.to_owned(), |major| format!("postgres:{major}"));
                    return docker::start(&image, options);
                }
                Err(installation::none_found(options.major, &found))
            }
        }
    }

    /// A connection URL for `dbname` as superuser: through the Unix socket where there is one, else [`Self::tcp_url`].
    pub fn url(&self, dbname: &str) -> String {
        match self.socket_dir() {
            Some(dir) => format!(
                "postgresql:///{}?host={}&port={}&user={SUPERUSER}",
                percent_encoded(dbname),
                percent_encoded(&dir.to_string_lossy()),
                self.port
            ),
            None => self.tcp_url(dbname),
        }
    }

    /// A connection URL for `dbname` as superuser over loopback TCP. It holds the password: other users of this
    /// machine can reach the port, and a superuser may run programs as the server's account.
    pub fn tcp_url(&self, dbname: &str) -> String {
        let (port, password) = (self.port, &self.password);
        format!("postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{}", percent_encoded(dbname))
    }

    /// The server's major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The TCP port on 127.0.0.1, which also names the Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name.
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// The superuser's password over TCP; the Unix socket asks for none. Letters and digits only.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The folder of the Unix socket; `None` in a container, or where its path would be too long for one.
    pub fn socket_dir(&self) -> Option<&Path> {
        match &self.engine {
            Engine::Local(postmaster) => postmaster.socket_dir.as_deref(),
            Engine::Docker(_) => None,
        }
    }

    /// The data directory; `None` in a container.
    pub fn data_dir(&self) -> Option<PathBuf> {
        matches!(self.engine, Engine::Local(_)).then(|| self.home.data())
    }

    /// The server's log, and that of what started it. For a container the latter only: `docker logs` has the rest.
    pub fn log_path(&self) -> PathBuf {
        self.home.log()
    }

    /// The directory that holds everything of this server, which is gone once it is stopped.
    pub fn directory(&self) -> &Path {
        self.home.path()
    }

    /// The process id of a local server's postmaster; `None` in a container.
    pub fn pid(&self) -> Option<u32> {
        match &self.engine {
            Engine::Local(postmaster) => Some(postmaster.pid()),
            Engine::Docker(_) => None,
        }
    }

    /// Stops the server at once and removes its directory; unlike dropping, says what went wrong.
    pub fn stop(mut self) -> Result<()> {
        self.engine.stop()?;
        self.home.remove()
    }

    /// Hands ownership away: the server keeps running after we exit, until the returned command is run.
    pub fn keep(mut self) -> Result<Kept> {
        match &mut self.engine {
            Engine::Local(postmaster) => {
                self.home.keep()?;
                let stop_command = format!("kill -INT {}", postmaster.pid());
                postmaster.forget();
                Ok(Kept { stop_command, directory: Some(self.home.path().to_owned()) })
            }
            Engine::Docker(container) => {
                // Nothing of the server is in our directory, so that goes now.
                self.home.remove()?;
                container.forget();
                Ok(Kept { stop_command: docker::removal(&container.name), directory: None })
            }
        }
    }
}

impl Engine {
    fn stop(&mut self) -> Result<()> {
        match self {
            Engine::Local(postmaster) => postmaster.stop(),
            Engine::Docker(container) => container.stop(),
        }
    }
}

/// Refuses what would read as something else in `postgresql.conf` or on a command line.
fn check_setting(name: &str, value: &str) -> Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if starts_well && word && !value.contains(['\n', '\r', '\0']) {
        return Ok(());
    }
    Err(Error::new(Kind::Config, format!("use \"{name}\" = \"{value}\" as a server setting"))
        .help("a setting is a name of letters, digits, dots and underscores, and a value on one line"))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
