//! Real servers for tests: one per major and set of settings in each test binary, one fresh database per test.
//!
//! Local binaries come first; where there are none and Docker answers, or `PGPROOF_TEST_DOCKER=1`, testcontainers
//! starts them. Without either, tests fail and say what to install.
#![allow(dead_code)] // Every test binary uses its own part.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

use pgproof::scratch::{self, Options, Server, Source};
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The major that Docker starts when nothing asks for others.
const DOCKER_MAJOR: u32 = 18;

/// Nothing may run by itself, so that what a test sees is what it did.
const SETTINGS: [(&str, &str); 4] =
    [("autovacuum", "off"), ("fsync", "off"), ("max_connections", "100"), ("shared_preload_libraries", "")];

/// The majors to test: those that `PGPROOF_MAJORS` (such as `13,18`) requires, else all that this machine has.
pub fn majors() -> Vec<u32> {
    static MAJORS: LazyLock<Vec<u32>> = LazyLock::new(|| {
        let majors = find_majors();
        eprintln!("PostgreSQL majors under test: {majors:?}{}", if by_docker() { " (Docker)" } else { "" });
        majors
    });
    MAJORS.clone()
}

fn find_majors() -> Vec<u32> {
    let required: Option<Vec<u32>> = std::env::var("PGPROOF_MAJORS").ok().map(|list| {
        let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
        words
            .map(|word| word.parse().unwrap_or_else(|_| panic!("PGPROOF_MAJORS={list}: not numbers")))
            .collect()
    });
    if by_docker() {
        return required.unwrap_or_else(|| vec![DOCKER_MAJOR]);
    }
    let found: Vec<u32> = scratch::installations().iter().map(|it| it.major).collect();
    let Some(required) = required else { return found };
    let missing: Vec<&u32> = required.iter().filter(|major| !found.contains(major)).collect();
    assert!(
        missing.is_empty(),
        "PGPROOF_MAJORS requires {required:?}; missing: {missing:?}; found: {found:?}. \
         Install them, or list their bin folders in PGPROOF_POSTGRES, or run .ci/run"
    );
    required
}

/// Whether servers come from Docker; panics when they can come from nowhere.
fn by_docker() -> bool {
    static BY_DOCKER: LazyLock<bool> = LazyLock::new(|| {
        if std::env::var_os("PGPROOF_TEST_DOCKER").is_some_and(|value| value == "1") {
            return true;
        }
        if !scratch::installations().is_empty() {
            return false;
        }
        let info = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(
            info.is_ok_and(|status| status.success()),
            "these tests need PostgreSQL: apt-get install postgresql (Debian, Ubuntu), dnf install \
             postgresql-server (Fedora), brew install postgresql@18 (macOS), or list bin folders in \
             PGPROOF_POSTGRES, or start Docker"
        );
        true
    });
    *BY_DOCKER
}

/// A server shared by the tests of this binary. The watchdogs stop it when the process ends: statics are not dropped.
pub enum TestServer {
    Local(Server),
    Docker { major: u32, port: u16, _container: Box<ContainerAsync<GenericImage>> },
}

/// The shared server of `major`, started by the first test that asks.
pub fn server(major: u32) -> &'static TestServer {
    server_with(major, &[])
}

/// The shared server of `major` with these settings on top of ours, such as `shared_preload_libraries`.
pub fn server_with(major: u32, settings: &[(&str, &str)]) -> &'static TestServer {
    type Key = (u32, Vec<(String, String)>);
    static SERVERS: LazyLock<Mutex<HashMap<Key, &'static OnceLock<TestServer>>>> =
        LazyLock::new(Mutex::default);
    let settings: Vec<(String, String)> = SETTINGS
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    // Started outside the map's lock, so that majors start side by side and one failure does not fail the others.
    let slot = {
        let mut servers = SERVERS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *servers.entry((major, settings.clone())).or_insert_with(|| Box::leak(Box::default()))
    };
    slot.get_or_init(|| {
        if by_docker() { start_container(major, &settings) } else { start_local(major, settings) }
    })
}

