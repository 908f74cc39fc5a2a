//! Autovacuum that does not run for the whole server.
//!
//! Refuses to judge single tables: `dead-rows` and `stale-statistics` see what that does to them.

use super::database::{Looked, finding};
use super::{Check, Spec, Tuning};
use crate::context::CatalogContext;
use crate::finding::{Evidence, Severity};

pub(super) const SPEC: Spec = Spec {
    name: "autovacuum-off",
    summary: "autovacuum does not run on this server",
    thresholds: &[],
    page: include_str!("../../rules/autovacuum-off.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, _: &Tuning) -> Looked {
    let moment = ctx.moment();
    let off = ["autovacuum", "track_counts"].into_iter().find(|name| moment.is(name, "off"));
    let Some(name) = off else { return Looked::default() };
    let mut found = finding(&SPEC, None, None);
    found.what = match name {
        "autovacuum" => "autovacuum is off".to_owned(),
        _ => "track_counts is off, so autovacuum cannot know which tables need it and does not run".to_owned(),
    };
    found.why = "dead rows stay and statistics age in every table, until transaction ids run short: then it comes all the \
                 same, to everything at once"
        .to_owned();
    found.help = format!(
        "ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf(). Where it was in the way of a load, switch it off for that \
         table alone, and on again afterwards"
    );
    let source = moment.settings.get(name).map(|s| s.source.clone());
    found.evidence = vec![Evidence::text(name, "off")];
    found.evidence.extend(source.map(|source| Evidence::text("set by", source)));
    found.severity = Severity::Warning;
    vec![found].into()
}
