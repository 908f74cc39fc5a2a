//! Connecting, on real servers: sockets, passwords, dead hosts, standbys, sessions, interrupts, PgBouncer.

// Tests write files and watch the clock.
#![allow(clippy::disallowed_methods)]

mod connect_support;

use connect_support::{
    PASSWORD, PgBouncer, Postgres, connect, connect_in, free_port, refused, variable, words,
};
use pgproof::error::Kind;
use pgproof::postgres::{ConnectOptions, Environment, Flags, Guards, Interrupt, Server, Session, TextParam};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const SCRAM: &str = "host all all 127.0.0.1/32 scram-sha-256";
const TRUST: &str = "host all all 127.0.0.1/32 trust";

/// A server with a role `alice`, who has a password, and a table `t`. Each test has its own.
async fn shop(hba: &str) -> Postgres {
    let server = Postgres::start(hba, "");
    server.sql(&format!("CREATE ROLE alice LOGIN PASSWORD '{PASSWORD}'; CREATE TABLE t (id int)")).await;
    server
}

async fn session(server: &Server) -> Session {
    server.session("test").await.expect("a session")
}

async fn cell(session: &Session, sql: &str) -> String {
    let rows = session.rows("ask", sql).await.unwrap_or_else(|error| panic!("{sql}: {}", words(&error)));
    rows[0][0].clone().expect("a value")
}

#[tokio::test]
async fn a_password_is_found_in_the_url_the_environment_and_the_password_file() {
    let server = shop(SCRAM).await;
    let text = server.tcp("user=alice dbname=postgres");
    let url = format!("postgres://alice:{PASSWORD}@127.0.0.1:{}/postgres", server.port);
    let from_url = connect(&url).await.expect("the URL's password works");
    assert_eq!(cell(&session(&from_url).await, "SELECT current_user").await, "alice");
    assert!(from_url.version().num >= 130_000, "{:?}", from_url.version());
    assert_eq!(from_url.describe(), format!("postgres on 127.0.0.1:{} as alice", server.port));
    connect_in(&text, variable("PGPASSWORD", PASSWORD)).await.expect("PGPASSWORD works");
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join(".pgpass");
    let write = |password: &str| {
        std::fs::write(&file, format!("127.0.0.1:{}:*:alice:{password}\n", server.port)).expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("closed");
    };
    let surroundings = Environment { home: Some(home.path().to_owned()), ..Environment::default() };
    write(PASSWORD);
    connect_in(&text, surroundings.clone()).await.expect("the password file works");
    write("wrong");
    let Err(error) = connect_in(&text, surroundings).await else { panic!("a wrong password works") };
    assert!(words(&error).contains(&format!("the password came from password file {}", file.display())));
    let started = Instant::now();
    let (error, words) = refused(&format!("{text} password={PASSWORD}x")).await;
    assert_eq!((error.kind(), error.code()), (Kind::Connect, Some("28P01")));
    assert!(words.contains("password authentication failed for user \"alice\""), "{words}");
    assert!(words.contains("from the connection string"), "{words}");
    let (_, words) = refused(&text).await;
    assert!(words.contains("asks for a password and there is none; set PGPASSWORD"), "{words}");
    assert!(started.elapsed() < Duration::from_secs(2), "refused passwords are not tried again");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let server = shop(SCRAM).await;
    let socket = format!("host={} port={}", server.socket_dir().display(), server.port);
    let (error, words) = refused(&format!("{socket} user=postgres dbname=nowhere")).await;
    assert_eq!((error.kind(), error.code()), (Kind::Connect, Some("3D000")));
    assert!(words.contains("database \"nowhere\" does not exist"), "{words}");
    let (error, words) = refused(&format!("{socket} user=alice")).await;
    assert_eq!(error.code(), Some("28000"));
    assert!(words.contains("no pg_hba.conf entry"), "{words}");
    assert!(words.contains("add a line to the server's pg_hba.conf"), "{words}");
    let (error, words) = refused(&format!("host=127.0.0.1 port={}", free_port())).await;
    assert_eq!((error.kind(), error.code()), (Kind::Connect, None));
    assert!(words.contains("Connection refused"), "{words}");
    assert!(words.contains("is the server running on that host and accepting TCP connections?"), "{words}");
    let (_, words) = refused(&format!("host={} port=1", server.socket_dir().display())).await;
    assert!(words.contains(".s.PGSQL.1: No such file or directory"), "{words}");
    let (_, words) = refused("host=no-such-host.invalid").await;
    assert!(words.contains("no address is known for this name"), "{words}");
}

