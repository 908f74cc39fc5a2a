//! Where to connect and how, decided as libpq decides it: connection string, flags, service, variables, defaults.
//!
//! Refuses to connect, and to show a password in any error.

mod environment;
mod hosts;
mod keywords;
mod password_file;
mod secret;
mod service_file;
#[cfg(test)]
mod tests;
mod uri;

pub use environment::Environment;
pub use hosts::{Address, Host};
pub use secret::Secret;

use crate::error::{Error, Kind, Result};
use keywords::{Bad, KEYWORDS, Role, Settings};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The name that our sessions carry, unless a connection string names another.
const APPLICATION_NAME: &str = "pgproof";

/// The connection flags, as typed.
#[derive(Clone, Default)]
pub struct Flags {
    /// `-h`: a host name, an address, a socket folder, or a list of them.
    pub host: Option<String>,
    /// `-p`: a port, or as many as there are hosts.
    pub port: Option<String>,
    /// `-U`: the role.
    pub user: Option<String>,
    /// `-d`: a database name, a `key=value` string or a `postgres://` URL, which wins over the other flags as in psql.
    pub dbname: Option<String>,
}

/// `sslmode`, with libpq's meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never encrypt.
    Disable,
    /// Encrypt only when the server refuses plain connections.
    Allow,
    /// Encrypt when possible.
    Prefer,
    /// Encrypt, without asking who the server is.
    Require,
    /// Encrypt, and trust the certificate's issuer.
    VerifyCa,
    /// Encrypt, trust the issuer, and check that the certificate names this host.
    VerifyFull,
}

/// Which server of several will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetSession {
    /// The first that answers.
    Any,
    /// One whose sessions can write.
    ReadWrite,
    /// One whose sessions cannot write.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One in recovery.
    Standby,
    /// One in recovery, else any.
    PreferStandby,
}

/// Whether SCRAM must be bound to the TLS channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    Prefer,
    /// Always: refuse a server that does not.
    Require,
}

/// Where trusted root certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// The operating system's store (`sslrootcert=system`).
    System,
    /// This file; by default `~/.postgresql/root.crt`, whether or not it exists.
    File(PathBuf),
    /// None was named, and there is no home folder to look in.
    None,
}

/// Everything TLS needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether to encrypt and what to verify.
    pub mode: SslMode,
    /// TLS from the first byte (`sslnegotiation=direct`, PostgreSQL 17 and newer).
    pub direct: bool,
    /// Trusted roots.
    pub roots: Roots,
    /// The client certificate; a file that does not exist means none, as in libpq.
    pub cert: Option<PathBuf>,
    /// The key of the client certificate.
    pub key: Option<PathBuf>,
    /// Revoked certificates; a file that does not exist means none, as in libpq.
    pub crl: Option<PathBuf>,
    /// Whether the host name is sent in clear, so that a proxy can route by it.
    pub sni: bool,
    /// Whether TLS 1.2 may be used.
    pub tls12: bool,
    /// Whether TLS 1.3 may be used.
    pub tls13: bool,
}

/// TCP keepalive settings; `None` leaves the operating system's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalives {
    /// Whether keepalives are on.
    pub on: bool,
    /// Silence before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// Probes without an answer before the connection counts as lost.
    pub count: Option<u32>,
    /// How long sent data may stay without an acknowledgement.
    pub user_timeout: Option<Duration>,
}

/// A complete answer to "where do we connect, and how?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The servers to try, in this order.
    pub hosts: Vec<Host>,
    /// The role.
    pub user: String,
    /// The database.
    pub dbname: String,
    /// Whether the database's name was chosen for lack of another: it is the role's.
    pub dbname_is_default: bool,
    /// The start-up `options`, only where the user gave some: PgBouncer refuses them.
    pub options: Option<String>,
    /// What `pg_stat_activity` shows.
    pub application_name: String,
    /// The limit for one attempt on one host: `None` is our default, zero is no limit.
    pub connect_timeout: Option<Duration>,
    /// Which server will do.
    pub target_session: TargetSession,
    /// Whether SCRAM must be bound to the TLS channel.
    pub channel_binding: ChannelBinding,
    /// Encryption.
    pub tls: TlsOptions,
    /// TCP keepalives.
    pub keepalives: Keepalives,
    /// What the user should hear, such as a password file that was not read. For standard error.
    pub warnings: Vec<String>,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Flags,
    ConnectionString,
    DatabaseUrl,
    Service(PathBuf),
    Environment,
}

impl Origin {
    fn kind(&self) -> Kind {
        match self {
            Origin::Flags | Origin::ConnectionString => Kind::Usage,
            Origin::DatabaseUrl | Origin::Service(_) | Origin::Environment => Kind::Config,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flags => f.write_str("the command line"),
            Origin::ConnectionString => f.write_str("the connection string"),
            Origin::DatabaseUrl => f.write_str("DATABASE_URL"),
            Origin::Service(path) => write!(f, "service file {}", path.display()),
            Origin::Environment => f.write_str("the environment"),
        }
    }
}

