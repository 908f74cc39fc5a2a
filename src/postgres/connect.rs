//! One connection: hosts in turn, TLS or not, the right kind of server, and patience with one that is starting.
//!
//! Refuses to wait for what will not change: a wrong password, an unknown database, a bad certificate.

use super::conninfo::{Address, ChannelBinding, ConnectOptions, Host, SslMode, TargetSession};
use super::diagnosis::{Failure, Hope};
use super::server_error::with_causes;
use super::templates::{SESSION_STATE, marked};
use super::tls::Tls;
use crate::error::{Error, Kind, Result};
use backon::{BackoffBuilder, ExponentialBuilder};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage, Socket, config};

/// How long we keep trying, and how long one host may take, when `connect_timeout` is not set.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);
/// How long we keep trying when nobody listens: long enough for a restart, short enough for a typing error.
const REFUSED_PATIENCE: Duration = Duration::from_secs(2);
/// The first wait between attempts, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The settings that the server reports on its own and that we use.
const REPORTED: [&str; 3] = ["server_version", "in_hot_standby", "default_transaction_read_only"];

/// Something the server said beside its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`, …, in the server's language.
    pub severity: String,
    /// The five-character code.
    pub sqlstate: String,
    /// The message.
    pub message: String,
}

/// A connection, its driver task, and what the server said on the way.
pub(super) struct Connection {
    pub client: Client,
    pub driver: JoinHandle<()>,
    pub parameters: BTreeMap<&'static str, String>,
    pub notices: Arc<Mutex<Vec<Notice>>>,
}

/// Why one attempt gave no connection.
enum Ended {
    /// The server or the network said no.
    Failed(Failure),
    /// Our own settings cannot work, on any host.
    Unusable(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Unusable(error)
    }
}

/// Connects to the first suitable host, trying again while there is hope.
pub(super) async fn connect(options: &ConnectOptions, tls: &Tls) -> Result<Connection> {
    let started = Instant::now();
    let patience = options.connect_timeout.filter(|limit| !limit.is_zero()).unwrap_or(DEFAULT_PATIENCE);
    let mut waits = ExponentialBuilder::new()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .without_max_times()
        .build();
    loop {
        let failures = match try_hosts(options, tls).await? {
            Ok(connection) => return Ok(connection),
            Err(failures) => failures,
        };
        let limit = match failures.iter().map(|(_, failure)| failure.hope).max() {
            Some(Hope::Soon) => patience,
            Some(Hope::Brief) if options.hosts.len() == 1 => patience.min(REFUSED_PATIENCE),
            _ => Duration::ZERO,
        };
        match waits.next() {
            Some(wait) if started.elapsed() + wait < limit => tokio::time::sleep(wait).await,
            _ => return Err(report(options, failures)),
        }
    }
}

/// The error after the last attempt: the only host's own words, or one line per host.
fn report(options: &ConnectOptions, mut failures: Vec<(&Host, Failure)>) -> Error {
    let error = Error::new(Kind::Connect, format!("connect to {}", options.describe()));
    let code = failures.iter().rev().find_map(|(_, failure)| failure.sqlstate.clone());
    let help = failures.iter_mut().rev().find_map(|(_, failure)| failure.help.take());
    let lines = match failures.len() {
        1 => failures.remove(0).1.lines,
        _ => failures.iter().map(|(host, failure)| host_line(host, failure)).collect(),
    };
    let error = with_causes(error, lines);
    let error = match code {
        Some(code) => error.sqlstate(code),
        None => error,
    };
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

fn host_line(host: &Host, failure: &Failure) -> String {
    let line = failure.lines.join("; ");
    let name = host.to_string();
    if line.starts_with(&name) { line } else { format!("{name}: {line}") }
}

type Attempts<'a> = std::result::Result<Connection, Vec<(&'a Host, Failure)>>;