#[tokio::test]
async fn dead_hosts_are_passed_over_and_all_named_when_all_are_dead() {
    let server = shop(TRUST).await;
    let dead = free_port();
    let ports = format!("host=127.0.0.1,127.0.0.1 port={dead},{}", server.port);
    let started = Instant::now();
    connect(&ports).await.expect("the second host answers");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let (_, words) = refused(&format!("host=127.0.0.1,127.0.0.1 port={dead},{}", free_port())).await;
    assert!(words.contains(&format!("127.0.0.1:{dead}: Connection refused")), "{words}");
    assert_eq!(words.matches("Connection refused").count(), 2, "{words}");
}

#[tokio::test]
async fn a_silent_host_is_given_up_after_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener that never answers");
    let port = silent.local_addr().expect("its port").port();
    let started = Instant::now();
    let (error, words) = refused(&format!("host=127.0.0.1 port={port} connect_timeout=1")).await;
    assert_eq!(error.kind(), Kind::Connect);
    assert!(words.contains("no answer within 1 s"), "{words}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_is_starting_is_waited_for() {
    // A standby that takes no queries answers 57P03 until it is promoted.
    let server = Postgres::start_as(TRUST, "hot_standby = off", &["standby.signal"]);
    let (error, words) = refused(&server.tcp("connect_timeout=1")).await;
    assert_eq!((error.kind(), error.code()), (Kind::Connect, Some("57P03")));
    assert!(words.contains("the database system is"), "{words}");
    assert!(words.contains("try again"), "{words}");
    let text = server.tcp("");
    let (connected, ()) = tokio::join!(connect(&text), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.pg_ctl(&["promote"]);
    });
    connected.expect("the promoted server answers");
}

#[tokio::test]
async fn the_server_with_the_wanted_attributes_is_chosen() {
    let primary = Postgres::start(TRUST, "");
    let standby = Postgres::start_as(TRUST, "", &["standby.signal"]);
    let both = format!("host=127.0.0.1,127.0.0.1 port={},{}", primary.port, standby.port);
    for (wanted, port) in [
        ("any", primary.port),
        ("read-write", primary.port),
        ("primary", primary.port),
        ("read-only", standby.port),
        ("standby", standby.port),
        ("prefer-standby", standby.port),
    ] {
        let server = connect(&format!("{both} target_session_attrs={wanted}")).await.expect(wanted);
        assert_eq!(cell(&session(&server).await, "SHOW port").await, port.to_string(), "{wanted}");
    }
    let alone = primary.tcp("target_session_attrs=prefer-standby");
    connect(&alone).await.expect("prefer-standby takes a primary when there is no other");
    let (error, words) = refused(&primary.tcp("target_session_attrs=standby")).await;
    assert_eq!(error.kind(), Kind::Connect);
    assert!(words.contains("the server is a primary, and target_session_attrs wants standby"), "{words}");
    let (_, words) = refused(&standby.tcp("target_session_attrs=read-write")).await;
    assert!(words.contains("sessions are read-only"), "{words}");
}

#[tokio::test]
async fn guards_hold_inside_the_transaction_and_are_gone_after_it() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let mut session = session(&pool).await;
    let guards = Guards { statement_timeout: Duration::from_millis(1500), ..Guards::default() };
    let before = session.round_trips();
    session.begin(&guards, &[("work_mem", "5MB".to_owned())]).await.expect("begins");
    assert_eq!(session.round_trips() - before, 1);
    let settings = "SELECT string_agg(current_setting(name), ' ' ORDER BY name) FROM unnest(ARRAY['statement_timeout', \
                    'lock_timeout', 'idle_in_transaction_session_timeout', 'work_mem', 'transaction_read_only']) name";
    assert_eq!(cell(&session, settings).await, "1min 1s 1500ms on 5MB");
    let error = session.batch("insert", "INSERT INTO t VALUES (1)").await.expect_err("read-only");
    assert_eq!(error.code(), Some("25006"));
    session.rollback().await.expect("rolls back");
    assert_eq!(cell(&session, settings).await, "0 0 0 off 4MB");
    let marker = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    assert_eq!(cell(&session, marker).await, format!("/* pgproof:test */ {marker}"));
    let name = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    assert_eq!(cell(&session, name).await, "pgproof");
}

