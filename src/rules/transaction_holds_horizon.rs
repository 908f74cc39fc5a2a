//! Something that is old and keeps vacuum from removing rows that nobody needs.
//!
//! Refuses to propose its end: whose work that is, a person has to ask. It says how.

use super::database::{Looked, ago, finding};
use super::vacuuming::end;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::Holder;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::words::counted;

pub(super) const SPEC: Spec = Spec {
    name: "transaction-holds-horizon",
    summary: "an old transaction, slot or standby keeps vacuum from removing rows",
    thresholds: &[
        Threshold {
            name: "idle-seconds",
            default: 300.0,
            unit: "s",
            why: "idle in transaction, or prepared: no client thinks for five minutes between two statements",
        },
        Threshold {
            name: "busy-seconds",
            default: 3600.0,
            unit: "s",
            why: "at work: an hour is what reports and dumps take, and a table may be rewritten several times within it",
        },
        Threshold {
            name: "xids",
            default: 1_000_000.0,
            unit: "transactions",
            why: "of a slot or standby, whose time is not known: each transaction since may have left a dead row",
        },
    ],
    page: include_str!("../../rules/transaction-holds-horizon.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

/// From here on it is a warning: each transaction since may have left a dead row, and a million of them double scans.
const WARNING_XIDS: f64 = 1_000_000.0;

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    if ctx.moment().in_recovery {
        return Looked::blind("the primary: rows are removed there");
    }
    let holders = &ctx.moment().holders;
    let mut looked: Looked =
        holders.iter().filter(|h| old(h, tuning)).map(told).collect::<Vec<Finding>>().into();
    let hidden = holders.iter().filter(|h| h.kind == "transaction" && h.seconds.is_none()).count();
    if hidden > 0 && !ctx.moment().reads_all_stats {
        looked.not_judged.push(format!(
            "GRANT pg_read_all_stats to see since when {} of other roles stand",
            counted(hidden as f64, "transaction")
        ));
    }
    looked
}

fn idle(holder: &Holder) -> bool {
    holder.kind == "prepared transaction"
        || holder.state.as_ref().is_some_and(|state| state.starts_with("idle in transaction"))
}

fn old(holder: &Holder, tuning: &Tuning) -> bool {
    match holder.seconds {
        Some(seconds) if idle(holder) => seconds >= tuning.get("idle-seconds"),
        Some(seconds) => seconds >= tuning.get("busy-seconds"),
        None => holder.xid_age >= tuning.get("xids"),
    }
}

fn told(holder: &Holder) -> Finding {
    let mut found = finding(&SPEC, None, None);
    let subject = match holder.name.strip_prefix("process ") {
        Some(pid) => format!("the {} of process {pid}", holder.kind),
        None => format!("the {} {}", holder.kind, holder.name),
    };
    let traits: Vec<&str> = holder.owner.iter().chain(&holder.state).map(String::as_str).collect();
    let traits = if traits.is_empty() { String::new() } else { format!(" ({})", traits.join(", ")) };
    let since = holder.seconds.map_or(String::new(), |s| format!(" for {}", ago(s)));
    found.what = format!(
        "{subject}{traits} keeps vacuum back{since}: {} began since",
        counted(holder.xid_age, "transaction")
    );
    let where_ = if holder.catalogs_only { "the catalogs" } else { "every table of this database" };
    found.why = format!(
        "rows of {where_} that were updated or deleted since stay, in scans and in indexes, and nothing newer can be frozen"
    );
    found.help = format!("ask who needs it; if nobody does, {}", end(holder));
    if idle(holder) && holder.kind == "transaction" {
        found.help.push_str("; idle_in_transaction_session_timeout ends the next one by itself");
    }
    found.evidence = vec![
        Evidence::text("kind", holder.kind.clone()),
        Evidence::text("name", holder.name.clone()),
        Evidence::data("transactions since", holder.xid_age, "transactions"),
    ];
    found.evidence.extend(holder.state.as_ref().map(|state| Evidence::text("state", state.clone())));
    found.evidence.extend(holder.seconds.map(|s| Evidence::timing("open for", s, "s")));
    found.severity = if holder.xid_age >= WARNING_XIDS { Severity::Warning } else { Severity::Info };
    found
}
