//! Transaction ids or multixact ids that are used up sooner than old rows are frozen.
//!
//! Refuses to propose VACUUM where somebody keeps it from freezing: that one is named instead.

use super::database::{Looked, finding};
use super::vacuuming::{describe, end};
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::snapshot::{Database, Holder, Table};
use crate::context::CatalogContext;
use crate::finding::{Evidence, Finding, Remedy, Severity};
use crate::words::counted;

pub(super) const SPEC: Spec = Spec {
    name: "transaction-ids-near-wraparound",
    summary: "old rows are not frozen in time, and transaction ids run out",
    thresholds: &[
        Threshold {
            name: "overdue",
            default: 1.5,
            unit: "times",
            why: "autovacuum comes at its own limit even where it is off; half as much again, and it does not keep up",
        },
        Threshold {
            name: "error-age",
            default: 1_600_000_000.0,
            unit: "transactions",
            why: "the default of vacuum_failsafe_age: from here on VACUUM drops everything else to be done in time",
        },
    ],
    page: include_str!("../../rules/transaction-ids-near-wraparound.md"),
    of_estimates: true,
    check: Check::Catalog(check),
};

/// Ids that two transactions may lie apart: the server stops writing three million before (13: one million).
const WALL: f64 = 2_147_483_648.0;
/// What `age()` answers where a relation has no ids at all.
const AGELESS: f64 = 2_147_483_647.0;
/// Tables that are told, the oldest first: the next look tells the next ones.
const MOST: usize = 10;

/// One of the two counters that wrap around.
#[derive(Clone, Copy)]
struct Kind {
    /// What is counted, one of it.
    id: &'static str,
    setting: &'static str,
    /// The setting's default.
    default: f64,
    of_table: fn(&Table) -> f64,
    of_database: fn(&Database) -> f64,
}

const KINDS: [Kind; 2] = [
    Kind {
        id: "transaction",
        setting: "autovacuum_freeze_max_age",
        default: 200_000_000.0,
        of_table: |t| t.xid_age,
        of_database: |d| d.xid_age,
    },
    Kind {
        id: "multixact",
        setting: "autovacuum_multixact_freeze_max_age",
        default: 400_000_000.0,
        of_table: |t| t.multixact_age,
        of_database: |d| d.multixact_age,
    },
];

/// How old something is, and when autovacuum comes for it.
struct Age {
    kind: Kind,
    age: f64,
    /// Where autovacuum comes.
    limit: f64,
    /// The server's own limit is passed as well, not only the table's.
    everywhere: bool,
    error: bool,
}

fn check(ctx: &CatalogContext, tuning: &Tuning) -> Looked {
    if ctx.moment().in_recovery {
        return Looked::blind("the primary: only there are rows frozen");
    }
    let mut old: Vec<(&Table, Age)> = Vec::new();
    for kind in KINDS {
        let aged = |table: &'_ &Table| table.counters.is_some() && (kind.of_table)(table) < AGELESS;
        for table in ctx.snapshot.tables.iter().filter(aged) {
            let own = table.option(kind.setting).and_then(|v| v.parse().ok());
            old.extend(over(ctx, tuning, kind, (kind.of_table)(table), own).map(|age| (table, age)));
        }
    }
    old.sort_by(|a, b| b.1.age.total_cmp(&a.1.age).then(a.0.oid.cmp(&b.0.oid)));
    let mut findings: Vec<Finding> = old.iter().take(MOST).map(|(t, age)| of_table(ctx, t, age)).collect();
    let more = old.len().saturating_sub(MOST) as f64;
    if let (Some(last), true) = (findings.last_mut(), more > 0.0) {
        last.what.push_str(&format!("; {} that are overdue too come after it", counted(more, "table")));
    }
    for database in &ctx.moment().databases {
        for kind in KINDS {
            let Some(age) = over(ctx, tuning, kind, (kind.of_database)(database), None) else { continue };
            // Its tables say so already, unless it is something that is not among them.
            let told = |(t, a): &(&Table, Age)| a.kind.id == kind.id && (kind.of_table)(t) >= age.age * 0.99;
            if !(database.here && old.iter().any(told)) {
                findings.push(of_database(ctx, database, &age));
            }
        }
    }
    findings.into()
}