#[tokio::test]
async fn a_bad_setting_leaves_no_transaction_behind() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let mut session = session(&pool).await;
    let error = session.begin(&Guards::default(), &[("no_such", "1".to_owned())]).await.expect_err("unknown");
    assert_eq!((error.kind(), error.code()), (Kind::Sql, Some("42704")));
    assert!(!session.in_transaction());
    assert_eq!(cell(&session, "SHOW statement_timeout").await, "0");
}

#[tokio::test]
async fn the_limits_and_refusals_of_the_server_have_their_kinds() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let (mut first, mut second) = (session(&pool).await, session(&pool).await);
    let quick = Guards {
        statement_timeout: Duration::from_millis(300),
        lock_timeout: Duration::from_millis(100),
        read_only: false,
        ..Guards::default()
    };
    first.begin(&quick, &[]).await.expect("begins");
    first.batch("lock", "LOCK t").await.expect("locks");
    second.begin(&quick, &[]).await.expect("begins");
    let error = second.batch("lock", "LOCK t").await.expect_err("locked");
    assert_eq!((error.kind(), error.code()), (Kind::LockTimeout, Some("55P03")));
    let error = first.batch("sleep", "SELECT pg_sleep(5)").await.expect_err("too slow");
    assert_eq!((error.kind(), error.code()), (Kind::Timeout, Some("57014")));
    first.rollback().await.expect("rolls back");
    let sql = "SELECT 'ä', nope\nFROM t";
    let error = first.query("ask", sql, &[]).await.expect_err("no such column");
    assert_eq!((error.kind(), error.code()), (Kind::Sql, Some("42703")));
    let place = error.excerpt().expect("a place");
    assert_eq!(&place.text[place.start..], "nope\nFROM t");
    assert_eq!(error.causes(), ["ERROR: column \"nope\" does not exist"]);
    let alice = connect(&server.tcp("user=alice dbname=postgres")).await.expect("connects");
    let error = session(&alice).await.batch("read", "SELECT * FROM t").await.expect_err("not hers");
    assert_eq!((error.kind(), error.code()), (Kind::Permission, Some("42501")));
    let victim = session(&alice).await;
    let pid = cell(&victim, "SELECT pg_backend_pid()").await;
    cell(&first, &format!("SELECT pg_terminate_backend({pid})")).await;
    let error = victim.batch("ask", "SELECT 1").await.expect_err("terminated");
    assert_eq!(error.kind(), Kind::Connect, "{}", words(&error));
    drop(victim);
    assert_eq!(cell(&session(&alice).await, "SELECT 1").await, "1", "the pool replaces a lost connection");
}

#[tokio::test]
async fn parameters_take_the_type_the_server_infers_and_answers_come_as_json() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let session = session(&pool).await;
    let before = session.round_trips();
    let params = ["7".into(), "2024-02-29".into(), TextParam(None), "it's".into()];
    let sql = "SELECT json_build_object('n', $1::int + 1, 'd', $2::date + 1, 'z', $3::text, 's', upper($4))";
    let json = session.query_json("ask", sql, &params).await.expect("answers");
    assert_eq!(json, r#"{"n" : 8, "d" : "2024-03-01", "z" : null, "s" : "IT'S"}"#);
    let plan = "EXPLAIN (FORMAT JSON) SELECT * FROM t WHERE id = $1";
    let plan = session.query_json("explain", plan, &["1".into()]).await.expect("a plan");
    assert!(plan.contains("Seq Scan"), "{plan}");
    assert_eq!(session.query_json("ask", "SELECT '[1]'::jsonb", &[]).await.ok().as_deref(), Some("[1]"));
    assert!(session.query_json("ask", "SELECT 1 FROM t", &[]).await.is_err());
    assert_eq!(session.round_trips() - before, 4);
    assert_eq!(cell(&session, "SELECT count(*) FROM pg_prepared_statements").await, "0");
    session.batch("notice", "DO $$ BEGIN RAISE WARNING 'careful'; END $$").await.expect("runs");
    let notices = session.notices();
    assert_eq!((notices.len(), notices[0].message.as_str()), (1, "careful"));
    assert!(session.notices().is_empty());
}

