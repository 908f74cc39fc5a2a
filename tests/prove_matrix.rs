//! What can go wrong, at each phase of each mode of proving: a clear end, the right exit code, nothing left behind.
//!
//! Phases are seen from outside, in pg_stat_activity by their markers, or held back on the wire.

// Tests start processes and signal them.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod prove_support;
mod support;

use pgproof::scratch;
use prove_support::proxy::Proxy;
use prove_support::{InTheWay, QUERY, backends, catalog, fill, finish, orders, pgproof, sees, start};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use support::{eventually, execute, majors, query_text, try_query};

/// Enough for a sequential scan worth an index, few enough to copy for each cell.
const ROWS: u32 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Rollback,
    Concurrently,
    Clone,
    Setting,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Before,
    Build,
    Run,
    Undo,
    Again,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mishap {
    /// Ctrl-C.
    Interrupt,
    /// `kill -9` of pgproof.
    Kill,
    /// pg_terminate_backend of all its sessions.
    Terminate,
    /// Its connections are cut.
    Pull,
    /// Its connections are cut and no new ones can be made.
    PullForGood,
    /// The server is stopped at once, and comes back.
    Crash,
    /// A lock of another session outlasts statement_timeout.
    StatementTimeout,
    /// A lock of another session outlasts lock_timeout.
    Locked,
}

use Mishap::*;
use Mode::*;
use Phase::*;

/// A server of this test's own, which it may stop.
struct Machine {
    server: scratch::Server,
    again: Mutex<Option<Child>>,
}

impl Machine {
    fn start(major: u32) -> Machine {
        let installation = scratch::installations().into_iter().find(|it| it.major == major);
        let source = scratch::Source::BinDir(installation.expect("it is installed").bin_dir);
        let settings = [("autovacuum", "off"), ("fsync", "off"), ("restart_after_crash", "off")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let options = scratch::Options { source, settings, ..scratch::Options::default() };
        let machine =
            Machine { server: scratch::Server::start(&options).expect("it starts"), again: Mutex::new(None) };
        machine.sql("CREATE DATABASE shop");
        fill(&machine.server.url("shop"), &orders(ROWS));
        execute(&machine.server.url("shop"), "ALTER DATABASE shop SET max_parallel_workers_per_gather = 0");
        machine
    }

    fn sql(&self, sql: &str) {
        execute(&self.server.url("postgres"), sql);
    }

    /// Immediate stop, and a start with what the server was started with.
    fn crash(&self) {
        let mut again = self.again.lock().expect("one at a time");
        let pid = again.as_ref().map_or_else(|| self.server.pid().expect("a local server"), Child::id);
        let data = self.server.data_dir().expect("a local server");
        let line = std::fs::read_to_string(data.join("postmaster.opts")).expect("how it was started");
        let words: Vec<String> = line.split('"').map(str::to_owned).collect();
        let program = words[0].trim().to_owned();
        // SAFETY: a signal to a process that this test started.
        assert_eq!(unsafe { libc::kill(i32::try_from(pid).expect("a pid"), libc::SIGQUIT) }, 0);
        match again.as_mut() {
            Some(child) => drop(child.wait()),
            // Its parent is this process, through the library: its pid file goes when it does.
            None => eventually("the server stops", || !data.join("postmaster.pid").exists()),
        }
        let owner = std::fs::metadata(&data).expect("its folder");
        let mut command = Command::new(program);
        command.args(words.iter().skip(1).step_by(2).filter(|word| !word.trim().is_empty()));
        if owner.uid() != unsafe { libc::geteuid() } {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        *again = Some(command.spawn().expect("it starts again"));
        let url = self.server.url("postgres");
        eventually("the server is back", || try_query(&url, "SELECT").is_ok());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut child) = self.again.lock().expect("one at a time").take() {
            // SAFETY: a signal to a process that this test started.
            unsafe { libc::kill(i32::try_from(child.id()).expect("a pid"), libc::SIGQUIT) };
            let _ = child.wait();
        }
    }
}

/// One cell of the matrix.
struct Cell<'a> {
    machine: &'a Machine,
    mode: Mode,
    phase: Phase,
    mishap: Mishap,
}

