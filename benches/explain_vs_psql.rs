//! How long one EXPLAIN takes, from the shell's point of view: `pgproof explain` beside `psql`.
//!
//! ```text
//! cargo bench --bench explain_vs_psql             30 pairs on a server of its own
//! cargo bench --bench explain_vs_psql -- --pairs 100 --check
//! ```
//!
//! It starts a throwaway server, loads a table with an index, and runs, in turn and each as a whole process over TCP
//! with SCRAM:
//!
//! - `pgproof explain --format json "SELECT … WHERE id = 4711"`: connect, plan, read the catalog, execute, diagnose
//! - `psql -X -c "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, WAL, FORMAT JSON) SELECT …"`: connect, execute
//!
//! It prints the wall time of both, the most memory that pgproof held, and its round trips after connecting. `psql` is
//! the real program beside `postgres`, for Debian's `/usr/bin/psql` is a Perl script that starts it. The machine should
//! be otherwise idle: with others at work both get slower, and the difference with them.
//!
//! `--check` fails when a target is missed: median at most 10 ms over psql, 40 MB, 8 round trips.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // A benchmark is an edge.

use pgproof::scratch::{self, Options, Server};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SQL: &str = "SELECT * FROM orders WHERE id = 4711";
const WARM_UP: usize = 3;

/// What we hold ourselves to.
const MORE_THAN_PSQL: Duration = Duration::from_millis(10);
const MEMORY_KB: i64 = 40 * 1000;
const ROUND_TRIPS: u64 = 8;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this as well, without --bench: there is nothing to test.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let pairs = args.iter().position(|arg| arg == "--pairs").and_then(|at| args.get(at + 1)?.parse().ok());
    let pairs: usize = pairs.unwrap_or(30);
    let installation =
        scratch::installations().pop().expect("PostgreSQL on this machine, or in PGPROOF_POSTGRES");
    let psql = find_psql(&installation.bin_dir);
    let options = Options { source: scratch::Source::BinDir(installation.bin_dir), ..Options::default() };
    let server = Server::start(&options).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": ")));
    load(&psql, &server);
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, WAL, FORMAT JSON) {SQL}");
    let ours =
        || command(Path::new(env!("CARGO_BIN_EXE_pgproof")), &server, &["explain", "--format", "json", SQL]);
    let theirs = || command(&psql, &server, &["-X", "-c", &explain]);
    let (mut pgproof, mut reference) = (Vec::new(), Vec::new());
    for pair in 0..WARM_UP + pairs {
        let (first, second) = (timed(ours()), timed(theirs()));
        if pair >= WARM_UP {
            pgproof.push(first);
            reference.push(second);
        }
    }
    let memory = most_memory(ours());
    let trips = round_trips(&server);
    pgproof.sort();
    reference.sort();
    println!(
        "PostgreSQL {}, {pairs} pairs of whole processes over TCP with SCRAM; {}",
        server.major(),
        psql.display()
    );
    println!("             min    median       max");
    println!("pgproof {}", row(&pgproof));
    println!("psql    {}", row(&reference));
    let more = ms(median(&pgproof)) - ms(median(&reference));
    println!("median: pgproof takes {more:+.1} ms (at most {:+.1})", ms(MORE_THAN_PSQL));
    println!("memory: {:.1} MB at most (40)", memory as f64 / 1000.0);
    println!("round trips after connecting: {trips} (at most {ROUND_TRIPS})");
    let met = more <= ms(MORE_THAN_PSQL) && memory < MEMORY_KB && trips <= ROUND_TRIPS;
    println!("{}", if met { "all targets are met" } else { "a target is missed" });
    if args.iter().any(|arg| arg == "--check") && !met {
        drop(server);
        std::process::exit(1);
    }
}

/// The program itself: beside the server's, or where Debian keeps it; a script of that name in PATH is not it.
fn find_psql(bin_dir: &Path) -> PathBuf {
    let mut folders = vec![bin_dir.to_owned()];
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    folders.extend(versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin")));
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let found = folders
        .iter()
        .map(|folder| folder.join("psql"))
        .find(|path| std::fs::read(path).is_ok_and(|bytes| !bytes.starts_with(b"#!")));
    found.expect("psql: install the PostgreSQL client")
}

fn command(program: &Path, server: &Server, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", server.superuser())
        .env("PGPASSWORD", server.password())
        .env("PGDATABASE", "postgres");
    command
}

fn load(psql: &Path, server: &Server) {
    let sql = "CREATE TABLE orders (id bigint PRIMARY KEY, customer int, note text);
               INSERT INTO orders SELECT i, i % 1000, 'note ' || i FROM generate_series(1, 100000) i";
    for sql in [sql, "VACUUM ANALYZE orders"] {
        let status = command(psql, server, &["-X", "-q", "-c", sql]).status().expect("psql starts");
        assert!(status.success(), "psql: {sql}");
    }
}

fn timed(mut command: Command) -> Duration {
    let start = Instant::now();
    let status = command.status().expect("it starts");
    let took = start.elapsed();
    assert!(status.success(), "{command:?}");
    took
}

/// The most resident memory of a run, in KB: the system keeps it for the child that we wait for.
fn most_memory(mut command: Command) -> i64 {
    #[allow(clippy::zombie_processes)] // wait4 below reaps it.
    let child = command.spawn().expect("it starts");
    let mut status = 0;
    // SAFETY: the structure is all numbers, for which zeros are values, and it is ours; the child is ours to wait for.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
    assert!(waited > 0 && status == 0, "{command:?}");
    // Linux counts kilobytes, macOS bytes.
    if cfg!(target_os = "macos") { usage.ru_maxrss / 1024 } else { usage.ru_maxrss }
}

fn round_trips(server: &Server) -> u64 {
    let mut command = command(Path::new(env!("CARGO_BIN_EXE_pgproof")), server, &["explain", "-v", SQL]);
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find_map(|line| line.strip_suffix(" round trips after connecting"));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no count in: {text}"))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() / 2]
}

fn row(sorted: &[Duration]) -> String {
    let all = [sorted[0], median(sorted), sorted[sorted.len() - 1]];
    all.map(|time| format!("{:>7.1} ms", ms(time))).concat()
}
