//! The list of servers to try: names, addresses, ports and socket folders, each with its password.
//!
//! Refuses to look a name up; the driver does that when it connects.

use super::environment::Environment;
use super::keywords::Bad;
use super::password_file::{Wanted, find_password, read_password_file};
use super::{Origin, Secret, Sources, refuse};
use crate::error::Result;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// PostgreSQL's port.
const DEFAULT_PORT: u16 = 5432;

/// How to reach one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The folder of a Unix socket.
    Socket(PathBuf),
    /// A host over TCP.
    Tcp {
        /// The name or address that was given, which a certificate must match.
        name: String,
        /// The address to use instead of looking the name up (`hostaddr`).
        addr: Option<IpAddr>,
    },
}

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// How to reach it.
    pub address: Address,
    /// The TCP port, or the number in the socket's name.
    pub port: u16,
    /// The password for this server, where there is one.
    pub password: Option<Secret>,
    /// Where the password came from, for the message when the server refuses it.
    pub password_from: Option<String>,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Socket(dir) => {
                write!(f, "socket {}", dir.join(format!(".s.PGSQL.{}", self.port)).display())
            }
            Address::Tcp { name, .. } if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Address::Tcp { name, .. } => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Combines `host`, `hostaddr` and `port`, and finds each server's password.
pub(super) fn resolve_hosts(
    sources: &Sources,
    env: &Environment,
    user: &str,
    dbname: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<Host>> {
    let list = |name: &str| -> Option<(Vec<&str>, &Origin)> {
        let (value, origin) = sources.find(name)?;
        Some((value.split(',').map(str::trim).collect(), origin))
    };
    let names = list("host");
    let addrs = list("hostaddr");
    let count = names.as_ref().or(addrs.as_ref()).map_or(1, |(items, _)| items.len());
    if let (Some((names, _)), Some((addrs, origin))) = (&names, &addrs)
        && names.len() != addrs.len()
    {
        let what = format!("{} hosts but {} in `hostaddr`", names.len(), addrs.len());
        return Err(refuse(origin, Bad::new(what)));
    }
    let ports = resolve_ports(list("port"), count)?;
    let mut hosts = Vec::new();
    for (index, port) in ports.into_iter().enumerate() {
        let name = names.as_ref().map(|(names, _)| names[index]).filter(|name| !name.is_empty());
        let addr = match &addrs {
            Some((addrs, origin)) if !addrs[index].is_empty() => {
                let bad = || Bad::new(format!("`hostaddr` is not an IP address: `{}`", addrs[index]));
                Some(addrs[index].parse::<IpAddr>().map_err(|_| refuse(origin, bad()))?)
            }
            _ => None,
        };
        let address = match (name, addr) {
            (_, Some(ip)) => {
                let name = name.map_or_else(|| ip.to_string(), str::to_owned);
                Address::Tcp { name, addr }
            }
            (Some(name), None) if name.starts_with('@') => {
                let origin = names.as_ref().map_or(&Origin::Environment, |(_, origin)| origin);
                let bad = Bad::new("pgproof cannot reach sockets in the abstract namespace (`@…`)");
                return Err(refuse(
                    origin,
                    bad.help("name the server's other socket folder or its TCP address"),
                ));
            }
            (Some(name), None) if name.starts_with('/') => Address::Socket(PathBuf::from(name)),
            (Some(name), None) => Address::Tcp { name: name.to_owned(), addr: None },
            (None, None) => default_address(env, port),
        };
        hosts.push(Host { address, port, password: None, password_from: None });
    }
    fill_passwords(&mut hosts, sources, env, user, dbname, warnings);
    if sources.word("load_balance_hosts", &[("disable", false), ("random", true)], false)? {
        fastrand::shuffle(&mut hosts);
    }
    Ok(hosts)
}

fn resolve_ports(ports: Option<(Vec<&str>, &Origin)>, hosts: usize) -> Result<Vec<u16>> {
    let Some((ports, origin)) = ports else { return Ok(vec![DEFAULT_PORT; hosts]) };
    if ports.len() != 1 && ports.len() != hosts {
        let what = format!("{} ports for {hosts} hosts", ports.len());
        return Err(refuse(origin, Bad::new(what).help("give one port, or one per host")));
    }
    let mut numbers = Vec::new();
    for port in ports {
        let number = match port {
            "" => Some(DEFAULT_PORT),
            port => port.parse::<u16>().ok().filter(|port| *port > 0),
        };
        let bad = || Bad::new(format!("`port` is not a number from 1 to 65535: `{port}`"));
        numbers.push(number.ok_or_else(|| refuse(origin, bad()))?);
    }
    if numbers.len() == 1 {
        numbers.resize(hosts, numbers[0]);
    }
    Ok(numbers)
}

/// Where a local server listens: its socket if there is one, else `localhost` (a container's published port).
fn default_address(env: &Environment, port: u16) -> Address {
    let socket = format!(".s.PGSQL.{port}");
    match env.socket_dirs.iter().find(|dir| dir.join(&socket).exists()) {
        Some(dir) => Address::Socket(dir.clone()),
        None => Address::Tcp { name: "localhost".to_owned(), addr: None },
    }
}

fn fill_passwords(
    hosts: &mut [Host],
    sources: &Sources,
    env: &Environment,
    user: &str,
    dbname: &str,
    warnings: &mut Vec<String>,
) {
    if let Some((password, origin)) = sources.find("password") {
        let from = match origin {
            Origin::Environment => "PGPASSWORD".to_owned(),
            origin => origin.to_string(),
        };
        for host in hosts {
            host.password = Some(Secret::new(password));
            host.password_from = Some(from.clone());
        }
        return;
    }
    let default = || env.home.as_ref().map(|home| home.join(".pgpass"));
    let Some(path) = sources.text("passfile").map(PathBuf::from).or_else(default) else { return };
    let Some(text) = read_password_file(&path, warnings) else { return };
    for host in hosts {
        let name = match &host.address {
            Address::Socket(dir) if env.socket_dirs.contains(dir) => "localhost",
            Address::Socket(dir) => path_text(dir),
            Address::Tcp { name, .. } => name,
        };
        host.password = find_password(&text, Wanted { host: name, port: host.port, dbname, user });
        host.password_from = host.password.is_some().then(|| format!("password file {}", path.display()));
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap_or("")
}
