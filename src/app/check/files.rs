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
        let first = files.len();
        if path.is_dir() {
            walk(path, path, &mut files)?;
        } else {
            files.push(file(path, path.parent().unwrap_or(Path::new("")))?);
        }
        let root = root(paths, path);
        files[first..].iter_mut().for_each(|file: &mut File| file.root.clone_from(&root));
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

/// Which of several folders files are in, so that files of one name are told apart.
fn root(paths: &[PathBuf], path: &Path) -> String {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let several = paths.iter().filter(|path| path.is_dir()).count() > 1;
    if several { slashed(folder) } else { String::new() }
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
    Ok(File { path: slashed(path), name: slashed(name), root: String::new(), text })
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
        // A folder of several holds each of them under its own name.
        let roots: Vec<String> =
            paths.iter().map(|path| root(paths, path)).filter(|root| !root.is_empty()).collect();
        for file in &mut files {
            let of = roots
                .iter()
                .filter_map(|root| Some((root, file.name.strip_prefix(root)?.strip_prefix('/')?)));
            if let Some((root, name)) = of.max_by_key(|(root, _)| root.len()) {
                (file.root, file.name) = (root.clone(), name.to_owned());
            }
        }
        return Ok(files);
    }
    let mut files = Vec::new();
    for path in paths {
        let root = root(paths, path);
        let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        let list = git(folder, &["ls-tree", "-r", "-z", "--name-only", base, "--", "."], base)?;
        for name in list.split('\0').filter(|name| !name.is_empty() && wanted(name)) {
            let text = git(folder, &["show", &format!("{base}:./{name}")], base)?;
            let path = slashed(&folder.join(name));
            files.push(File { path, name: name.to_owned(), root: root.clone(), text });
        }
    }
    Ok(files)
}

/// The files below a path that are not now what they were in a revision, or are gone: their paths and what was in them.
///
/// # Errors
/// As [`base`].
pub fn changed(revision: &str, path: &Path) -> Result<Vec<(String, String)>> {
    let (folder, only) = match path.is_dir() {
        true => (path, "."),
        false => {
            (path.parent().unwrap_or(Path::new("")), path.file_name().and_then(|n| n.to_str()).unwrap_or("."))
        }
    };
    let diff = [
        "diff",
        "--name-only",
        "--no-renames",
        "--diff-filter=DMT",
        "--relative",
        "-z",
        revision,
        "--",
        only,
    ];
    let list = git(folder, &diff, revision)?;
    let names = list.split('\0').filter(|name| !name.is_empty());
    names
        .map(|name| {
            let text = git(folder, &["show", &format!("{revision}:./{name}")], revision)?;
            Ok((slashed(&folder.join(name)), text))
        })
        .collect()
}

fn git(folder: &Path, args: &[&str], revision: &str) -> Result<String> {
    let doing = || format!("read the files of {revision}");
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
