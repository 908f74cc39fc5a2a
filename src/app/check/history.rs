//! A history that head tells otherwise: which of its migrations stand for those that are gone, and whether a database
//! that is made of head's files alone is the one on which the base ran.
//!
//! Refuses to take a new migration for an old one unless the schemas say so, or its version.

use super::Sides;
use crate::app::schema::{self, Script};
use crate::app::twin::Ground;
use crate::error::Result;
use crate::migrate::Migration;
use crate::migrate::history::{Fails, Line, apart, by_version};
use crate::pack::Pack;
use crate::postgres::{Session, apply, trace};
use std::collections::BTreeSet;

/// A database of head's files alone.
const ANEW: &str = "pgproof_anew";

/// Makes the database, tells what of it stands for the base's migrations, and takes that out of the new ones. Returns
/// the schema that comes of all files; `None`: they do not run, which is written down.
///
/// # Errors
/// As the server says of all else; a lost connection.
pub(super) async fn anew(
    ground: &Ground,
    sides: &mut Sides,
    scripts: &[Script],
    base: &Session,
    pack: Option<&Pack>,
) -> Result<Option<Vec<Line>>> {
    let Some(mut rewritten) = sides.rewritten.take() else { return Ok(None) };
    let ran = trace::lines(base).await?;
    ground.create(ANEW, pack).await?;
    let server = ground.connect(ANEW).await?;
    let session = server.session("anew").await?;
    schema::load(&session, scripts).await?;
    let fresh: BTreeSet<&str> = sides.new.iter().map(|m| m.name.as_str()).collect();
    let new = |m: &Migration| fresh.contains(m.name.as_str()) && !m.repeatable;
    // What is new and comes before one of the base, or of those that are gone, goes by its version.
    let behind = sides.all.iter().rposition(|m| !new(m) && !m.repeatable).map_or(0, |at| at + 1);
    let sure = by_version(&sides.new, &sides.base, &rewritten.gone);
    let mut nearest: Option<(usize, usize)> = None;
    let mut run = 0;
    for (at, migration) in sides.all.iter().enumerate() {
        let told = at >= behind && run >= sure && !rewritten.gone.is_empty();
        if told && nearest.is_none_or(|(apart, _)| apart > 0) {
            let apart = apart(&ran, &trace::lines(&session).await?);
            if nearest.is_none_or(|(least, _)| apart < least) {
                nearest = Some((apart, run));
            }
        }
        if let Err(error) = apply::apply(&session, std::slice::from_ref(migration)).await {
            if trace::ends(&error) {
                return Err(error);
            }
            let cause = error.cause();
            let told = cause.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
            let (line, message) =
                told.and_then(|(line, rest)| Some((line.parse().ok()?, rest))).unwrap_or((1, &cause));
            rewritten.fails = Some(Fails { path: migration.path.clone(), line, message: message.to_owned() });
            break;
        }
        run += usize::from(new(migration));
    }
    let lines = trace::lines(&session).await?;
    if rewritten.fails.is_none() && !rewritten.gone.is_empty() {
        let apart = apart(&ran, &lines);
        if nearest.is_none_or(|(least, _)| apart < least) {
            nearest = Some((apart, run));
        }
    }
    drop(session);
    drop(server);
    let instead = nearest.map_or(sure, |(_, run)| run);
    rewritten.instead = sides.new.drain(..instead).map(|m| m.path).collect();
    let complete = rewritten.fails.is_none();
    sides.rewritten = Some(rewritten);
    Ok(complete.then_some(lines))
}
