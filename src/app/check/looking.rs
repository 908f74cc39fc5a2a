//! What ails queries on head, and what would help them there.
//!
//! Refuses to look at what a migration did not make worse.

use super::queries::Comparison;
use crate::analyse::analyse;
use crate::app::input::Source;
use crate::app::{observe, prove};
use crate::capture::{Capture, Comment, Origin, OriginKind};
use crate::cli::{Cli, Command, Explain};
use crate::corpus;
use crate::error::{Error, Kind, Result};
use crate::gate::{self, Compared};
use crate::postgres::Server;
use crate::postgres::catalog::server_info;
use crate::postgres::plans::Asked;
use crate::sql;
use clap::Parser;

impl Comparison<'_> {
    /// What ails queries on head, and what would help them there.
    pub async fn look(
        &self,
        server: &Server,
        (compared, asked): (&mut Compared, &[Asked]),
        queries: &[usize],
        capture: &mut Capture,
    ) -> Result<()> {
        let args = explain_args()?;
        for &query in queries {
            let one = &mut compared.queries[query];
            let at = capture.statements.len();
            let plain = source(one);
            // With the types that its file declares, where the server cannot tell them.
            let typed =
                asked[query].types.as_ref().map(|types| reworded(one, &corpus::cast(&one.text, types)));
            for source in std::iter::once(plain).chain(typed) {
                match observe::observe(server, &source, &args, capture).await {
                    Ok(()) if capture.statements.len() > at => one.observed = Some(at),
                    Ok(()) => {}
                    Err(error) if matches!(error.kind(), Kind::Connect | Kind::Interrupted) => {
                        return Err(error);
                    }
                    // It was planned before: what fails here is told with the query itself.
                    Err(_) => continue,
                }
                break;
            }
        }
        if capture.statements.is_empty() {
            return Ok(());
        }
        if let Some(told) = &mut capture.server {
            let twin = server_info(&server.session("look").await?).await?;
            (told.settings, told.extensions) = (twin.settings, twin.extensions);
        }
        self.progress.step("looking for what would help");
        let report = analyse(capture, self.config)?;
        prove::prove(server, &report, capture, &args, self.interrupt, self.progress).await
    }
}

/// As `explain --pack` would be asked.
fn explain_args() -> Result<Explain> {
    explain_with(["--analyze", "never", "--pack", "-", "--schema", "-"].into_iter())
}

/// As `explain` would be asked with these flags.
pub fn explain_with<'a>(flags: impl Iterator<Item = &'a str>) -> Result<Explain> {
    let words = ["pgproof", "explain"].into_iter().chain(flags);
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Explain(args)) => Ok(args),
        _ => {
            Err(Error::new(Kind::Usage, "look into the queries").because("the flags of explain have changed"))
        }
    }
}

pub fn source(query: &gate::Query) -> Source {
    reworded(query, &query.text)
}

/// The same in other words.
fn reworded(query: &gate::Query, text: &str) -> Source {
    let text = sql::explainable(text);
    let place = query.places.first();
    let kind = if place.is_some() { OriginKind::Corpus } else { OriginKind::PgStatStatements };
    Source {
        statement: sql::read(&text),
        origin: Origin { kind, path: place.map(|p| p.path.clone()), line: place.map(|p| p.line) },
        name: query.name.clone().unwrap_or_else(|| "query".to_owned()),
        whole: text.as_str().into(),
        offset: 0,
        // Those in the text are read with it.
        comments: query
            .comments
            .iter()
            .filter(|(comment, _)| !text.contains(comment.as_str()))
            .map(|(text, line)| Comment { text: text.clone(), line: Some(*line) })
            .collect(),
    }
}