fn start_local(major: u32, settings: Vec<(String, String)>) -> TestServer {
    let installation = scratch::installations().into_iter().find(|it| it.major == major);
    let installation = installation.unwrap_or_else(|| panic!("PostgreSQL {major} is not installed"));
    let options = Options { source: Source::BinDir(installation.bin_dir), settings, ..Options::default() };
    TestServer::Local(Server::start(&options).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": "))))
}

fn start_container(major: u32, settings: &[(String, String)]) -> TestServer {
    let flags = settings.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
    let command: Vec<String> = std::iter::once("postgres".to_owned()).chain(flags).collect();
    let image = GenericImage::new("postgres", &major.to_string())
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::message_on_stderr("ready to accept connections"))
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_cmd(command);
    let (container, port) = block_on(async {
        let container =
            image.start().await.unwrap_or_else(|e| panic!("start postgres:{major} in Docker: {e}"));
        let port = container.get_host_port_ipv4(5432).await.expect("the published port");
        (container, port)
    });
    remove_at_exit(container.id());
    let server = TestServer::Docker { major, port, _container: Box::new(container) };
    // The image says that it is ready once before it is: for the server that prepares the cluster.
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(e) = block_on(async { connect(&server.url("postgres")).await.map(drop) }) {
        assert!(Instant::now() < deadline, "postgres:{major} in Docker does not accept connections: {e}");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

/// A process that waits for the end of our pipe, which comes with our own end, and removes the container.
fn remove_at_exit(container: &str) {
    let script = r#"trap '' HUP INT TERM; cat; docker rm --force --volumes "$0""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, container]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    std::mem::forget(command.spawn().expect("start the container's watchdog"));
}

impl TestServer {
    /// A connection URL for `dbname` as superuser.
    pub fn url(&self, dbname: &str) -> String {
        match self {
            TestServer::Local(server) => server.url(dbname),
            TestServer::Docker { .. } => self.tcp_url(dbname),
        }
    }

    /// The same over TCP.
    pub fn tcp_url(&self, dbname: &str) -> String {
        match self {
            TestServer::Local(server) => server.tcp_url(dbname),
            TestServer::Docker { port, .. } => format!("postgresql://postgres@127.0.0.1:{port}/{dbname}"),
        }
    }

    pub fn major(&self) -> u32 {
        match self {
            TestServer::Local(server) => server.major(),
            TestServer::Docker { major, .. } => *major,
        }
    }

    /// A fresh, empty database.
    pub fn database(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let maintenance_url = self.url("postgres");
        execute(&maintenance_url, &format!("CREATE DATABASE {name} TEMPLATE template1"));
        Database { url: self.url(&name), name, major: self.major(), maintenance_url }
    }
}

/// A fresh database on the shared server of `major`.
pub fn database(major: u32) -> Database {
    server(major).database()
}

/// A database of one test, dropped with this value.
pub struct Database {
    pub url: String,
    pub name: String,
    pub major: u32,
    maintenance_url: String,
}

impl Database {
    /// Runs any number of statements, in a session of its own; panics with the server's message.
    pub fn execute(&self, sql: &str) {
        execute(&self.url, sql);
    }

    /// Runs statements one by one in one session, outside a transaction; panics with the server's message.
    pub fn execute_each<S: AsRef<str> + Sync>(&self, statements: &[S]) {
        block_on(async {
            let client = connect(&self.url).await.unwrap_or_else(|e| panic!("{e}"));
            for sql in statements {
                let ran = client.simple_query(sql.as_ref()).await;
                ran.unwrap_or_else(|e| panic!("{:?} in: {}", e.as_db_error(), sql.as_ref()));
            }
        });
    }

    /// Runs statements in a session that stays as they leave it, until the returned value goes.
    pub fn stay<S: AsRef<str> + Sync>(&self, statements: &[S]) -> Staying {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("build a runtime");
        let client = std::thread::scope(|scope| {
            let run = || {
                runtime.block_on(async {
                    let client = connect(&self.url).await.unwrap_or_else(|e| panic!("{e}"));
                    for sql in statements {
                        let ran = client.simple_query(sql.as_ref()).await;
                        ran.unwrap_or_else(|e| panic!("{:?} in: {}", e.as_db_error(), sql.as_ref()));
                    }
                    client
                })
            };
            scope.spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        Staying { client: Some(client), runtime: Some(runtime) }
    }

    /// Executes statements with parameters so often, in one session, unnamed; a `$1` counts from 1.
    pub fn call<S: AsRef<str> + Sync>(&self, often: u32, statements: &[S]) {
        block_on(async {
            let client = connect(&self.url).await.unwrap_or_else(|e| panic!("{e}"));
            for number in 1..=often as i32 {
                for sql in statements.iter().map(AsRef::as_ref) {
                    let parameters: &[(&(dyn ToSql + Sync), Type)] =
                        if sql.contains("$1") { &[(&number, Type::INT4)] } else { &[] };
                    let called = client.query_typed(sql, parameters).await;
                    called.unwrap_or_else(|e| panic!("{:?} in: {sql}", e.as_db_error()));
                }
            }
        });
    }

    /// The rows of the last statement that returned any, as text, `None` for NULL; panics with the server's message.
    pub fn query_text(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        query_text(&self.url, sql)
    }
}

/// A session that stays open, with its transaction, until this value goes.
pub struct Staying {
    client: Option<Client>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Staying {
    fn drop(&mut self) {
        drop(self.client.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A panic here would hide the test's own.
        let _ =
            try_query(&self.maintenance_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Runs `sql` on the database at `url`.
pub fn execute(url: &str, sql: &str) {
    query_text(url, sql);
}

/// As [`Database::query_text`], on the database at `url`.
pub fn query_text(url: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    try_query(url, sql).unwrap_or_else(|e| match e.as_db_error() {
        Some(error) => panic!("{error} in: {sql}"),
        None => panic!("{e} in: {sql}"),
    })
}

/// As [`query_text`], but returns the error.
pub fn try_query(url: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    block_on(async {
        let client = connect(url).await?;
        let mut rows = Vec::new();
        for message in client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    })
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs a future to its end on a thread of its own, so that a test with a runtime may call this as well.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("build a runtime").block_on(future)
        };
        scope.spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Waits until `condition` holds; panics with `what` after a minute.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "after a minute still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes whose command line names `directory`. A server's children are among them until they rename themselves.
pub fn processes_in(directory: &Path) -> Vec<u32> {
    processes_with(&[directory.to_str().expect("a path in UTF-8")])
}

/// The processes whose command line holds all these words.
pub fn processes_with(words: &[&str]) -> Vec<u32> {
    let lines: Vec<(u32, String)> = match std::fs::read_dir("/proc") {
        Ok(entries) => entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, std::fs::read(format!("/proc/{pid}/cmdline")).ok()?)))
            .map(|(pid, line)| (pid, String::from_utf8_lossy(&line).into_owned()))
            .collect(),
        Err(_) => {
            let output = Command::new("ps").args(["-axo", "pid=,args="]).output().expect("run ps");
            let lines = String::from_utf8_lossy(&output.stdout).into_owned();
            lines
                .lines()
                .filter_map(|line| line.trim().split_once(' '))
                .filter_map(|(pid, args)| Some((pid.parse().ok()?, args.to_owned())))
                .collect()
        }
    };
    let wanted = |line: &str| words.iter().all(|word| line.contains(word));
    lines.into_iter().filter(|(_, line)| wanted(line)).map(|(pid, _)| pid).collect()
}
