//! `~/.pgpass`: passwords by host, port, database and user.
//!
//! Refuses a file that others may read, as libpq does, and says so in a warning.

use super::secret::Secret;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a line of the file must match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub host: &'a str,
    pub port: u16,
    pub dbname: &'a str,
    pub user: &'a str,
}

/// The text of the password file: `None` when there is none or it cannot be used; why goes to `warnings`.
pub(super) fn read_password_file(path: &Path, warnings: &mut Vec<String>) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let shown = path.display();
    if !metadata.is_file() {
        warnings.push(format!("password file {shown} is not a plain file, so it was not read"));
        return None;
    }
    if metadata.mode() & 0o077 != 0 {
        warnings.push(format!(
            "password file {shown} can be read by group or others, so it was not read: run chmod 0600 {shown}"
        ));
        return None;
    }
    match fs::read(path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            warnings.push(format!("password file {shown} was not read: {error}"));
            None
        }
    }
}

/// The password of the first line that matches.
pub(super) fn find_password(text: &str, wanted: Wanted<'_>) -> Option<Secret> {
    let port = wanted.port.to_string();
    let keys = [wanted.host, &port, wanted.dbname, wanted.user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line.strip_suffix('\r').unwrap_or(line);
        for key in keys {
            let (raw, after) = field(rest)?;
            if raw != "*" && unescape(raw) != key {
                return None;
            }
            rest = after?;
        }
        let password = unescape(field(rest)?.0);
        (!password.is_empty()).then(|| Secret::new(password))
    })
}

/// Splits at the first `:` that no backslash escapes; the second part is `None` when there is no `:`.
fn field(text: &str) -> Option<(&str, Option<&str>)> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((&text[..index], Some(&text[index + 1..]))),
            _ => {}
        }
    }
    Some((text, None))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => plain.push(rest.next().unwrap_or('\\')),
            c => plain.push(c),
        }
    }
    plain
}
