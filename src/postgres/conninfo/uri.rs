//! `postgres://` URLs, as libpq reads them: several hosts, IPv6, percent-encoding, socket folders.
//!
//! Refuses to show what stands in a URL: a misplaced `@` or `/` turns a password into a host or a port.

use super::keywords::{Bad, Settings};

const ENCODE: &str = "percent-encode these characters in a user name or password: `@` as %40, `/` as %2F, `?` as %3F, \
                      `:` as %3A, `%` as %25";

/// Whether libpq would read `text` as a URL.
pub(super) fn is_uri(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// Parses a `postgres://` or `postgresql://` URL.
pub(super) fn parse_uri(text: &str) -> Result<Settings, Bad> {
    let mut settings = Settings::default();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (before_query, query) = match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = match before_query.split_once('/') {
        Some((authority, path)) => (authority, Some(path)),
        None => (before_query, None),
    };
    if path.is_some_and(|path| path.contains('@')) {
        return Err(Bad::new("the URL holds an `@` after its first `/`").help(ENCODE));
    }
    let hosts = match authority.split_once('@') {
        None => authority,
        Some((credentials, hosts)) => {
            if hosts.contains('@') {
                return Err(Bad::new("the URL holds more than one `@` before the database name").help(ENCODE));
            }
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            settings.set("user", decode(user, "user")?)?;
            if let Some(password) = password {
                settings.set("password", decode(password, "password")?)?;
            }
            hosts
        }
    };
    // A `?` inside a password cuts the URL before its `@`; libpq has no such URL without credentials.
    if !authority.contains('@') && query.is_some_and(looks_like_credentials) {
        return Err(Bad::new("the URL holds a `?` before its `@`").help(ENCODE));
    }
    set_hosts(&mut settings, hosts)?;
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        settings.set("dbname", decode(path, "database name")?)?;
    }
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        set_query_pair(&mut settings, pair)?;
    }
    Ok(settings)
}

/// Whether a query has an `@` before its first `=`: then it is the tail of a password and a host.
fn looks_like_credentials(query: &str) -> bool {
    query.find('@').is_some_and(|at| query.find('=').is_none_or(|equals| at < equals))
}

fn set_hosts(settings: &mut Settings, hosts: &str) -> Result<(), Bad> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(inner) => {
                let (name, after) = inner
                    .split_once(']')
                    .ok_or_else(|| Bad::new("an IPv6 address in the URL has no closing `]`"))?;
                match after.strip_prefix(':') {
                    Some(port) => (name, port),
                    None if after.is_empty() => (name, ""),
                    None => return Err(Bad::new("something other than a port follows the `]` in the URL")),
                }
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        if !port.is_empty() && port.parse::<u16>().is_err() {
            // Not shown: with an unencoded `/` in the password, this is the password's first part.
            return Err(Bad::new("the port in the URL is not a number from 1 to 65535").help(ENCODE));
        }
        names.push(decode(name, "host")?);
        ports.push(port);
    }
    if names.iter().any(|name| !name.is_empty()) {
        settings.set("host", names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        settings.set("port", ports.join(","))?;
    }
    Ok(())
}

fn set_query_pair(settings: &mut Settings, pair: &str) -> Result<(), Bad> {
    let (name, value) = pair
        .split_once('=')
        .ok_or_else(|| Bad::new("a parameter after the `?` of the URL has no `=`").help(ENCODE))?;
    let name = decode(name, "parameter name")?;
    let value = decode(value, "parameter")?;
    match (name.as_str(), value.as_str()) {
        // The one spelling of JDBC that libpq understands.
        ("ssl", "true") => settings.set("sslmode", "require"),
        _ => settings.set(&name, value),
    }
}

/// Undoes percent-encoding; `what` names the part in an error, which never shows it.
fn decode(text: &str, what: &str) -> Result<String, Bad> {
    let bad = || Bad::new(format!("the {what} in the URL is not valid percent-encoding")).help(ENCODE);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(bad()) };
        match (high * 16 + low) as u8 {
            0 => return Err(bad()),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}