async fn with_interrupt(text: &str) -> (Server, Interrupt) {
    let interrupt = Interrupt::new();
    let flags = Flags { dbname: Some(text.to_owned()), ..Flags::default() };
    let options = ConnectOptions::resolve(&flags, &Environment::default()).expect("resolves");
    (Server::connect(options, 2, interrupt.clone()).await.expect("connects"), interrupt)
}

/// Waits until the server says that so many sessions of ours run `pg_sleep`.
async fn wait_for_sleepers(observer: &Session, wanted: &str) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    for _ in 0..200 {
        if cell(observer, sql).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never {wanted} sleeping sessions");
}

#[tokio::test]
async fn an_interrupt_cancels_the_statement_and_lets_us_clean_up() {
    let server = shop(TRUST).await;
    let (pool, interrupt) = with_interrupt(&server.tcp("user=postgres")).await;
    let observer_pool = server.superuser().await;
    let observer = session(&observer_pool).await;
    let mut session = session(&pool).await;
    session.begin(&Guards::default(), &[]).await.expect("begins");
    let (ended, ()) = tokio::join!(session.batch("sleep", "SELECT pg_sleep(30)"), async {
        wait_for_sleepers(&observer, "1").await;
        interrupt.raise();
    });
    let error = ended.expect_err("interrupted");
    assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Interrupted, 130));
    wait_for_sleepers(&observer, "0").await;
    let error = session.batch("ask", "SELECT 1").await.expect_err("nothing new is started");
    assert_eq!(error.kind(), Kind::Interrupted);
    session.rollback().await.expect("undoing is not interrupted");
    assert_eq!(cell(session.uninterruptible(), "SELECT 1").await, "1");
    assert_eq!(pool.session("").await.err().map(|error| error.kind()), Some(Kind::Interrupted));
}

#[tokio::test]
async fn a_session_dropped_in_the_middle_does_not_go_back_to_the_pool() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let observer_pool = server.superuser().await;
    let observer = session(&observer_pool).await;
    let mut open = session(&pool).await;
    open.begin(&Guards { read_only: false, ..Guards::default() }, &[]).await.expect("begins");
    let pid = cell(&open, "SELECT pg_backend_pid()").await;
    open.batch("lock", "LOCK t").await.expect("locks");
    drop(open);
    let next = session(&pool).await;
    assert_ne!(cell(&next, "SELECT pg_backend_pid()").await, pid);
    let pid = cell(&next, "SELECT pg_backend_pid()").await;
    let slept =
        tokio::time::timeout(Duration::from_millis(300), next.batch("sleep", "SELECT pg_sleep(30)")).await;
    assert!(slept.is_err(), "the caller gave up");
    drop(next);
    wait_for_sleepers(&observer, "0").await;
    let next = session(&pool).await;
    assert_ne!(cell(&next, "SELECT pg_backend_pid()").await, pid);
    drop(next);
    let again = session(&pool).await;
    let kept = cell(&again, "SELECT pg_backend_pid()").await;
    drop(again);
    assert_eq!(cell(&session(&pool).await, "SELECT pg_backend_pid()").await, kept, "a clean session is kept");
}

#[tokio::test]
async fn an_abandoned_statement_is_stopped_before_the_next() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let mut session = session(&pool).await;
    session.begin(&Guards::default(), &[]).await.expect("begins");
    let pid = cell(&session, "SELECT pg_backend_pid()").await;
    let slept =
        tokio::time::timeout(Duration::from_millis(300), session.batch("sleep", "SELECT pg_sleep(30)")).await;
    assert!(slept.is_err(), "the caller gave up");
    let started = Instant::now();
    session.rollback().await.expect("rolls back");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    session.uninterruptible();
    assert_eq!(cell(&session, "SELECT pg_backend_pid()").await, pid);
}

