//! Finding the PostgreSQL installations of this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::process;
use crate::error::{Error, Kind, Result};

/// Names the folders to look in first, as `PATH` does; what they hold is preferred over any other of its major.
const VARIABLE: &str = "PGPROOF_POSTGRES";

/// Where packages put PostgreSQL; `*` is a version, or a part of the name that holds one.
const USUAL_PLACES: [&str; 12] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/pgsql-*/bin",
    "/opt/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
];

/// The server programs of one PostgreSQL version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The folder that holds `initdb` and `postgres`.
    pub bin_dir: PathBuf,
    /// The major version, such as 17.
    pub major: u32,
    /// The version as the program prints it, such as `17.10` or `18beta1`.
    pub version: String,
}

impl Installation {
    /// The installation in `bin_dir`; fails with [`Kind::Environment`] if that does not hold `initdb` and a `postgres`
    /// that runs and is version 10 or newer.
    pub fn at(bin_dir: &Path) -> Result<Installation> {
        let failed = || Error::new(Kind::Environment, format!("find PostgreSQL in {}", bin_dir.display()));
        if let Some(missing) = ["initdb", "postgres"].iter().find(|name| !bin_dir.join(name).is_file()) {
            return Err(failed()
                .because(format!("it holds no file {missing}"))
                .help(format!("name the folder that holds initdb and postgres, or {INSTALL}")));
        }
        // A link or wrapper in a folder such as /usr/local/bin hides where the programs are.
        let postgres = std::fs::canonicalize(bin_dir.join("postgres")).map_err(|e| failed().because(e))?;
        let behind =
            postgres.parent().filter(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file());
        let bin_dir = match behind {
            Some(dir) => dir.to_owned(),
            None => std::fs::canonicalize(bin_dir).map_err(|e| failed().because(e))?,
        };
        let program = bin_dir.join("postgres");
        let output = process::output(&program, &["--version"], None).map_err(|e| failed().because(e))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        match parse_version(&printed) {
            Some((major, version)) if major >= 10 => Ok(Installation { bin_dir, major, version }),
            _ => Err(failed().because(format!(
                "postgres --version printed \"{}{}\"",
                printed.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            ))),
        }
    }
}

/// The PostgreSQL installations of this machine, one per major, oldest first.
///
/// Looks in the folders that the environment variable `PGPROOF_POSTGRES` lists, in `PATH`, where `pg_config` says, and
/// in the usual places. Of several of one major the newest minor wins, but for a listed one, which always does.
pub fn installations() -> Vec<Installation> {
    let listed = folders_in(VARIABLE);
    let mut others = folders_in("PATH");
    others.extend(pg_config());
    others.extend(USUAL_PLACES.iter().flat_map(|pattern| matching(pattern)));
    let mut found = BTreeMap::new();
    for (listed, dir) in
        listed.into_iter().map(|dir| (true, dir)).chain(others.into_iter().map(|dir| (false, dir)))
    {
        let Ok(candidate) = Installation::at(&dir) else { continue };
        let rank = (listed, minor(&candidate.version));
        let best = found.entry(candidate.major).or_insert_with(|| (rank, candidate.clone()));
        if best.0 < rank {
            *best = (rank, candidate);
        }
    }
    found.into_values().map(|(_, installation)| installation).collect()
}

const INSTALL: &str = "install PostgreSQL (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install \
                       postgresql-server; macOS: brew install postgresql@18)";

/// The error for a machine that has neither the binaries we want nor Docker.
pub(super) fn none_found(major: Option<u32>, found: &[Installation]) -> Error {
    let wanted = major.map_or("PostgreSQL".to_owned(), |major| format!("PostgreSQL {major}"));
    let versions: Vec<&str> = found.iter().map(|it| it.version.as_str()).collect();
    let have = match versions.as_slice() {
        [] => "no folder holds both initdb and postgres".to_owned(),
        _ => format!("this machine has only {}", versions.join(", ")),
    };
    Error::new(Kind::Environment, format!("find {wanted} for a throwaway server"))
        .because(format!("{have}, and docker does not answer"))
        .help(format!("{INSTALL}, or name its folder in {VARIABLE}, or start Docker"))
}

fn folders_in(variable: &str) -> Vec<PathBuf> {
    let value = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&value).filter(|dir| !dir.as_os_str().is_empty()).collect()
}

fn pg_config() -> Option<PathBuf> {
    let output = process::output(Path::new("pg_config"), &["--bindir"], None).ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(printed.trim())).filter(|dir| dir.is_absolute())
}

/// The folders that match `pattern`, which has at most one `*`, inside one component.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or((".", before));
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with(prefix))
        .map(|name| PathBuf::from(format!("{parent}/{name}{after}")))
        .collect()
}

/// Reads `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
pub(super) fn parse_version(printed: &str) -> Option<(u32, String)> {
    let version = printed.trim().strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((digits.parse().ok()?, version.to_owned()))
}

/// The minor version for comparison; `None`, the least, for a beta or a development version.
fn minor(version: &str) -> Option<u32> {
    version.split_once('.')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let cases = [
            ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", Some((15, "15.20")), Some(20)),
            ("postgres (PostgreSQL) 18.4\n", Some((18, "18.4")), Some(4)),
            ("postgres (PostgreSQL) 19beta1\n", Some((19, "19beta1")), None),
            ("postgres (PostgreSQL) 20devel\n", Some((20, "20devel")), None),
            ("psql (PostgreSQL) 18.4\n", None, None),
            ("", None, None),
        ];
        for (printed, expected, expected_minor) in cases {
            let parsed = parse_version(printed);
            assert_eq!(
                parsed.as_ref().map(|(major, version)| (*major, version.as_str())),
                expected,
                "{printed}"
            );
            assert_eq!(parsed.and_then(|(_, version)| minor(&version)), expected_minor, "{printed}");
        }
    }
}