impl Cell<'_> {
    fn name(&self) -> String {
        format!("{:?}, {:?}, {:?} on {}", self.mode, self.phase, self.mishap, self.machine.server.major())
    }

    fn flags(&self, trial_url: &str) -> Vec<String> {
        let (mode, sql) = match self.mode {
            Rollback => ("rollback", QUERY),
            Concurrently => ("concurrently", QUERY),
            Clone => ("clone", QUERY),
            Setting => ("auto", "SELECT id FROM orders ORDER BY note"),
        };
        // A phase that is met by its runs has to last until a busy machine gets there: more than a second.
        let met = matches!(self.phase, Before | Again) && matches!(self.mishap, Interrupt | Kill | Terminate);
        let runs = if met { "400" } else { "30" };
        let mut flags =
            vec!["explain", "--format", "json", sql, "--prove", mode, "--runs", runs, "--pool", "2"];
        if self.mode == Clone {
            flags.extend(["--clone-url", trial_url]);
        }
        match self.mishap {
            StatementTimeout => flags.extend([
                "--timeout",
                "700ms",
                "--lock-timeout",
                "60s",
                "--max-block",
                "700ms",
                "--time-budget",
                "700ms",
            ]),
            Locked => flags.extend(["--lock-timeout", "300ms", "--time-budget", "2s"]),
            _ => flags.extend(["--lock-timeout", "60s", "--max-block", "60s"]),
        }
        flags.into_iter().map(str::to_owned).collect()
    }

    fn check(&self) {
        let name = self.name();
        let machine = self.machine;
        let databases = if self.mode == Clone { vec!["shop", "cell"] } else { vec!["cell"] };
        machine.sql("DROP DATABASE IF EXISTS cell WITH (FORCE)");
        machine.sql("CREATE DATABASE cell TEMPLATE shop");
        machine.sql("ALTER DATABASE cell SET max_parallel_workers_per_gather = 0");
        // Where the trial happens is always `cell`; a clone's original is `shop`.
        let cell = machine.server.url("cell");
        if self.mode == Setting {
            machine.sql("ALTER DATABASE cell SET work_mem = '64kB'");
        }
        // Nobody answers after that: no need to be patient.
        let patience = if self.mishap == PullForGood { "?connect_timeout=1" } else { "" };
        let observed = format!("{}{patience}", machine.server.tcp_url(databases[0]));
        let before: Vec<_> = databases.iter().map(|d| catalog(&machine.server.url(d))).collect();
        let proxy = Proxy::before(machine.server.port());
        let through = |url: &str| proxy.through(url, machine.server.port());
        let holds = self.hold_marker();
        if let Some(marker) = holds {
            proxy.hold(marker);
        }
        // The build waits where somebody writes.
        let writer = (self.phase == Build && self.mode != Setting)
            .then(|| InTheWay::new(&cell, "BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE"));
        let flags = self.flags(&through(&machine.server.tcp_url("cell")));
        let words: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut child = start(&through(&observed), &words);
        let mut reader = None;
        let ended = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_some());
        let reach = |child: &mut Child, what: &str, there: &dyn Fn() -> bool| {
            let child = Mutex::new(child);
            eventually(&format!("{name}: {what}"), || {
                assert!(!ended(&mut child.lock().expect("ours")), "{name}: it ended before {what}");
                there()
            });
        };
        match self.phase {
            _ if holds.is_some() && !(self.mode == Concurrently && self.phase == Undo) => {
                reach(&mut child, "the held statement", &|| proxy.holds())
            }
            Before => reach(&mut child, "a run before", &|| sees(&cell, "trial before", "true")),
            Build => {
                reach(&mut child, "the build", &|| sees(&cell, "trial build", "wait_event_type = 'Lock'"))
            }
            Again => reach(&mut child, "a run after it", &|| sees(&cell, "trial again", "true")),
            Run => unreachable!("it is held back"),
            Undo => {
                reach(&mut child, "a run with it", &|| proxy.holds());
                reader = Some(InTheWay::new(&cell, "BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE"));
                proxy.release();
                reach(&mut child, "the drop", &|| sees(&cell, "undo", "wait_event_type = 'Lock'"));
            }
        }
        let mut locker = None;
        match self.mishap {
            // SAFETY: signals to the process that this test started.
            Interrupt => assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0),
            Kill => child.kill().expect("it is killed"),
            Terminate => {
                // One between two statements of ours would not be missed.
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '/* pgproof%' \
                           AND state <> 'idle' AND datname IN ('cell', 'shop')";
                eventually("a session is ended", || !query_text(&cell, sql).is_empty());
            }
            Pull => proxy.pull(false),
            PullForGood => proxy.pull(true),
            Crash => machine.crash(),
            StatementTimeout | Locked if writer.is_none() => {
                let wait = "SET lock_timeout = 0; BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE";
                locker = Some(InTheWay::new(&cell, wait));
            }
            StatementTimeout | Locked => {}
        }
        proxy.release();
        if self.mishap == Interrupt && reader.is_some() {
            eventually("the drop goes on", || sees(&cell, "undo", "true"));
        }
        if matches!(self.mishap, StatementTimeout | Locked) {
            if self.mode == Concurrently && matches!(self.phase, Build | Run) {
                // It gave up: the drop, which has no time limit but its patience, waits too.
                reach(&mut child, "the drop", &|| sees(&cell, "undo", "wait_event_type = 'Lock'"));
                drop((writer, locker.take()));
            }
        } else {
            // Whoever stood in the way goes, so that the end is not about them.
            drop((reader.take(), writer));
        }
        let run = finish(child);
        drop(locker);
        let text = run.to_string();
        let code = match self.mishap {
            Interrupt => Some(130),
            Kill => None,
            StatementTimeout | Locked => Some(0),
            // A concurrent drop is tried again, and then nothing is amiss.
            Terminate | Pull | Crash if (self.mode, self.phase) == (Concurrently, Undo) => Some(0),
            _ => Some(3),
        };
        assert_eq!(run.code, code, "{name}: {text}");
        if code.is_some() {
            assert!(!run.json()["findings"].as_array().expect("findings").is_empty(), "{name}: {text}");
        }
        if code == Some(130) || code == Some(3) {
            assert!(
                run.stderr.contains("error: failed to") && run.stderr.contains("cause:"),
                "{name}: {text}"
            );
        }
        if matches!(self.mishap, StatementTimeout | Locked) {
            let reason =
                run.json()["proposals"][0]["verdict"]["reason"].as_str().unwrap_or_default().to_owned();
            let words = ["timeout", "longer than", "--max-block", "lock"];
            assert!(words.iter().any(|word| reason.contains(word)), "{name}: {text}");
        }
        eventually(&format!("{name}: pgproof's sessions end"), || {
            databases.iter().all(|d| backends(&machine.server.url(d)) == 0)
        });
        let left = !leftovers(&cell).is_empty();
        if left {
            // Only a process or a connection that cannot come back may leave something, and says so.
            assert!(matches!(self.mishap, Kill | PullForGood), "{name} left something: {text}");
            assert!(self.mishap == Kill || run.stderr.contains("DROP INDEX CONCURRENTLY"), "{name}: {text}");
            eprintln!("{name}: left an index, which doctor drops");
            let doctor = pgproof(&cell, &["doctor"]);
            assert!(
                doctor.code == Some(0) && doctor.stderr.contains("dropped public.pgproof_trial_"),
                "{doctor}"
            );
        }
        for (database, before) in databases.iter().zip(before) {
            let mut after = catalog(&machine.server.url(database));
            let mut before = before;
            if self.mishap == Crash {
                // A crash loses all counters.
                for rows in [&mut before, &mut after] {
                    rows.retain(|row| row[0].as_deref() != Some("modified"));
                }
            }
            assert_eq!(after, before, "{name}: {text}");
        }
    }

    /// What cannot be seen from outside, because it takes no time, is held back on the wire.
    fn hold_marker(&self) -> Option<&'static str> {
        // Whoever locks the table must have it before the statement that waits for it.
        let waits = matches!(self.mishap, StatementTimeout | Locked);
        // A server takes longer to crash than the runs take: on a busy machine the trial was over. A connection that is
        // cut between two statements is not missed: the next one gets a new one.
        let held = waits || matches!(self.mishap, Crash | Pull | PullForGood);
        match (self.mode, self.phase) {
            (_, Before) if held => Some("/* pgproof:trial before */ EXPLAIN"),
            (_, Again) if held => Some("/* pgproof:trial again */ EXPLAIN"),
            (Rollback | Clone, Undo) => Some("/* pgproof:undo */ ROLLBACK"),
            (_, Run) | (Concurrently, Undo) => Some("/* pgproof:trial run */ EXPLAIN"),
            _ => None,
        }
    }
}

