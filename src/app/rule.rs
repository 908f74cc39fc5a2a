//! `pgproof rule`: the rules, their pages, and reading the pages of a team's own.
//!
//! Refuses a folder in which a page is broken, and two rules of one name.

use super::{output, rule_test, runtime, settings};
use crate::cli::{Common, Rule};
use crate::error::{Error, Kind, Result};
use crate::rules::Config;
use crate::rules::team::{self, Team};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs the command.
///
/// # Errors
/// [`Kind::Usage`] for a name that no rule has; what is wrong with a page; a server that does not start.
pub fn run(args: &Rule, common: &Common) -> Result<u8> {
    if args.facts {
        return output::print(team::facts().as_bytes());
    }
    if let Some(dir) = &args.test {
        let mut config = Config::default();
        add(&mut config, dir)?;
        return runtime()?.block_on(rule_test::run(&config, args, common));
    }
    let config = settings(common)?;
    let Some(name) = &args.name else {
        let width = config.rules().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = config.rules().map(|(name, summary)| format!("{name:width$}  {summary}\n"));
        return output::print(lines.collect::<String>().as_bytes());
    };
    let page = config.page(name).ok_or_else(|| {
        Error::new(Kind::Usage, format!("find the rule `{name}`"))
            .help(format!("did you mean `{}`? `pgproof rule` lists them", config.nearest(name)))
    })?;
    output::print(page.as_bytes())
}

/// Adds the rules whose pages are in a folder.
///
/// # Errors
/// [`Kind::Config`] for a folder without pages, a broken page, or a name that is taken.
pub fn add(config: &mut Config, dir: &Path) -> Result<()> {
    for path in pages(dir)? {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::new(Kind::Config, format!("read the rule in {name}")).because_of_file(&e))?;
        let team = team::read(&text, &name)?;
        // The same folder may be named by the settings and by a flag.
        if config.team.iter().any(|known| same_file(known, &path)) {
            continue;
        }
        if config.knows(&team.name) {
            let taken = config.team(&team.name).map_or("one of pgproof's own rules", |other| &other.path);
            return Err(Error::new(Kind::Config, format!("read the rule in {name}"))
                .because(format!("{taken} is called {} too", team.name))
                .help("give it a name of its own"));
        }
        config.team.push(Arc::new(team));
    }
    Ok(())
}

fn same_file(known: &Team, path: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(Path::new(&known.path)).is_some_and(|known| real(path) == Some(known))
}

/// The Markdown files of a folder but its README, in order.
fn pages(dir: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("read the rules in {}", dir.display());
    let failed = |e: std::io::Error| Error::new(Kind::Config, doing()).because_of_file(&e);
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let readme = path.file_stem().is_some_and(|name| name.eq_ignore_ascii_case("readme"));
        if path.extension().is_some_and(|e| e == "md") && !readme {
            pages.push(path);
        }
    }
    pages.sort();
    match pages.is_empty() {
        true => Err(Error::new(Kind::Config, doing())
            .because("no file in it ends in .md")
            .help("one page for each rule; `pgproof rule estimate-drift` shows the form of one")),
        false => Ok(pages),
    }
}
