//! The connection keywords that libpq knows, and what we do with each; the `key=value` notation.
//!
//! Refuses to interpret a value: `conninfo` does, with the place it came from.

/// What we do with a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Decides something here.
    Used,
    /// Accepted, because it changes nothing for us.
    Ignored,
    /// Only these values are possible here; the sentence says why.
    Only(&'static [&'static str], &'static str),
}

/// A keyword of libpq, with the environment variable that stands for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keyword {
    pub name: &'static str,
    pub variable: Option<&'static str>,
    pub role: Role,
}

const fn used(name: &'static str, variable: &'static str) -> Keyword {
    Keyword { name, variable: Some(variable), role: Role::Used }
}

const fn unnamed(name: &'static str) -> Keyword {
    Keyword { name, variable: None, role: Role::Used }
}

const fn ignored(name: &'static str) -> Keyword {
    Keyword { name, variable: None, role: Role::Ignored }
}

const fn only(
    name: &'static str,
    variable: Option<&'static str>,
    values: &'static [&'static str],
    why: &'static str,
) -> Keyword {
    Keyword { name, variable, role: Role::Only(values, why) }
}

/// Every keyword of libpq 18 that a client may set.
pub(super) const KEYWORDS: &[Keyword] = &[
    used("host", "PGHOST"),
    used("hostaddr", "PGHOSTADDR"),
    used("port", "PGPORT"),
    used("dbname", "PGDATABASE"),
    used("user", "PGUSER"),
    used("password", "PGPASSWORD"),
    used("passfile", "PGPASSFILE"),
    used("service", "PGSERVICE"),
    used("servicefile", "PGSERVICEFILE"),
    used("options", "PGOPTIONS"),
    // PGAPPNAME is not read: our sessions are found as `pgproof`, unless a connection string says otherwise.
    unnamed("application_name"),
    unnamed("fallback_application_name"),
    used("connect_timeout", "PGCONNECT_TIMEOUT"),
    used("channel_binding", "PGCHANNELBINDING"),
    used("target_session_attrs", "PGTARGETSESSIONATTRS"),
    used("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    used("sslmode", "PGSSLMODE"),
    used("sslnegotiation", "PGSSLNEGOTIATION"),
    used("sslrootcert", "PGSSLROOTCERT"),
    used("sslcert", "PGSSLCERT"),
    used("sslkey", "PGSSLKEY"),
    used("sslcrl", "PGSSLCRL"),
    used("sslsni", "PGSSLSNI"),
    used("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    used("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    unnamed("keepalives"),
    unnamed("keepalives_idle"),
    unnamed("keepalives_interval"),
    unnamed("keepalives_count"),
    unnamed("tcp_user_timeout"),
    only(
        "sslcertmode",
        Some("PGSSLCERTMODE"),
        &["allow", "disable"],
        "pgproof cannot insist that the server asks for a client certificate",
    ),
    only("sslpassword", None, &[], "pgproof cannot read encrypted keys; decrypt the key file"),
    only("sslcrldir", Some("PGSSLCRLDIR"), &[], "pgproof reads one revocation list; name it with sslcrl"),
    only("require_auth", Some("PGREQUIREAUTH"), &[], "pgproof cannot restrict the authentication method"),
    only("requirepeer", Some("PGREQUIREPEER"), &[], "pgproof cannot check the owner of a socket"),
    only("gssencmode", Some("PGGSSENCMODE"), &["disable", "prefer"], "pgproof does not speak GSSAPI"),
    only("replication", None, &["false", "off", "no", "0"], "pgproof needs an ordinary session"),
    ignored("client_encoding"),
    ignored("sslcompression"),
    ignored("krbsrvname"),
    ignored("gsslib"),
    ignored("gssdelegation"),
    ignored("min_protocol_version"),
    ignored("max_protocol_version"),
    ignored("scram_client_key"),
    ignored("scram_server_key"),
    ignored("oauth_issuer"),
    ignored("oauth_client_id"),
    ignored("oauth_client_secret"),
    ignored("oauth_scope"),
];

/// What is wrong with a setting, in words that never hold its value when that could be a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub what: String,
    pub help: Option<String>,
}

impl Bad {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Bad { what: what.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Settings from one source; a later setting of the same keyword replaces an earlier one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// Sets a keyword, or says which one may have been meant.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), Bad> {
        let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.name == name) else {
            return Err(unknown(name));
        };
        self.0.retain(|(old, _)| *old != keyword.name);
        self.0.push((keyword.name, value.into()));
        Ok(())
    }

    /// Sets a keyword unless this source has it already, as a service file does.
    pub(super) fn set_first(&mut self, name: &str, value: &str) -> Result<(), Bad> {
        if self.get(name).is_some() { Ok(()) } else { self.set(name, value) }
    }

    /// The value of a keyword; `None` when it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(set, value)| *set == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(set, _)| *set != name);
    }
}

fn unknown(name: &str) -> Bad {
    // A name this long is more likely a piece of a password than a misspelt keyword.
    let shown: String = if name.chars().count() <= 32 { format!("`{name}` ") } else { String::new() };
    let bad = Bad::new(format!("{shown}is not a connection keyword").trim_start().to_owned());
    match nearest(name) {
        Some(right) => bad.help(format!("did you mean `{right}`?")),
        None => {
            bad.help("psql refuses it too; the keywords are those of libpq, such as host, port, dbname, user")
        }
    }
}

/// The keyword within two edits of `name`, and within half of its length.
fn nearest(name: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .map(|keyword| (crate::words::distance(name, keyword.name), keyword.name))
        .filter(|(distance, right)| *distance <= 2 && distance * 2 <= right.len())
        .min()
        .map(|(_, right)| right)
}

/// Parses libpq's `key=value key='quoted value'` notation.
pub(super) fn parse_key_values(text: &str) -> Result<Settings, Bad> {
    let mut settings = Settings::default();
    let mut rest = text.chars().peekable();
    let mut after_password = false;
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(settings);
        }
        let mut name = String::new();
        while let Some(c) = rest.next_if(|c| *c != '=' && !c.is_whitespace()) {
            name.push(c);
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.next() != Some('=') {
            // The word is not shown: it may be the rest of a password with a space in it.
            return Err(Bad::new("a word in the connection string has no `=` after it")
                .help("write key=value pairs; quote a value that holds spaces: password='two words'"));
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let value = take_value(&mut rest).ok_or_else(|| {
            Bad::new(format!("the quoted value of `{name}` in the connection string does not end"))
                .help("close it with `'`; write a quote inside a value as \\'")
        })?;
        settings.set(&name, value).map_err(|bad| match after_password {
            // An unquoted password with a space and a `=` in it: its rest must not be shown.
            true => Bad::new("the word after the password is not a connection keyword")
                .help("quote a password that holds spaces: password='two words'"),
            false => bad,
        })?;
        after_password = name == "password";
    }
}

/// Takes one value, quoted or not; `None` when a quoted value does not end.
fn take_value(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut value = String::new();
    if rest.next_if_eq(&'\'').is_none() {
        while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
            match c {
                '\\' => value.extend(rest.next()),
                c => value.push(c),
            }
        }
        return Some(value);
    }
    loop {
        match rest.next()? {
            '\'' => return Some(value),
            '\\' => value.push(rest.next()?),
            c => value.push(c),
        }
    }
}
