//! The file of accepted findings: read before the work, written after it.
//!
//! Refuses to write where nothing changed, or before everything else has gone well.

use crate::accepted::{self, Accepted};
use crate::app::{folder_of, nearest_config, output};
use crate::cli::{Check as Args, Common, FailOn};
use crate::error::{Error, Kind, Result};
use crate::finding::Severity;
use crate::report::Report;
use crate::rules::Config;
use crate::suppress::is_day;
use crate::words::counted;
use std::path::{Path, PathBuf};

/// What is accepted so far, and where it is kept.
pub struct Accepting {
    path: PathBuf,
    accepted: Accepted,
}

/// Reads the file that the flags name, or the one beside the settings; where there is none, nothing is accepted.
///
/// # Errors
/// [`Kind::Config`] for a file that is damaged; [`Kind::Usage`] for a reason or a day that is none.
pub fn read(args: &Args, common: &Common, today: Option<&str>) -> Result<Accepting> {
    let wrong = |because: String, help: &str| {
        Err(Error::new(Kind::Usage, "accept what is found").because(because).help(help))
    };
    if args.accept.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return wrong("--accept gives no reason".to_owned(), "say why: who reads it next has to know");
    }
    if let Some(until) = args.until.as_ref().filter(|until| !is_day(until)) {
        return wrong(format!("--until {until} is no day of the calendar"), "write YYYY-MM-DD");
    }
    if let Some(until) = args.until.as_deref().filter(|until| today.is_some_and(|today| *until < today)) {
        return wrong(
            format!("--until {until} is a day that has passed"),
            "name the last day on which it holds",
        );
    }
    let path = args.accepted.clone().unwrap_or_else(|| usual(common));
    let name = path.display().to_string();
    let accepted = match std::fs::read_to_string(&path) {
        Ok(text) => accepted::read(&text, &name)?,
        // The first --accept makes it; one that was named to be read has to be there.
        Err(e)
            if e.kind() == std::io::ErrorKind::NotFound
                && (args.accepted.is_none() || args.accept.is_some()) =>
        {
            Accepted::none(name)
        }
        Err(e) => {
            let doing = format!("read the accepted findings in {name}");
            return Err(Error::new(Kind::Config, doing).because_of_file(&e));
        }
    };
    Ok(Accepting { path, accepted })
}

fn usual(common: &Common) -> PathBuf {
    let settings = common.config.clone().or_else(|| nearest_config(&std::env::current_dir().ok()?));
    let here = std::env::current_dir().ok();
    let folder = settings.as_deref().map_or(Path::new(""), folder_of);
    let folder = here.as_deref().and_then(|here| folder.strip_prefix(here).ok()).unwrap_or(folder);
    folder.join(accepted::NAME)
}

impl Accepting {
    /// Takes what is accepted out of the report, with what --accept adds; writes the file where that changed it. Returns
    /// what to tell of that.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn apply(
        mut self,
        report: &mut Report,
        args: &Args,
        config: &Config,
        fail_on: Option<FailOn>,
    ) -> Result<Vec<String>> {
        let before = accepted::write(&self.accepted.entries)?;
        let mut told = Vec::new();
        if let Some(reason) = &args.accept {
            let mut without = report.clone();
            accepted::hold(&mut without, &self.accepted, config);
            let least = if fail_on == Some(FailOn::Info) { Severity::Info } else { Severity::Warning };
            // Among findings that were left in, fingerprints are those of the whole report.
            let open: Vec<accepted::Entry> = accepted::entries(report, least, reason, args.until.as_deref())
                .into_iter()
                .filter(|entry| !accepted::applied(&without, &entry.finding))
                .collect();
            told.push(format!(
                "accepted {} in {}\n",
                counted(open.len() as f64, "finding"),
                self.path.display()
            ));
            self.accepted.add(open);
        }
        if args.prune_accepted {
            let mut held = report.clone();
            accepted::hold(&mut held, &self.accepted, config);
            let gone = self.accepted.prune(&held);
            told.push(format!("took {} out of {}\n", counted(gone as f64, "entry"), self.path.display()));
        }
        let text = accepted::write(&self.accepted.entries)?;
        if text != before {
            output::save(&self.path, text.as_bytes())?;
            self.accepted = accepted::read(&text, &self.accepted.path)?;
        }
        accepted::hold(report, &self.accepted, config);
        Ok(told)
    }
}
