//! The files of migrations: of a folder, and of the same folder in a revision of git.
//!
//! Refuses to change a repository: it asks `git` what a revision holds.

use crate::error::{Error, Kind, Result};
use crate::migrate::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of other kinds are of no interest.
fn wanted(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".sql") || name.ends_with(".sql.conf") || name.ends_with("metadata.toml")
}

/// The files below the folders, or the files themselves.
///
/// # Errors
/// [`Kind::Input`] for what cannot be read, and for folders without a migration.
pub fn folder(paths: &[PathBuf]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, path, &mut files)?;
        } else {
            files.push(file(path, path.parent().unwrap_or(Path::new("")))?);
        }
    }
    if files.is_empty() {
        let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(Error::new(Kind::Input, format!("read the migrations in {}", names.join(", ")))
            .because("there is no .sql file")
            .help("name the folder that holds the migrations"));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    let failed = |e: std::io::Error| {
        Error::new(Kind::Input, format!("read the folder {}", folder.display())).because_of_file(&e)
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
        } else if wanted(&path.to_string_lossy()) {
            files.push(file(&path, root)?);
        }
    }
    Ok(())
}

fn file(path: &Path, root: &Path) -> Result<File> {
    let (_, text) = super::super::input::text(path)?;
    let name = path.strip_prefix(root).unwrap_or(path);
    Ok(File { path: slashed(path), name: slashed(name), text })
}

fn slashed(path: &Path) -> String {
    let parts: Vec<String> =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let text = parts.join("/");
    text.strip_prefix("./").unwrap_or(&text).replacen("//", "/", 1)
}

/// The migrations that are applied already: those in a folder, or those of the same folders in a revision.
///
/// # Errors
/// [`Kind::Input`] for what cannot be read, [`Kind::Usage`] for a revision that git does not know.
pub fn base(base: &str, paths: &[PathBuf]) -> Result<Vec<File>> {
    let path = PathBuf::from(base);
    if path.is_dir() {
        let mut files = Vec::new();
        walk(&path, &path, &mut files)?;
        return Ok(files);
    }
    let mut files = Vec::new();
    for root in paths {
        let folder = if root.is_dir() { root.as_path() } else { root.parent().unwrap_or(Path::new("")) };
        let list = git(folder, &["ls-tree", "-r", "-z", "--name-only", base, "--", "."], base)?;
        for name in list.split('\0').filter(|name| !name.is_empty() && wanted(name)) {
            let text = git(folder, &["show", &format!("{base}:./{name}")], base)?;
            files.push(File { path: slashed(&folder.join(name)), name: name.to_owned(), text });
        }
    }
    Ok(files)
}

fn git(folder: &Path, args: &[&str], revision: &str) -> Result<String> {
    let doing = || format!("read the migrations of {revision}");
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let output = Command::new("git").arg("-C").arg(folder).args(args).output().map_err(|e| {
        Error::new(Kind::Environment, doing()).because(e).help("install git, or name a folder with --base")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::new(Kind::Usage, doing())
            .because(said.trim().lines().next().unwrap_or("git failed").to_owned())
            .help("--base takes a folder, or a revision such as origin/main; in CI, fetch it first"));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Error::new(Kind::Input, doing()).because("a file in it is not UTF-8"))
}