fn refuse(origin: &Origin, bad: Bad) -> Error {
    let error = Error::new(origin.kind(), format!("understand the connection settings from {origin}"));
    let error = error.because(bad.what);
    match bad.help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Settings by source, the strongest first.
struct Sources(Vec<(Origin, Settings)>);

impl Sources {
    fn find(&self, name: &str) -> Option<(&str, &Origin)> {
        self.0.iter().find_map(|(origin, settings)| settings.get(name).map(|value| (value, origin)))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(value, _)| value)
    }

    /// A value out of a short list of words; `default` when it is not set.
    fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], default: T) -> Result<T> {
        let Some((value, origin)) = self.find(name) else { return Ok(default) };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => Ok(*meaning),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let bad = Bad::new(format!("`{name}` cannot be `{value}`"));
                Err(refuse(origin, bad.help(format!("it is one of {}", known.join(", ")))))
            }
        }
    }

    fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some((value, origin)) = self.find(name) else { return Ok(None) };
        match value.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(refuse(origin, Bad::new(format!("`{name}` is not a whole number: `{value}`")))),
        }
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        let seconds = self.number::<i64>(name)?;
        Ok(seconds.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
    }
}

impl ConnectOptions {
    /// Decides where to connect. Reads the service and password files that the settings lead to.
    ///
    /// # Errors
    /// [`Kind::Usage`] for what was typed, [`Kind::Config`] for files and variables; neither shows a password.
    pub fn resolve(flags: &Flags, env: &Environment) -> Result<Self> {
        let sources = gather(flags, env)?;
        check_roles(&sources)?;
        let mut warnings = Vec::new();
        let user = match (sources.text("user"), &env.os_user) {
            (Some(user), _) => user.to_owned(),
            (None, Some(user)) => user.clone(),
            (None, None) => {
                return Err(Error::new(Kind::Usage, "find out which role to connect as")
                    .because("the operating system has no name for this user")
                    .help("name the role with -U or PGUSER"));
            }
        };
        let dbname = sources.text("dbname").map(str::to_owned);
        let dbname_is_default = dbname.is_none();
        let dbname = dbname.unwrap_or_else(|| user.clone());
        let hosts = hosts::resolve_hosts(&sources, env, &user, &dbname, &mut warnings)?;
        Ok(ConnectOptions {
            hosts,
            user,
            dbname,
            dbname_is_default,
            options: sources.text("options").map(str::to_owned),
            application_name: sources
                .text("application_name")
                .or(sources.text("fallback_application_name"))
                .unwrap_or(APPLICATION_NAME)
                .to_owned(),
            connect_timeout: sources.seconds("connect_timeout")?,
            target_session: sources.word(
                "target_session_attrs",
                &[
                    ("any", TargetSession::Any),
                    ("read-write", TargetSession::ReadWrite),
                    ("read-only", TargetSession::ReadOnly),
                    ("primary", TargetSession::Primary),
                    ("standby", TargetSession::Standby),
                    ("prefer-standby", TargetSession::PreferStandby),
                ],
                TargetSession::Any,
            )?,
            channel_binding: sources.word(
                "channel_binding",
                &[
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ],
                ChannelBinding::Prefer,
            )?,
            tls: tls_options(&sources, env)?,
            keepalives: Keepalives {
                on: sources.number::<i32>("keepalives")?.unwrap_or(1) != 0,
                idle: sources.seconds("keepalives_idle")?.filter(|idle| !idle.is_zero()),
                interval: sources.seconds("keepalives_interval")?.filter(|interval| !interval.is_zero()),
                count: sources.number::<u32>("keepalives_count")?.filter(|count| *count > 0),
                user_timeout: sources
                    .number::<u64>("tcp_user_timeout")?
                    .filter(|millis| *millis > 0)
                    .map(Duration::from_millis),
            },
            warnings,
        })
    }

    /// The connection in a few words, such as `shop on db.example.com:5432 as alice`.
    pub fn describe(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        format!("{} on {} as {}", self.dbname, hosts.join(" or "), self.user)
    }
}

