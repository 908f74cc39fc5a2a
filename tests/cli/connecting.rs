//! No connection, no rights: what a newcomer meets first. And a password is never shown.

use super::{PASSWORD, explain, newest, pgproof, shop};
use crate::support::{majors, query_text, server};
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn missing_rights_name_the_relation_and_what_to_do() {
    for major in majors() {
        let database = shop(major);
        let role = format!("reader_{}", database.name);
        database.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
        let run = explain(&database, &["-U", &role, "select * from orders"]).env("PGPASSWORD", PASSWORD);
        run.fails(
            3,
            &["failed to plan the statement", "permission denied for table orders", "help: ", "GRANT"],
        );
        let run =
            explain(&database, &["-U", &role, "select 1", "--format", "json"]).env("PGPASSWORD", PASSWORD);
        run.succeeds();
        database.execute(&format!("DROP ROLE {role}"));
    }
}

#[test]
fn a_wrong_password_is_not_shown_and_its_source_is() {
    let major = newest();
    let database = shop(major);
    let role = format!("alice_{}", database.name);
    database.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'another'"));
    let url = server(major).tcp_url(&database.name);
    let address = url.split('@').nth(1).expect("an address");
    let with = format!("postgres://{role}:{PASSWORD}@{address}");
    let denied = "password authentication failed";
    pgproof(&["explain", "-d", &with, "select 1"])
        .fails(3, &["failed to connect", denied, "help: the password came from"]);
    let run = pgproof(&["explain", "select 1"]).env("DATABASE_URL", &with);
    run.fails(3, &[denied, "help: the password came from"]);
    let without = format!("postgres://{role}@{address}");
    let run = pgproof(&["explain", "-d", &without, "select 1"]).env("PGPASSWORD", PASSWORD);
    run.fails(3, &[denied, "PGPASSWORD"]);
    pgproof(&["explain", "-d", &without, "select 1"])
        .fails(3, &["asks for a password", "help: set PGPASSWORD"]);
    let right = format!("postgres://{role}:another@{address}");
    for args in [&["-v", "select 1"][..], &["--format", "json", "select 1"], &["select nope"]] {
        let mut all = vec!["explain", "-d", &right];
        all.extend(args);
        let ran = pgproof(&all).run();
        assert!(!ran.out.contains("another") && !ran.err.contains("another"), "{}{}", ran.out, ran.err);
    }
    query_text(&database.url, &format!("DROP ROLE {role}"));
}

#[test]
fn settings_that_cannot_be_are_usage_errors_without_the_password() {
    let refused = |settings: &str, words: &[&str]| {
        pgproof(&["explain", "-d", settings, "select 1"]).fails(2, words);
    };
    refused(&format!("postgres://a:{PASSWORD}@h:port/d"), &["the port in the URL is not a number", "help:"]);
    refused(&format!("host=h password={PASSWORD} bogus=1"), &["help:"]);
    refused(&format!("postgres://a:{PASSWORD}@h/d?sslmod=require"), &["sslmod"]);
    pgproof(&["explain", "-p", "abc", "select 1"]).fails(2, &["`port` is not a number", "abc"]);
}

#[test]
fn no_server_is_said_after_a_short_while() {
    let run = pgproof(&["explain", "-h", "127.0.0.1", "-p", "1", "-U", "a", "select 1"]);
    run.env("PGPASSWORD", PASSWORD).fails(
        3,
        &["failed to connect to a on 127.0.0.1:1", "Connection refused", "help: is the server running"],
    );
    let run = pgproof(&["explain", "-h", "/no/folder", "-U", "a", "select 1"]);
    run.fails(3, &["failed to connect", "/no/folder", "help: is a server running on this machine"]);
    let run = pgproof(&["explain", "-h", "nohost.invalid", "-U", "a", "select 1"]);
    run.fails(3, &["nohost.invalid:5432", "help: check the host name"]);
    let database = shop(newest());
    explain(&database, &["-d", "nowhere", "select 1"]).fails(3, &["failed to connect to nowhere"]);
}

/// Something that answers on a port, and is no usable server.
fn listener(answer: impl Fn(&mut std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            answer(&mut stream);
        }
    });
    port
}

#[test]
fn a_server_that_is_starting_up_is_waited_for_and_then_named() {
    let port = listener(|stream| {
        let mut packet = [0; 1024];
        // SSLRequest is eight bytes; whatever follows is the start-up packet.
        while let Ok(length @ 1..) = stream.read(&mut packet) {
            if length == 8 {
                let _ = stream.write_all(b"N");
                continue;
            }
            let fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
            let mut message = vec![b'E'];
            message.extend((fields.len() as u32 + 4).to_be_bytes());
            message.extend(fields);
            let _ = stream.write_all(&message);
            return;
        }
    });
    let started = std::time::Instant::now();
    let run = pgproof(&["explain", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "a", "select 1"]);
    run.env("PGCONNECT_TIMEOUT", "2").fails(
        3,
        &[
            "failed to connect",
            "the database system is starting up",
            "help: the server is starting up",
            "connect_timeout",
        ],
    );
    assert!(started.elapsed() >= std::time::Duration::from_secs(1), "it was waited for");
}

#[test]
fn something_else_on_the_port_is_told_from_a_server() {
    let port = listener(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let run = pgproof(&["explain", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "a", "select 1"]);
    run.env("PGSSLMODE", "disable").fails(3, &["failed to connect", "help: "]);
}
