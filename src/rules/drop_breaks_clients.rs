//! A table or column that is gone or has another name while those who ask for it still run.
//!
//! Refuses to know who asks: queries that are given to `check` are planned, and break by themselves.

use super::migration::finding;
use super::{Check, Spec, Tuning};
use crate::context::TraceContext;
use crate::finding::{Confidence, Evidence, Finding, Severity};
use crate::migrate::traced::Effect;
use crate::sql::ident::quote;

pub(super) const SPEC: Spec = Spec {
    name: "drop-breaks-clients",
    summary: "a migration drops or renames a table or column that running clients may still ask for",
    thresholds: &[],
    page: include_str!("../../rules/drop-breaks-clients.md"),
    of_estimates: true,
    check: Check::Migration(check),
};

fn check(ctx: &TraceContext, _: &Tuning) -> Vec<Finding> {
    let mut found = Vec::new();
    for traced in ctx.traced {
        // What goes of a table goes of its partitions, and is told once.
        let told = |effect: &Effect| {
            let above = effect.whole.as_ref().and_then(|whole| traced.effects.iter().find(|e| e.relation == *whole));
            above.is_some_and(|above| above.dropped || !effect.dropped)
        };
        for effect in traced.effects.iter().filter(|e| (e.table || e.view) && !told(e)) {
            for Break { what, column, lost } in breaks(effect) {
                let mut finding = finding(ctx, &SPEC, traced, Some(effect));
                finding.within = column;
                finding.severity = Severity::Warning;
                finding.confidence = Confidence::Guessed;
                finding.what = what;
                finding.why = match lost {
                    true => "clients of before fail from this moment on, and the data is gone: no migration brings it back",
                    false => "clients of before fail from this moment on",
                }
                .to_owned();
                finding.help = match lost || effect.dropped {
                    true => "take it out of the code first, deploy, and drop it in a later migration",
                    false => "add the new name beside the old one, move the code over, and drop the old one later",
                }
                .to_owned();
                let size = ctx.sizes.whole(&effect.relation);
                let label = if size.assumed { "rows, assumed" } else { "rows" };
                finding.evidence = vec![Evidence::data(label, size.rows, "rows")];
                found.push(finding);
            }
        }
    }
    found
}

/// What goes, of a table or the table itself.
struct Break {
    what: String,
    column: Option<String>,
    /// Its data goes too.
    lost: bool,
}

fn breaks(effect: &Effect) -> Vec<Break> {
    let table = &effect.relation;
    let mut all = Vec::new();
    // A view that is made again under its name was only changed; a table that gave way keeps nothing.
    let rows = effect.table && !effect.materialized;
    let gone = effect.dropped && (rows || !effect.remade);
    if gone {
        all.push(Break { what: format!("{table} is dropped"), column: None, lost: rows });
    }
    if let Some(name) = effect.renamed_to.as_ref().filter(|_| !effect.remade) {
        all.push(Break { what: format!("{table} is renamed to {name}"), column: None, lost: false });
    }
    all.extend(effect.dropped_columns.iter().map(|column| {
        let what = format!("{table}.{} is dropped", quote(column));
        Break { what, column: Some(column.clone()), lost: rows }
    }));
    all.extend(effect.renamed_columns.iter().map(|(from, to)| {
        let what = format!("{table}.{} is renamed to {}", quote(from), quote(to));
        Break { what, column: Some(from.clone()), lost: false }
    }));
    all
}
