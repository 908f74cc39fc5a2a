//! Throwaway servers start on every major found here, and leave nothing behind however their owner ends.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pgproof::error::Kind;
use pgproof::scratch::{Options, PREFIX, Server, Source, installations, sweep};
use support::{eventually, processes_in, query_text};
use tempfile::TempDir;

/// Set in a process that plays an owner: what it is to do once its server runs.
const ROLE: &str = "PGPROOF_TEST_ROLE";

fn start(settings: &[(&str, &str)]) -> Server {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Server::start(&Options { settings, ..Options::default() })
        .unwrap_or_else(|e| panic!("{e}: {:?}", e.causes()))
}

fn one_value(url: &str, sql: &str) -> String {
    query_text(url, sql)[0][0].clone().expect("a value")
}

#[test]
fn every_major_starts_by_socket_and_tcp_and_stops_without_a_trace() {
    for major in support::majors() {
        let started = std::time::Instant::now();
        let server = Server::start(&Options { major: Some(major), ..Options::default() }).expect("start");
        eprintln!("PostgreSQL {major} started in {} ms", started.elapsed().as_millis());
        assert_eq!(server.major(), major);
        for url in [server.url("postgres"), server.tcp_url("postgres")] {
            let version: u32 = one_value(&url, "SHOW server_version_num").parse().expect("a number");
            assert_eq!(version / 10_000, major);
        }
        assert_eq!(one_value(&server.url("postgres"), "SELECT current_user"), server.superuser());
        assert_eq!(one_value(&server.url("postgres"), "SHOW server_encoding"), "UTF8");
        let directory = server.directory().to_owned();
        assert!(!processes_in(&directory).is_empty());
        server.stop().expect("stop");
        assert!(!directory.exists());
        assert_eq!(processes_in(&directory), [0_u32; 0]);
    }
}

#[test]
fn dropping_a_server_with_clients_stops_it() {
    let server = start(&[]);
    let directory = server.directory().to_owned();
    let url = server.url("postgres");
    let client = std::thread::spawn(move || support::try_query(&url, "SELECT pg_sleep(600)"));
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    eventually("the client runs", || one_value(&server.url("postgres"), busy) == "1");
    drop(server);
    assert!(!directory.exists());
    assert_eq!(processes_in(&directory), [0_u32; 0]);
    assert!(client.join().expect("the client's thread").is_err());
}

