//! `pg_service.conf`: named groups of settings.
//!
//! Refuses LDAP lines and nested services; the first refuses here, the second in libpq too.

use super::environment::Environment;
use super::keywords::{Bad, Settings};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Finds the settings of service `name`, and the file that held them.
pub(super) fn find_service(
    name: &str,
    named_file: Option<&str>,
    env: &Environment,
) -> Result<(Settings, PathBuf), Bad> {
    let own = match named_file {
        Some(path) => Some(PathBuf::from(path)),
        None => env.home.as_ref().map(|home| home.join(".pg_service.conf")),
    };
    let shared: Vec<PathBuf> = match env.var("PGSYSCONFDIR") {
        Some(dir) => vec![Path::new(dir).join("pg_service.conf")],
        None => env.service_dirs.iter().map(|dir| dir.join("pg_service.conf")).collect(),
    };
    let mut read = Vec::new();
    for (index, path) in own.iter().chain(&shared).enumerate() {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && !(index == 0 && named_file.is_some()) => {
                continue;
            }
            Err(error) => return Err(Bad::new(format!("service file {}: {error}", path.display()))),
        };
        if let Some(settings) = parse_service(&text, name, path)? {
            return Ok((settings, path.clone()));
        }
        read.push(path.display().to_string());
    }
    let looked = if read.is_empty() {
        "there is no service file".to_owned()
    } else {
        format!("looked in {}", read.join(", "))
    };
    Err(Bad::new(format!("no definition of service `{name}`: {looked}"))
        .help("define it as [name] in ~/.pg_service.conf, or name the file in PGSERVICEFILE"))
}

/// The settings under `[name]`, or `None` when the file has no such group.
pub(super) fn parse_service(text: &str, name: &str, path: &Path) -> Result<Option<Settings>, Bad> {
    let mut found: Option<Settings> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let at = |what: &str| format!("{}, line {}: {what}", path.display(), index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(group) = line.strip_prefix('[') {
            if found.is_some() {
                return Ok(found);
            }
            if group.split(']').next() == Some(name) && group.contains(']') {
                found = Some(Settings::default());
            }
            continue;
        }
        let Some(settings) = &mut found else { continue };
        if line.starts_with("ldap") {
            return Err(
                Bad::new(at("pgproof does not look services up in LDAP")).help("write the settings out")
            );
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| Bad::new(at("expected `key=value`, `[name]` or `#`")))?;
        let key = key.trim();
        if key == "service" || key == "servicefile" {
            return Err(Bad::new(at("a service cannot name another service")));
        }
        settings.set_first(key, value.trim()).map_err(|bad| Bad { what: at(&bad.what), help: bad.help })?;
    }
    Ok(found)
}