fn leftovers(url: &str) -> Vec<Vec<Option<String>>> {
    query_text(url, "SELECT relname::text FROM pg_class WHERE starts_with(relname::text, 'pgproof_trial_')")
}

/// All cells of a mode that make sense. Left out: a setting builds and undoes nothing; what holds the table in
/// `rollback` mode cannot be locked away from itself; a drop has no time limit but its patience.
fn cells(mode: Mode) -> Vec<(Phase, Mishap)> {
    let mut cells = Vec::new();
    for phase in [Before, Build, Run, Undo, Again] {
        for mishap in ALL {
            let waits = matches!(mishap, StatementTimeout | Locked);
            let senseless = match (mode, phase) {
                (Setting, Build | Undo) => true,
                (Rollback | Clone, Run | Undo) | (Concurrently, Undo) => waits,
                _ => false,
            };
            if !senseless {
                cells.push((phase, mishap));
            }
        }
    }
    cells
}

fn walk(major: u32, mode: Mode, wanted: &[Mishap]) {
    let machine = Machine::start(major);
    for (phase, mishap) in cells(mode).into_iter().filter(|(_, mishap)| wanted.contains(mishap)) {
        let cell = Cell { machine: &machine, mode, phase, mishap };
        cell.check();
        eprintln!("{}: ok", cell.name());
    }
}

/// The oldest and the newest major.
fn ends() -> (u32, u32) {
    let all = majors();
    (*all.first().expect("a server"), *all.last().expect("a server"))
}

const ALL: [Mishap; 8] = [Interrupt, Kill, Terminate, Pull, PullForGood, Crash, StatementTimeout, Locked];
/// What differs most between majors, or depends on how soon a server notices that we are gone.
const OLDEST: [Mishap; 4] = [Interrupt, Kill, Terminate, Pull];

#[test]
fn nothing_is_left_by_rollback() {
    walk(ends().1, Rollback, &ALL);
}

#[test]
fn nothing_is_left_by_concurrently() {
    walk(ends().1, Concurrently, &ALL);
}

#[test]
fn nothing_is_left_by_clone() {
    walk(ends().1, Clone, &ALL);
}

#[test]
fn nothing_is_left_by_a_setting() {
    walk(ends().1, Setting, &ALL);
}

#[test]
fn nothing_is_left_by_rollback_on_the_oldest_major() {
    walk(ends().0, Rollback, &OLDEST);
}

#[test]
fn nothing_is_left_by_concurrently_on_the_oldest_major() {
    walk(ends().0, Concurrently, &OLDEST);
}
