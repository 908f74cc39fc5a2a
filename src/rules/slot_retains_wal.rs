//! A replication slot that keeps WAL for a reader that is away or behind, or that has lost what it needs.
//!
//! Refuses to propose its drop: a standby or subscriber that comes back without it has to be made anew.

use super::database::{Looked, finding};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::Slot;
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Severity};
use crate::sql::ident::literal;
use crate::units::Bytes;
use crate::words::size;

pub(super) const SPEC: Spec = Spec {
    name: "slot-retains-wal",
    summary: "a replication slot keeps WAL that nobody fetches, or has lost it",
    thresholds: &[Threshold {
        name: "min-size",
        default: 1_073_741_824.0,
        unit: "bytes",
        why: "a gigabyte is what WAL takes by default anyway (max_wal_size)",
    }],
    page: include_str!("../../rules/slot-retains-wal.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    let slots = ctx.moment().slots.iter();
    slots.filter_map(|slot| told(ctx, slot, tuning)).collect::<Vec<Finding>>().into()
}

/// Where keeping WAL for slots ends.
fn cap(ctx: &CatalogContext) -> String {
    match ctx.moment().bytes("max_slot_wal_keep_size") {
        Some(bytes) if bytes >= 0.0 => {
            format!("max_slot_wal_keep_size cuts it off at {}, and then its reader has to be made anew", size(Bytes(bytes as i64)))
        }
        _ => "nothing ends that before the disk is full, and then the server stops: max_slot_wal_keep_size is -1".to_owned(),
    }
}

fn told(ctx: &CatalogContext, slot: &Slot, tuning: &Tuning) -> Option<Finding> {
    let mut found = finding(&SPEC, None, None);
    let name = format!("the {} slot {}", slot.kind, slot.name);
    let drop = format!("SELECT pg_drop_replication_slot({})", literal(&slot.name));
    let kept = slot.retained_bytes.filter(|bytes| *bytes >= tuning.get("min-size"));
    let retained = || slot.retained_bytes.map_or("WAL".to_owned(), |b| format!("{} of WAL", size(Bytes(b as i64))));
    match (slot.wal_status.as_deref(), kept) {
        (Some("lost"), _) => {
            found.what = format!("{name} has lost WAL that its reader needs");
            found.why = "its reader cannot go on from here: what it replicates stands still".to_owned();
            found.help = format!("make the standby or subscription anew, and drop the slot: {drop}");
            found.severity = Severity::Warning;
        }
        (Some("unreserved"), _) => {
            found.what = format!("{name} is about to lose WAL: it needs {} and the next checkpoint may remove some", retained());
            found.why = "a reader that misses WAL cannot go on, and has to be made anew".to_owned();
            found.help = format!("let its reader catch up now, or raise max_slot_wal_keep_size; if nobody needs it: {drop}");
            found.severity = Severity::Warning;
        }
        (_, Some(_)) if slot.active => {
            found.what = format!("the reader of {name} is {} behind", retained());
            found.why = format!("the server keeps all of it; {}", cap(ctx));
            found.help = "look at pg_stat_replication for what it waits: the network, its disk, or a conflict with queries".to_owned();
            found.severity = Severity::Info;
        }
        (_, Some(_)) => {
            found.what = format!("{name} keeps {}, and nobody reads it", retained());
            found.why = cap(ctx);
            found.help = format!("start its reader; if it is gone for good: {drop}");
            found.severity = Severity::Warning;
        }
        _ => return None,
    }
    found.evidence = vec![
        Evidence::text("slot", slot.name.clone()),
        Evidence::text("reader", if slot.active { "connected" } else { "away" }),
    ];
    found.evidence.extend(slot.wal_status.as_ref().map(|status| Evidence::text("wal_status", status.clone())));
    found.evidence.extend(slot.retained_bytes.map(|bytes| Evidence::data("WAL kept", bytes, "bytes")));
    Some(found)
}