/// `None` where autovacuum may still be on its way.
fn over(ctx: &CatalogContext, tuning: &Tuning, kind: Kind, age: f64, own: Option<f64>) -> Option<Age> {
    let general = ctx.moment().number(kind.setting).unwrap_or(kind.default);
    // A table may ask for less, never for more.
    let limit = own.unwrap_or(general).min(general);
    let late = |limit: f64| age >= (limit * tuning.get("overdue")).min(tuning.get("error-age"));
    late(limit).then(|| Age {
        kind,
        age,
        limit,
        everywhere: late(general),
        error: age >= tuning.get("error-age"),
    })
}

impl Age {
    fn severity(&self) -> Severity {
        match (self.error, self.everywhere) {
            (true, _) => Severity::Error,
            (_, true) => Severity::Warning,
            _ => Severity::Info,
        }
    }

    fn why(&self) -> String {
        format!(
            "autovacuum should have frozen them at {}; ids go round, and in {} more the server refuses to write",
            counted(self.limit, self.kind.id),
            counted((WALL - self.age).max(0.0), self.kind.id)
        )
    }

    fn evidence(&self) -> Vec<Evidence> {
        vec![
            Evidence::data(&format!("{} age", self.kind.id), self.age, "transactions"),
            Evidence::data("autovacuum comes at", self.limit, "transactions"),
            Evidence::data("ids left", (WALL - self.age).max(0.0), "transactions"),
        ]
    }
}

/// Who keeps VACUUM from freezing as much as is needed; nobody does it for multixacts that the snapshot could name.
fn holder<'a>(ctx: &CatalogContext<'a>, age: &Age, catalogs: bool) -> Option<&'a Holder> {
    let bars = |h: &&Holder| h.xid_age >= age.limit && (catalogs || !h.catalogs_only);
    let holders = ctx.moment().holders.iter().filter(bars);
    holders.max_by(|a, b| a.xid_age.total_cmp(&b.xid_age)).filter(|_| age.kind.id == "transaction")
}

fn of_table(ctx: &CatalogContext, table: &Table, age: &Age) -> Finding {
    let mut found = finding(&SPEC, Some(table), None);
    found.what = format!("{} has rows that were last frozen {} ago", table.qualified(), counted(age.age, age.kind.id));
    found.why = age.why();
    found.evidence = age.evidence();
    match holder(ctx, age, false) {
        Some(holder) => {
            found.help = format!("VACUUM may not freeze them: {}; {}; then VACUUM (FREEZE)", describe(holder), end(holder));
            found.evidence.push(Evidence::text("held back by", format!("{} {}", holder.kind, holder.name)));
        }
        None => {
            found.help = "VACUUM (FREEZE) it now; where that comes back, see in the log whether autovacuum is cancelled by \
                          locks or fails, and raise autovacuum_vacuum_cost_limit"
                .to_owned();
            found.remedies = vec![Remedy::Freeze { table: table.oid }];
        }
    }
    found.severity = age.severity();
    found
}

fn of_database(ctx: &CatalogContext, database: &Database, age: &Age) -> Finding {
    let mut found = finding(&SPEC, None, None);
    found.what = format!("the oldest rows of database {} were frozen {} ago", database.name, counted(age.age, age.kind.id));
    found.why = age.why();
    let holder = holder(ctx, age, true).filter(|_| database.here);
    found.help = if let Some(holder) = holder {
        format!("VACUUM may not freeze them: {}; {}; then VACUUM (FREEZE)", describe(holder), end(holder))
    } else if database.here {
        "no table that is listed here is that old: it is a catalog, or a temporary table that a session forgot; VACUUM \
         (FREEZE) without a name does the one, and ending that session the other"
            .to_owned()
    } else {
        format!("ids are shared by all databases of the cluster: run pgproof health there, or VACUUM (FREEZE), in {}", database.name)
    };
    found.evidence = age.evidence();
    found.evidence.push(Evidence::text("database", database.name.clone()));
    found.severity = age.severity();
    found
}