#[tokio::test]
async fn a_commit_keeps_everything_or_says_that_it_kept_nothing() {
    let server = shop(TRUST).await;
    let pool = server.superuser().await;
    let mut session = session(&pool).await;
    let writing = Guards { read_only: false, ..Guards::default() };
    session.begin(&writing, &[]).await.expect("begins");
    session.batch("insert", "INSERT INTO t VALUES (1)").await.expect("inserts");
    session.commit().await.expect("commits");
    session.begin(&writing, &[]).await.expect("begins");
    session.batch("insert", "INSERT INTO t VALUES (2)").await.expect("inserts");
    session.batch("fail", "SELECT 1/0").await.expect_err("division by zero");
    assert_eq!(session.commit().await.expect_err("nothing was kept").code(), Some("25P02"));
    session.rollback().await.expect("rolls back");
    assert_eq!(cell(&session, "SELECT array_agg(id) FROM t").await, "{1}");
}

#[tokio::test]
async fn signals_raise_the_interrupt() {
    let interrupt = Interrupt::on_signals().expect("handlers are installed");
    assert!(!interrupt.is_raised());
    // SAFETY: raising a signal for which a handler was just installed.
    unsafe { libc::raise(libc::SIGHUP) };
    tokio::time::timeout(Duration::from_secs(5), interrupt.raised()).await.expect("raised");
    assert!(interrupt.is_raised());
}

#[tokio::test]
async fn everything_works_through_pgbouncer_in_transaction_mode() {
    let server = shop(TRUST).await;
    let bouncer = PgBouncer::before(&server);
    let (pool, interrupt) =
        with_interrupt(&format!("host=127.0.0.1 port={} user=postgres", bouncer.port)).await;
    assert!(pool.version().num >= 130_000);
    // One server connection for both: what one leaves behind, the other would see.
    let (mut first, second) = (session(&pool).await, session(&pool).await);
    for _ in 0..3 {
        first.begin(&Guards::default(), &[]).await.expect("begins");
        assert_eq!(cell(&first, "SHOW statement_timeout").await, "30s");
        let json = first.query_json("ask", "SELECT json_build_array($1::int)", &["7".into()]).await;
        assert_eq!(json.ok().as_deref(), Some("[7]"));
        first.rollback().await.expect("rolls back");
        assert_eq!(cell(&second, "SHOW statement_timeout").await, "0");
        assert_eq!(cell(&second, "SELECT count(*) FROM pg_prepared_statements").await, "0");
    }
    let (_, words) =
        refused(&format!("host=127.0.0.1 port={} user=postgres options='-c jit=off'", bouncer.port)).await;
    assert!(words.contains("unset PGOPTIONS"), "{words}");
    let observer_pool = server.superuser().await;
    let observer = session(&observer_pool).await;
    let (ended, ()) = tokio::join!(first.batch("sleep", "SELECT pg_sleep(30)"), async {
        wait_for_sleepers(&observer, "1").await;
        interrupt.raise();
    });
    assert_eq!(ended.expect_err("interrupted").kind(), Kind::Interrupted);
    wait_for_sleepers(&observer, "0").await;
}

#[tokio::test]
async fn too_many_connections_are_said_so_and_waited_for() {
    let server = Postgres::start(TRUST, "superuser_reserved_connections = 0");
    server.sql("ALTER ROLE postgres CONNECTION LIMIT -1; CREATE ROLE one LOGIN CONNECTION LIMIT 1").await;
    let text = server.tcp("user=one dbname=postgres connect_timeout=1");
    let holder = connect(&text).await.expect("the first connects");
    let (error, words) = refused(&text).await;
    assert_eq!((error.kind(), error.code()), (Kind::Connect, Some("53300")));
    assert!(words.contains("too many connections for role"), "{words}");
    let longer = server.tcp("user=one dbname=postgres connect_timeout=10");
    let (second, ()) = tokio::join!(connect(&longer), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(holder);
    });
    second.expect("the place that came free is taken");
}