#[test]
fn settings_reach_the_server_with_their_quotes() {
    let server = start(&[("work_mem", "7MB"), ("search_path", r#""it's", public"#), ("autovacuum", "off")]);
    let url = server.url("postgres");
    assert_eq!(one_value(&url, "SHOW work_mem"), "7MB");
    assert_eq!(one_value(&url, "SHOW search_path"), r#""it's", public"#);
    assert_eq!(one_value(&url, "SHOW autovacuum"), "off");
    assert_eq!(one_value(&url, "SHOW fsync"), "off");
    assert_eq!(one_value(&url, "SHOW listen_addresses"), "127.0.0.1");
}

#[test]
fn over_tcp_the_superuser_needs_the_password() {
    let server = start(&[]);
    let without = server.tcp_url("postgres").replace(server.password(), "wrong");
    let error = support::try_query(&without, "SELECT 1").expect_err("a wrong password is refused");
    assert_eq!(error.code().map(|code| code.code()), Some("28P01"));
}

#[test]
fn servers_never_run_as_root() {
    let server = start(&[]);
    let data = std::fs::metadata(server.data_dir().expect("a local server")).expect("the data directory");
    let own = std::fs::metadata("/proc/self").map_or_else(|_| data.uid(), |it| it.uid());
    assert_ne!(data.uid(), 0);
    assert_eq!(data.mode() & 0o777, 0o700);
    assert!(own == 0 || own == data.uid());
    if let Ok(process) = std::fs::metadata(format!("/proc/{}", server.pid().expect("a local server"))) {
        assert_eq!(process.uid(), data.uid());
    }
}

#[test]
fn two_servers_run_side_by_side() {
    let (one, other) = (start(&[("work_mem", "5MB")]), start(&[("work_mem", "6MB")]));
    assert_ne!(one.port(), other.port());
    assert_ne!(one.directory(), other.directory());
    let other_url = other.tcp_url("postgres");
    assert_eq!(one_value(&one.tcp_url("postgres"), "SHOW work_mem"), "5MB");
    one.stop().expect("stop");
    assert_eq!(one_value(&other_url, "SHOW work_mem"), "6MB");
}

#[test]
fn a_folder_without_binaries_is_an_environment_error_that_says_what_to_install() {
    let empty = tempfile::tempdir().expect("a folder");
    let source = Source::BinDir(empty.path().to_owned());
    let error = Server::start(&Options { source, ..Options::default() }).expect_err("nothing to start");
    assert_eq!(error.kind(), Kind::Environment);
    assert_eq!(error.to_string(), format!("failed to find PostgreSQL in {}", empty.path().display()));
    assert_eq!(error.causes(), ["it holds no file initdb"]);
    assert!(error.advice().is_some_and(|help| help.contains("apt-get install postgresql")), "{error:?}");
}

#[test]
fn a_major_that_is_not_in_the_folder_is_refused() {
    let installation = installations().pop().expect("an installation");
    let source = Source::BinDir(installation.bin_dir);
    let error =
        Server::start(&Options { source, major: Some(9), ..Options::default() }).expect_err("no such major");
    assert_eq!(error.kind(), Kind::Environment);
    assert!(error.causes()[0].ends_with(&installation.version), "{error:?}");
}

#[test]
fn a_server_that_does_not_start_quotes_its_log() {
    let settings = vec![("work_mem".to_owned(), "plenty".to_owned())];
    let error = Server::start(&Options { settings, ..Options::default() }).expect_err("not a size");
    assert_eq!(error.kind(), Kind::Environment);
    let cause = error.causes().join("\n");
    assert!(cause.contains(r#"invalid value for parameter "work_mem": "plenty""#), "{cause}");
}

#[test]
fn a_setting_that_would_read_as_two_is_refused() {
    for (name, value) in [("work_mem", "1MB\nfsync = on"), ("a b", "1"), ("", "1"), ("-c", "1")] {
        let settings = vec![(name.to_owned(), value.to_owned())];
        let error = Server::start(&Options { settings, ..Options::default() }).expect_err("refused");
        assert_eq!(error.kind(), Kind::Config, "{name}");
    }
}

#[test]
fn sources_are_read_as_typed() {
    let read = |text: &str| text.parse::<Source>().map_err(|e| e.kind());
    assert_eq!(read("docker:postgres:18"), Ok(Source::Docker("postgres:18".to_owned())));
    assert_eq!(read("/usr/lib/postgresql/15/bin"), Ok(Source::BinDir("/usr/lib/postgresql/15/bin".into())));
    assert_eq!(read("auto"), Ok(Source::Auto));
    assert_eq!(read("docker:"), Err(Kind::Usage));
    assert_eq!(read(""), Err(Kind::Usage));
}

#[test]
fn every_test_gets_a_database_of_its_own_however_many_ask_at_once() {
    for major in support::majors() {
        let create_and_count = || {
            let database = support::database(major);
            database.execute("CREATE TABLE t (); CREATE INDEX ON t ((1))");
            let counted = database.query_text("SELECT count(*), NULL FROM pg_class WHERE relname = 't'");
            assert_eq!(counted, [[Some("1".to_owned()), None]]);
            database.name.clone()
        };
        let mut names: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(create_and_count)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a database")).collect()
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6);
        let left = query_text(
            &support::server(major).url("postgres"),
            "SELECT datname FROM pg_database WHERE datname ~ '^test_'",
        );
        assert!(left.iter().flatten().flatten().all(|name| !names.contains(name)), "{left:?}");
    }
}

/// The owner's side of the tests below, in a process of its own: starts a server, says where, and does its role.
fn play(role: &str) {
    if role == "sweep" {
        println!("\nswept {}", sweep().len());
        return;
    }
    let server = match role {
        "docker" => {
            let settings = vec![("work_mem".to_owned(), "7 MB".to_owned())];
            let source = Source::Docker("postgres:15".to_owned());
            Server::start(&Options { source, settings, ..Options::default() }).expect("start")
        }
        _ => start(&[]),
    };
    println!("\nserver {} {}", server.directory().display(), server.url("postgres"));
    match role {
        "keep" => println!("stop {}", server.keep().expect("keep").stop_command),
        _ => {
            std::io::stdin().read_to_end(&mut Vec::new()).expect("read to the end");
        }
    }
}

/// A process that plays an owner in a temporary folder of its own.
struct Owner {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Owner {
    fn start(role: &str, temporary: &Path) -> Owner {
        Owner::start_with(role, temporary, &[])
    }

    fn start_with(role: &str, temporary: &Path, environment: &[(&str, &str)]) -> Owner {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "an_owner_can_be_played", "--nocapture"]);
        command.env(ROLE, role).env("TMPDIR", temporary).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.envs(environment.iter().copied()).spawn().expect("start an owner");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Owner { process, lines }
    }

    /// What follows `word` in the line that starts with it.
    fn says(&mut self, word: &str) -> String {
        let mut lines = self.lines.by_ref().map(|line| line.expect("a line"));
        let line =
            lines.find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("the owner says no {word}"));
        line[word.len()..].trim().to_owned()
    }

    /// The directory and the URL of its server.
    fn server(&mut self) -> (PathBuf, String) {
        let line = self.says("server ");
        let (directory, url) = line.rsplit_once(' ').expect("two words");
        (directory.into(), url.to_owned())
    }

    /// Ends it as `kill -9` does.
    fn kill(&mut self) {
        self.process.kill().expect("kill the owner");
        self.process.wait().expect("wait for the owner");
    }
}

/// A temporary folder that the server's account can enter, and that no other test looks into.
fn temporary_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("open it");
    folder
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("the folder").next().is_none()
}

/// Without a role this is the test that an owner which ends well leaves nothing.
#[test]
fn an_owner_can_be_played() {
    if let Some(role) = std::env::var_os(ROLE) {
        return play(&role.to_string_lossy());
    }
    let folder = temporary_folder();
    let mut owner = Owner::start("hold", folder.path());
    let (directory, url) = owner.server();
    assert!(directory.starts_with(folder.path().canonicalize().expect("the folder")));
    assert_eq!(one_value(&url, "SELECT 1"), "1");
    drop(owner.process.stdin.take());
    assert!(owner.process.wait().expect("wait for the owner").success());
    assert!(is_empty(folder.path()));
    assert_eq!(processes_in(&directory), [0_u32; 0]);
}

#[test]
fn a_killed_owner_leaves_nothing() {
    let folder = temporary_folder();
    let mut owner = Owner::start("hold", folder.path());
    let (directory, url) = owner.server();
    assert_eq!(one_value(&url, "SELECT 1"), "1");
    owner.kill();
    eventually("the directory is gone", || is_empty(folder.path()));
    eventually("the processes are gone", || processes_in(&directory).is_empty());
}

#[test]
fn an_owner_killed_during_initdb_leaves_nothing() {
    let folder = temporary_folder();
    let mut owner = Owner::start("hold", folder.path());
    let directory =
        || std::fs::read_dir(folder.path()).expect("the folder").flatten().next().map(|it| it.path());
    eventually("initdb writes", || directory().is_some_and(|it| it.join("data/PG_VERSION").exists()));
    owner.kill();
    eventually("the directory is gone", || is_empty(folder.path()));
    eventually("the processes are gone", || processes_in(folder.path()).is_empty());
}

#[test]
fn a_sweep_removes_what_has_lost_its_owner_and_its_watchdog_and_nothing_else() {
    let folder = temporary_folder();
    let (mut dead, mut alive) = (Owner::start("hold", folder.path()), Owner::start("hold", folder.path()));
    let ((dead_directory, dead_url), (alive_directory, alive_url)) = (dead.server(), alive.server());
    let watchdogs =
        support::processes_with(&["pgproof-watchdog", dead_directory.to_str().expect("a path in UTF-8")]);
    assert_eq!(watchdogs.len(), 1);
    let killed = Command::new("kill").args(["-9", &watchdogs[0].to_string()]).status().expect("run kill");
    assert!(killed.success());
    dead.kill();
    assert_eq!(one_value(&dead_url, "SELECT 1"), "1", "nobody has stopped it yet");

    let elsewhere = temporary_folder();
    std::fs::write(elsewhere.path().join("owner"), "owner 1\n").expect("write");
    symlink(elsewhere.path(), folder.path().join(format!("{PREFIX}link"))).expect("link");
    std::fs::create_dir(folder.path().join(format!("{PREFIX}starting"))).expect("make");
    std::fs::create_dir(folder.path().join("somebody-elses")).expect("make");

    let mut sweeper = Owner::start("sweep", folder.path());
    assert_eq!(sweeper.says("swept "), "1");
    sweeper.process.wait().expect("wait for the sweeper");
    assert!(!dead_directory.exists());
    eventually("the dead owner's server is gone", || processes_in(&dead_directory).is_empty());
    assert_eq!(one_value(&alive_url, "SELECT 1"), "1");
    assert!(alive_directory.exists() && elsewhere.path().join("owner").exists());
    assert!(folder.path().join(format!("{PREFIX}starting")).exists());
    alive.kill();
    eventually("the other one is gone as well", || !alive_directory.exists());
}

#[test]
fn a_kept_server_outlives_its_owner_until_it_is_told_to_stop() {
    let folder = temporary_folder();
    let mut owner = Owner::start("keep", folder.path());
    let (directory, url) = owner.server();
    let stop_command = owner.says("stop ");
    assert!(owner.process.wait().expect("wait for the owner").success());
    let mut sweeper = Owner::start("sweep", folder.path());
    assert_eq!(sweeper.says("swept "), "0");
    sweeper.process.wait().expect("wait for the sweeper");
    assert_eq!(one_value(&url, "SELECT 1"), "1");
    assert!(Command::new("/bin/sh").args(["-c", &stop_command]).status().expect("run sh").success());
    eventually("the directory is gone", || is_empty(folder.path()));
    eventually("the processes are gone", || processes_in(&directory).is_empty());
}

#[test]
fn where_a_socket_path_would_be_too_long_the_url_is_tcp() {
    let folder = temporary_folder();
    let long = folder.path().join("x".repeat(80));
    std::fs::create_dir(&long).expect("make");
    let mut owner = Owner::start("hold", &long);
    let (_, url) = owner.server();
    assert!(url.contains("@127.0.0.1:"), "{url}");
    assert_eq!(one_value(&url, "SELECT 1"), "1");
    owner.kill();
    eventually("the directory is gone", || is_empty(&long));
}

/// A docker client that notes what it is asked, and whose every container is the server on `$FAKE_PORT`.
const FAKE_DOCKER: &str = r#"#!/bin/sh
echo "$@" >>"$FAKE_CALLS"
case $1 in
  run) echo "password of ${#POSTGRES_PASSWORD} characters" >>"$FAKE_CALLS" ;;
  port) echo "127.0.0.1:$FAKE_PORT" ;;
  inspect) echo true ;;
  exec) echo "postgres (PostgreSQL) 15.20" ;;
