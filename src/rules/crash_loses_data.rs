//! Settings with which a crash of the machine may destroy the whole cluster.
//!
//! Refuses to speak of `synchronous_commit`: what it may lose is the last moment, and nothing breaks.

use super::database::{Looked, finding};
use super::{Check, Spec, Tuning};
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Severity};

pub(super) const SPEC: Spec = Spec {
    name: "crash-loses-data",
    summary: "after a crash of the machine the data may be broken beyond repair",
    thresholds: &[],
    page: include_str!("../../rules/crash-loses-data.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, _: &Tuning) -> Looked {
    let off = ["fsync", "full_page_writes"].into_iter().filter(|name| ctx.moment().is(name, "off"));
    off.map(|name| told(ctx, name)).collect::<Vec<Finding>>().into()
}

fn told(ctx: &CatalogContext, name: &'static str) -> Finding {
    let mut found = finding(&SPEC, None, None);
    found.what = format!("{name} is off");
    found.why = match name {
        "fsync" => {
            "the server does not wait for the disk: when the machine stops, files hold any mix of old and new, and no \
             recovery mends that"
        }
        _ => {
            "a page that was half written when the machine stopped stays so: recovery has no whole copy of it; only file \
             systems that never write half a page make that safe"
        }
    }
    .to_owned();
    found.help = format!(
        "ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf(). If it is for speed, synchronous_commit = off gives most of \
         it and risks the last moment only; a server whose data can be made again may leave it"
    );
    let source = ctx.moment().settings.get(name).map(|s| s.source.clone());
    found.evidence = vec![Evidence::text(name, "off")];
    found.evidence.extend(source.map(|source| Evidence::text("set by", source)));
    found.severity = Severity::Error;
    found
}