/// Tries every host once, in order; `prefer-standby` goes round again, content with any.
async fn try_hosts<'a>(options: &'a ConnectOptions, tls: &Tls) -> Result<Attempts<'a>> {
    let rounds: &[TargetSession] = match options.target_session {
        TargetSession::PreferStandby => &[TargetSession::Standby, TargetSession::Any],
        ref only => std::slice::from_ref(only),
    };
    let mut failures = Vec::new();
    for wanted in rounds {
        failures.clear();
        for host in &options.hosts {
            match connect_once(host, options, tls, *wanted).await {
                Ok(connection) => return Ok(Ok(connection)),
                Err(Ended::Failed(failure)) => failures.push((host, failure)),
                Err(Ended::Unusable(error)) => return Err(error),
            }
        }
    }
    Ok(Err(failures))
}

/// One attempt on one host: the whole handshake, within the time limit.
async fn connect_once(
    host: &Host,
    options: &ConnectOptions,
    tls: &Tls,
    wanted: TargetSession,
) -> std::result::Result<Connection, Ended> {
    let limit = options.connect_timeout.unwrap_or(DEFAULT_PATIENCE);
    let attempt = async {
        let connection = negotiate(host, options, tls).await?;
        check_target(&connection, host, options, wanted).await?;
        Ok(connection)
    };
    if limit.is_zero() {
        return attempt.await;
    }
    match tokio::time::timeout(limit, attempt).await {
        Ok(ended) => ended,
        Err(_) => {
            let line = format!("{host}: no answer within {} s", limit.as_secs());
            let help =
                "a firewall may drop the packets, or the host is down; allow more time with connect_timeout";
            // The time is up, so there is none left for another attempt.
            Err(Ended::Failed(Failure::new(Hope::None, line).help(help)))
        }
    }
}

/// Chooses between plain and encrypted as `sslmode` says, with libpq's second chances.
async fn negotiate(
    host: &Host,
    options: &ConnectOptions,
    tls: &Tls,
) -> std::result::Result<Connection, Ended> {
    let plain = || async { open(host, options, config::SslMode::Disable, NoTls).await };
    let encrypted = |mode| async move { open(host, options, mode, tls.connector(options)?).await };
    if matches!(host.address, Address::Socket(_)) {
        return plain().await;
    }
    // A server that wants the other kind of connection says so before it asks for a password: 28000.
    let other_kind = |failure: &Failure| failure.sqlstate.as_deref() == Some("28000");
    match options.tls.mode {
        SslMode::Disable => plain().await,
        SslMode::Allow => match plain().await {
            Err(Ended::Failed(first)) if other_kind(&first) => {
                encrypted(config::SslMode::Require).await.map_err(|second| more_telling(first, second))
            }
            ended => ended,
        },
        SslMode::Prefer => match encrypted(config::SslMode::Prefer).await {
            Err(Ended::Failed(first)) if first.in_tls || other_kind(&first) => {
                plain().await.map_err(|second| more_telling(first, second))
            }
            ended => ended,
        },
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
            encrypted(config::SslMode::Require).await
        }
    }
}

/// Of two refusals, the one of the server tells more than the one of the handshake; else the first.
fn more_telling(first: Failure, second: Ended) -> Ended {
    match second {
        Ended::Failed(second) if second.sqlstate.is_some() && first.sqlstate.is_none() => {
            Ended::Failed(second)
        }
        Ended::Unusable(error) => Ended::Unusable(error),
        Ended::Failed(_) => Ended::Failed(first),
    }
}

/// Opens the socket, shakes hands, authenticates, and starts the driver task.
async fn open<T>(
    host: &Host,
    options: &ConnectOptions,
    mode: config::SslMode,
    tls: T,
) -> std::result::Result<Connection, Ended>
where
    T: MakeTlsConnect<Socket>,
    T::TlsConnect: TlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let opened = driver_config(host, options, mode).connect(tls).await;
    let (client, connection) = opened.map_err(|error| Ended::Failed(Failure::of(&error, host, options)))?;
    let parameters =
        REPORTED.iter().filter_map(|name| Some((*name, connection.parameter(name)?.to_owned()))).collect();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let driver = tokio::spawn(drive(connection, notices.clone()));
    Ok(Connection { client, driver, parameters, notices })
}