esac
"#;

#[test]
fn a_container_is_removed_when_its_owner_ends_and_when_it_is_killed() {
    let server = start(&[]);
    let client = temporary_folder();
    let program = client.path().join("docker");
    std::fs::write(&program, FAKE_DOCKER).expect("write");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("make it a program");
    let path = format!("{}:{}", client.path().display(), std::env::var("PATH").expect("a PATH"));
    for killed in [false, true] {
        let folder = temporary_folder();
        let log = client.path().join(format!("calls-{killed}"));
        let calls = || std::fs::read_to_string(&log).unwrap_or_default();
        let (log, port) = (log.to_str().expect("a path in UTF-8"), server.port().to_string());
        let environment = [("PATH", path.as_str()), ("FAKE_CALLS", log), ("FAKE_PORT", &port)];
        let mut owner = Owner::start_with("docker", folder.path(), &environment);
        let (directory, url) = owner.server();
        assert!(url.ends_with(&format!("@127.0.0.1:{port}/postgres")), "{url}");
        let run = calls().lines().find(|line| line.starts_with("run ")).expect("a run").to_owned();
        assert!(
            run.contains(" postgres:15 postgres -c fsync=off ") && run.ends_with(" -c work_mem=7 MB"),
            "{run}"
        );
        let password = url.split([':', '@']).nth(2).expect("a password");
        assert!(!run.contains(password), "{run}");
        assert!(calls().contains("password of 32 characters"));

        let name = run.split(' ').find(|word| word.starts_with(PREFIX)).expect("a name").to_owned();
        let removal = format!("rm --force --volumes {name}");
        assert!(!calls().contains(&removal));
        if killed {
            owner.kill();
        } else {
            drop(owner.process.stdin.take());
            assert!(owner.process.wait().expect("wait for the owner").success());
            assert!(is_empty(folder.path()));
        }
        eventually("the container is removed", || calls().contains(&removal));
        eventually("the directory is gone", || !directory.exists());
    }
}