/// Collects the settings of every source, the strongest first.
fn gather(flags: &Flags, env: &Environment) -> Result<Sources> {
    let mut typed = Settings::default();
    for (name, value) in [("host", &flags.host), ("port", &flags.port), ("user", &flags.user)] {
        if let Some(value) = value {
            typed.set(name, value.as_str()).map_err(|bad| refuse(&Origin::Flags, bad))?;
        }
    }
    let mut sources = Vec::new();
    match flags.dbname.as_deref() {
        Some(text) if uri::is_uri(text) || text.contains('=') => {
            sources
                .push((Origin::ConnectionString, parse_connection_string(text, &Origin::ConnectionString)?));
        }
        Some(name) => typed.set("dbname", name).map_err(|bad| refuse(&Origin::Flags, bad))?,
        None => {}
    }
    sources.push((Origin::Flags, typed));
    // A host that was typed is another server than the URL's: its password must not go there.
    let named = flags.dbname.is_some() || flags.host.is_some();
    if let (false, None, None, Some(url)) =
        (named, env.var("PGDATABASE"), env.var("PGSERVICE"), env.var("DATABASE_URL"))
    {
        let mut settings = parse_connection_string(url, &Origin::DatabaseUrl)?;
        if flags.user.as_deref().is_some_and(|user| settings.get("user") != Some(user)) {
            settings.remove("password");
        }
        sources.push((Origin::DatabaseUrl, settings));
    }
    let mut variables = Settings::default();
    for keyword in KEYWORDS {
        if let Some(value) = keyword.variable.and_then(|variable| env.var(variable)) {
            variables.set(keyword.name, value).map_err(|bad| refuse(&Origin::Environment, bad))?;
        }
    }
    if env.var("PGREQUIRESSL").is_some_and(|value| value.starts_with('1')) {
        variables.set_first("sslmode", "require").map_err(|bad| refuse(&Origin::Environment, bad))?;
    }
    sources.push((Origin::Environment, variables));
    let mut sources = Sources(sources);
    if let Some(name) = sources.text("service") {
        let (settings, path) = service_file::find_service(name, sources.text("servicefile"), env)
            .map_err(|bad| refuse(&Origin::Environment, bad))?;
        let before_variables = sources.0.len() - 1;
        sources.0.insert(before_variables, (Origin::Service(path), settings));
    }
    Ok(sources)
}

fn parse_connection_string(text: &str, origin: &Origin) -> Result<Settings> {
    let parsed = if uri::is_uri(text) {
        uri::parse_uri(text)
    } else if let (Some((scheme, _)), true) = (text.split_once("://"), *origin == Origin::DatabaseUrl) {
        // Frameworks write `postgresql+asyncpg://`, and other databases use the same variable.
        Err(Bad::new(format!("`{scheme}://` is not a PostgreSQL URL"))
            .help("name the database with -d postgres://… or PGDATABASE"))
    } else {
        keywords::parse_key_values(text)
    };
    parsed.map_err(|bad| refuse(origin, bad))
}

/// Refuses settings that ask for what we cannot give: silence would be a broken promise.
fn check_roles(sources: &Sources) -> Result<()> {
    for keyword in KEYWORDS {
        let Role::Only(values, why) = keyword.role else { continue };
        if let Some((value, origin)) = sources.find(keyword.name)
            && !values.contains(&value)
        {
            return Err(refuse(origin, Bad::new(format!("`{}` is set: {why}", keyword.name))));
        }
    }
    Ok(())
}

fn tls_options(sources: &Sources, env: &Environment) -> Result<TlsOptions> {
    let home = |name: &str| env.home.as_ref().map(|home| home.join(".postgresql").join(name));
    let file = |name: &str, default: &str| sources.text(name).map(PathBuf::from).or_else(|| home(default));
    let roots = match sources.text("sslrootcert") {
        Some("system") => Roots::System,
        _ => file("sslrootcert", "root.crt").map_or(Roots::None, Roots::File),
    };
    let default = if roots == Roots::System { SslMode::VerifyFull } else { SslMode::Prefer };
    let mode = sources.word(
        "sslmode",
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
        default,
    )?;
    let mode_origin = sources.find("sslmode").map_or(&Origin::Environment, |(_, origin)| origin);
    if roots == Roots::System && mode != SslMode::VerifyFull {
        let bad = Bad::new(
            "sslrootcert=system trusts every public authority, which a weaker sslmode turns into no check",
        );
        return Err(refuse(mode_origin, bad.help("use sslmode=verify-full")));
    }
    let direct = sources.word("sslnegotiation", &[("postgres", false), ("direct", true)], false)?;
    if direct && mode < SslMode::Require {
        let bad = Bad::new("sslnegotiation=direct cannot fall back to a plain connection");
        return Err(refuse(mode_origin, bad.help("use sslmode=require or stronger")));
    }
    let versions = [("TLSv1", 10), ("TLSv1.1", 11), ("TLSv1.2", 12), ("TLSv1.3", 13)];
    let min = sources.word("ssl_min_protocol_version", &versions, 12)?;
    let max = sources.word("ssl_max_protocol_version", &versions, 13)?;
    let client_certificate = sources.text("sslcertmode") != Some("disable");
    let options = TlsOptions {
        mode,
        direct,
        roots,
        cert: file("sslcert", "postgresql.crt").filter(|_| client_certificate),
        key: file("sslkey", "postgresql.key"),
        crl: file("sslcrl", "root.crl"),
        sni: sources.text("sslsni") != Some("0"),
        tls12: min <= 12 && max >= 12,
        tls13: min <= 13 && max >= 13,
    };
    if !options.tls12 && !options.tls13 {
        let origin =
            sources.find("ssl_max_protocol_version").map_or(&Origin::Environment, |(_, origin)| origin);
        return Err(refuse(origin, Bad::new("the TLS versions allowed leave out both TLSv1.2 and TLSv1.3")));
    }
    Ok(options)
}