/// Moves messages until the connection ends. An error reaches whoever waits for an answer, so none is lost here.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, notices: Arc<Mutex<Vec<Notice>>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let (AsyncMessage::Notice(notice), Ok(mut kept)) = (message, notices.lock()) {
            kept.push(Notice {
                severity: notice.severity().to_owned(),
                sqlstate: notice.code().code().to_owned(),
                message: notice.message().to_owned(),
            });
        }
    }
}

fn driver_config(host: &Host, options: &ConnectOptions, mode: config::SslMode) -> tokio_postgres::Config {
    let mut driver = tokio_postgres::Config::new();
    match &host.address {
        Address::Socket(dir) => driver.host_path(dir),
        Address::Tcp { name, addr } => {
            if let Some(addr) = addr {
                driver.hostaddr(*addr);
            }
            driver.host(name)
        }
    };
    driver
        .port(host.port)
        .user(&options.user)
        .dbname(&options.dbname)
        .application_name(&options.application_name)
        .ssl_mode(mode)
        .channel_binding(match options.channel_binding {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        })
        .keepalives(options.keepalives.on);
    if options.tls.direct && mode == config::SslMode::Require {
        driver.ssl_negotiation(config::SslNegotiation::Direct);
    }
    if let Some(password) = &host.password {
        driver.password(password.reveal());
    }
    if let Some(startup) = &options.options {
        driver.options(startup);
    }
    if let Some(idle) = options.keepalives.idle {
        driver.keepalives_idle(idle);
    }
    if let Some(interval) = options.keepalives.interval {
        driver.keepalives_interval(interval);
    }
    if let Some(count) = options.keepalives.count {
        driver.keepalives_retries(count);
    }
    if let Some(limit) = options.keepalives.user_timeout {
        driver.tcp_user_timeout(limit);
    }
    driver
}

/// Checks `target_session_attrs`: from what the server reported (14 and newer), else by asking.
async fn check_target(
    connection: &Connection,
    host: &Host,
    options: &ConnectOptions,
    wanted: TargetSession,
) -> std::result::Result<(), Ended> {
    if matches!(wanted, TargetSession::Any | TargetSession::PreferStandby) {
        return Ok(());
    }
    let on = |name: &str| connection.parameters.get(name).map(|value| value == "on");
    let (standby, read_only) = match (on("in_hot_standby"), on("default_transaction_read_only")) {
        (Some(standby), Some(read_only)) => (standby, standby || read_only),
        _ => {
            let answer = connection.client.simple_query(&marked("connect", SESSION_STATE)).await;
            let rows = answer.map_err(|error| Ended::Failed(Failure::of(&error, host, options)))?;
            let cell = |index| {
                rows.iter().find_map(|message| match message {
                    SimpleQueryMessage::Row(row) => row.get(index),
                    _ => None,
                })
            };
            (cell(0) == Some("t"), cell(1) == Some("on"))
        }
    };
    let (suits, what) = match wanted {
        TargetSession::ReadWrite => {
            (!read_only, "sessions are read-only, and target_session_attrs wants read-write")
        }
        TargetSession::ReadOnly => {
            (read_only, "sessions can write, and target_session_attrs wants read-only")
        }
        TargetSession::Primary => {
            (!standby, "the server is a standby, and target_session_attrs wants primary")
        }
        TargetSession::Standby => {
            (standby, "the server is a primary, and target_session_attrs wants standby")
        }
        TargetSession::Any | TargetSession::PreferStandby => (true, ""),
    };
    if suits {
        return Ok(());
    }
    let failure = Failure::new(Hope::None, format!("{host}: {what}"));
    Err(Ended::Failed(
        failure.help("name the other servers too (-h one,two), or use target_session_attrs=any"),
    ))
}
