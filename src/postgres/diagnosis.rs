//! Why a connection failed, in words that a newcomer can act on, and whether trying again may help.
//!
//! Refuses to try again: `connect` does.

use super::conninfo::{Address, ConnectOptions, Host};
use super::server_error::{driver_lines, io_cause, reported_lines};
use super::tls;
use crate::error::plain_words;
use std::io::ErrorKind;
use tokio_postgres::error::DbError;

/// Whether another attempt may end differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hope {
    /// The same settings will fail again.
    None,
    /// Nobody listens, or whoever does hangs up: a server may be about to start.
    Brief,
    /// The server said that it will take connections soon.
    Soon,
}

/// One failed attempt.
#[derive(Debug)]
pub(super) struct Failure {
    pub hope: Hope,
    pub sqlstate: Option<String>,
    pub lines: Vec<String>,
    pub help: Option<String>,
    /// The TLS handshake itself failed.
    pub in_tls: bool,
}

impl Failure {
    pub(super) fn new(hope: Hope, line: impl Into<String>) -> Self {
        Failure { hope, sqlstate: None, lines: vec![line.into()], help: None, in_tls: false }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Reads what the driver reported about an attempt on `host`.
    pub(super) fn of(error: &tokio_postgres::Error, host: &Host, options: &ConnectOptions) -> Self {
        if let Some(reported) = error.as_db_error() {
            return of_server(reported, host, options);
        }
        let lines = driver_lines(error);
        // The driver keeps its own kind private; its first line is the only sign of where it failed.
        let in_tls = lines[0].contains("TLS handshake");
        let mut failure = Failure { hope: Hope::None, sqlstate: None, lines, help: None, in_tls };
        if in_tls {
            return of_tls(failure, error);
        }
        if failure.lines.iter().any(|line| line == "password missing") {
            failure.lines = vec!["the server asks for a password and there is none".to_owned()];
            return failure.help(
                "set PGPASSWORD, or add a line host:port:database:user:password to ~/.pgpass (chmod 0600 ~/.pgpass)",
            );
        }
        if failure.lines.iter().any(|line| line.contains("channel binding")) {
            return failure
                .help("channel_binding=require needs TLS and SCRAM; use channel_binding=prefer otherwise");
        }
        let Some(io) = io_cause(error) else {
            let unsupported =
                failure.lines.iter().any(|line| line.contains("unsupported authentication method"));
            return failure.help(if unsupported {
                "pgproof knows password, md5, scram-sha-256, cert, trust and peer; allow one of them in pg_hba.conf"
            } else {
                "is this the port of a PostgreSQL server or of a pooler?"
            });
        };
        match io.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => {
                failure.hope = Hope::Brief;
                failure.lines = vec![format!("{host}: {}", plain_words(io))];
                failure.help(no_server_help(host))
            }
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
                failure.hope = Hope::Brief;
                failure.lines = vec![format!("{host}: the server closed the connection before it was ready")];
                failure.help("see the server's log; is this the port of a PostgreSQL server?")
            }
            ErrorKind::TimedOut => {
                failure.hope = Hope::Soon;
                failure.help("a firewall may drop the packets, or the host is down")
            }
            ErrorKind::PermissionDenied => {
                failure.lines = vec![format!("{host}: {}", plain_words(io))];
                failure.help("this user may not use the socket; connect over TCP with -h localhost")
            }
            _ if failure.lines.iter().any(|line| line.contains("lookup")) => {
                failure.lines = vec![format!("{host}: no address is known for this name: {io}")];
                failure.help("check the host name (-h, PGHOST or the URL)")
            }
            _ => failure.help(no_server_help(host)),
        }
    }
}

fn no_server_help(host: &Host) -> String {
    match &host.address {
        Address::Socket(_) => {
            "is a server running on this machine with its socket there? Name another folder or host \
                               with -h (localhost for a container), another port with -p"
                .to_owned()
        }
        Address::Tcp { .. } => {
            "is the server running on that host and accepting TCP connections? Name another with \
                                -h and -p, or with -d postgres://user@host:port/database"
                .to_owned()
        }
    }
}

fn of_tls(mut failure: Failure, error: &tokio_postgres::Error) -> Failure {
    let rustls =
        io_cause(error).and_then(|io| io.get_ref()).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some((what, help)) = rustls.and_then(tls::trouble) {
        failure.lines = vec![format!("TLS: {what}")];
        return failure.help(help);
    }
    if failure.lines.iter().any(|line| line.contains("does not support TLS")) {
        failure.lines = vec!["the server does not offer TLS".to_owned()];
        return failure.help("turn ssl on there, or use sslmode=prefer");
    }
    if matches!(rustls, Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_))) {
        return failure
            .help("pgproof speaks TLS 1.2 and 1.3 with forward-secret ciphers; see the server's log");
    }
    failure
}

fn of_server(reported: &DbError, host: &Host, options: &ConnectOptions) -> Failure {
    let code = reported.code().code();
    let message = reported.message();
    let mut failure = Failure {
        hope: Hope::None,
        sqlstate: Some(code.to_owned()),
        lines: reported_lines(reported),
        help: None,
        in_tls: false,
    };
    let user = &options.user;
    match code {
        "28P01" => match &host.password_from {
            Some(from) => failure.help(format!("the password came from {from}; is it the one of role {user}?")),
            None => failure.help("set PGPASSWORD, or add the password to ~/.pgpass"),
        },
        "28000" if message.contains("pg_hba.conf") => {
            let encrypted = message.contains("no encryption") || message.contains("SSL off");
            let first = if encrypted { "if the server wants TLS, use sslmode=require; else " } else { "" };
            failure.help(format!(
                "{first}add a line to the server's pg_hba.conf, such as `host {} {user} <this machine's address>/32 \
                 scram-sha-256`, and reload it",
                options.dbname
            ))
        }
        "28000" if matches!(host.address, Address::Socket(_)) => failure.help(
            "on the socket the server goes by the operating system's user: name the role with -U, run as that user \
             (sudo -u postgres pgproof …), or use a password over TCP with -h localhost",
        ),
        "28000" => failure.help("name another role with -U"),
        "3D000" if options.dbname_is_default => {
            failure.help("no database was named, so the role's name was taken: name one with -d")
        }
        "3D000" => failure.help("name another database with -d; psql -l lists them"),
        "57P03" => {
            failure.hope = Hope::Soon;
            failure.help("the server is starting up, shutting down or recovering: try again, or allow more time with connect_timeout")
        }
        "57P01" | "57P02" => {
            failure.hope = Hope::Soon;
            failure
        }
        "53300" => {
            failure.hope = Hope::Soon;
            failure.help("close idle sessions, lower --pool, or raise max_connections")
        }
        _ if options.options.is_some() && message.contains("startup parameter") => {
            failure.help("PgBouncer refuses start-up options: unset PGOPTIONS and `options`")
        }
        _ => failure,
    }
}
