//! Triggers that take a large part of a statement that writes.
//!
//! Refuses to count a foreign key that has its index: what it costs then is the rows that it writes or looks up.

use super::support::finding;
use super::{Check, Spec, Threshold, Tuning};
use crate::catalog::ForeignKey;
use crate::context::PlanContext;
use crate::finding::{Evidence, Finding, Remedy, WantedIndex, WantedKey};
use crate::plan::{Node, Trigger};
use crate::sql::ident::{qualified, quote};
use crate::units::Millis;
use crate::words::{counted, duration, percent};
use std::collections::HashMap;

pub(super) const SPEC: Spec = Spec {
    name: "trigger-dominates",
    summary: "triggers take a large part of a statement that writes",
    thresholds: &[
        Threshold {
            name: "min-share",
            default: 0.25,
            unit: "of the execution",
            why: "below a quarter the statement's own work is where to look first",
        },
        Threshold {
            name: "min-rows",
            default: 500.0,
            unit: "rows in the table that refers",
            why: "so many rows are read in about the time that a call takes anyway: no index is quicker",
        },
    ],
    page: include_str!("../../rules/trigger-dominates.md"),
    of_estimates: false,
    check: Check::Plan(check),
};

/// The firings of one trigger, over all partitions that it fired on.
struct Fired<'a> {
    /// The trigger, or the foreign key behind it.
    identity: String,
    first: &'a Trigger,
    /// The foreign key whose referring rows it looks for, where the catalog has it.
    key: Option<&'a ForeignKey>,
    calls: f64,
    time: f64,
}

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let Some(writes) = ctx.plan.nodes.iter().find(|n| n.kind == "ModifyTable") else { return Vec::new() };
    fired(ctx).iter().filter_map(|fired| dominates(ctx, tuning, writes, fired)).collect()
}

fn fired<'a>(ctx: &PlanContext<'a>) -> Vec<Fired<'a>> {
    let keys: HashMap<&str, &ForeignKey> = ctx
        .catalog
        .relations
        .iter()
        .flat_map(|relation| &relation.referenced_by)
        .flat_map(|key| key.triggers.iter().map(move |trigger| (trigger.as_str(), key)))
        .collect();
    let mut all: Vec<Fired> = Vec::new();
    for trigger in ctx.plan.triggers.iter().flatten() {
        let named = trigger.name.as_deref().or(trigger.constraint.as_deref());
        let (Some(time), Some(named)) = (trigger.time, named) else { continue };
        let key = keys.get(named).copied();
        let identity = match key {
            Some(key) => format!("{} ({})", qualified(&key.schema, &key.relation), columns(key)),
            None => quote(named),
        };
        match all.iter_mut().find(|other| other.identity == identity) {
            Some(known) => {
                known.calls += trigger.calls;
                known.time += time.0;
            }
            None => all.push(Fired { identity, first: trigger, key, calls: trigger.calls, time: time.0 }),
        }
    }
    all
}

fn columns(key: &ForeignKey) -> String {
    let quoted: Vec<String> = key.columns.iter().map(|column| quote(column)).collect();
    quoted.join(", ")
}

fn dominates(ctx: &PlanContext, tuning: &Tuning, writes: &Node, fired: &Fired) -> Option<Finding> {
    let execution = ctx.facts.execution?.0;
    if fired.time < tuning.get("min-share") * execution {
        return None;
    }
    let takes = format!(
        "takes {} of the execution: {} in {}",
        percent(fired.time / execution),
        duration(Millis(fired.time)),
        counted(fired.calls, "call")
    );
    let time = Millis(fired.time);
    let mut found = finding(&SPEC, ctx, writes);
    match (fired.key, &fired.first.constraint) {
        (Some(key), _) => {
            let rows = ctx.catalog.relation(Some(&key.schema), &key.relation).and_then(|r| r.rows);
            if key.index.is_some() || rows.is_some_and(|rows| rows < tuning.get("min-rows")) {
                return None;
            }
            let (table, columns) = (qualified(&key.schema, &key.relation), columns(key));
            found = found.recovering(ctx, time);
            found.what = format!("the foreign key on {columns} of {table} {takes}");
            found.why = format!("no index of {table} leads with {columns}, so each call reads it in full");
            found.help = format!("an index on {columns} of {table} finds the rows that refer to a key");
            found.relation = Some(table);
            found.remedies = vec![Remedy::IndexOn(Box::new(index(key)))];
        }
        (None, Some(constraint)) if internal(fired.first) => {
            // With a catalog this is a check of rows that refer: it looks into a unique index.
            if ctx.server.is_some() || writes.detail.operation.as_deref() == Some("Insert") {
                return None;
            }
            found = found.recovering(ctx, time);
            found.what = format!("the constraint {} {takes}", quote(constraint));
            found.why = "each call looks for rows that refer to a key: without an index it reads them all".into();
            found.help = "see whether an index leads with the columns of this foreign key".to_owned();
        }
        _ => {
            let call = duration(Millis(fired.time / fired.calls.max(1.0)));
            found = found.recovering(ctx, time);
            found.what = format!("the trigger {} {takes}", fired.identity);
            found.why = format!("each call takes {call}, whatever the plan of the statement itself is");
            found.help = format!(
                "explain the statements inside {}; one FOR EACH STATEMENT with transition tables works on all \
                 rows at once",
                fired.identity
            );
        }
    }
    found.evidence = vec![
        Evidence::text("trigger", fired.first.constraint.as_ref().unwrap_or(&fired.identity)),
        Evidence::data("calls", fired.calls, "calls"),
        Evidence::timing("time in the trigger", fired.time, "ms"),
    ];
    Some(found)
}

/// The server's own trigger of a constraint. Plans in text form may name the constraint alone.
fn internal(trigger: &Trigger) -> bool {
    trigger.name.as_deref().is_none_or(|name| name.contains("_ConstraintTrigger_"))
}

fn index(key: &ForeignKey) -> WantedIndex {
    let column = |name: &String| WantedKey {
        text: name.clone(),
        column: true,
        descending: false,
        operator_class: None,
    };
    WantedIndex {
        schema: key.schema.clone(),
        relation: key.relation.clone(),
        method: "btree",
        keys: key.columns.iter().map(column).collect(),
        predicate: None,
        extension: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::found;
    use super::*;

    fn told(plan: &str) -> Vec<String> {
        found(&SPEC, plan).expect("a plan").into_iter().map(|f| f.what).collect()
    }

    /// No page can tell this: its cases have a server.
    #[test]
    fn without_a_catalog_a_slow_constraint_is_told_where_it_may_lack_an_index() {
        let plan = |verb: &str, triggers: &str| {
            format!(
                "{verb} on users  (cost=0.00..1.00 rows=1 width=6) (actual time=1.000..1.000 rows=0 loops=1)\n  \
                 ->  Seq Scan on users  (cost=0.00..1.00 rows=1 width=6) (actual time=0.500..0.500 rows=9 loops=1)\n\
                 Planning Time: 0.1 ms\n{triggers}Execution Time: 100.0 ms\n"
            )
        };
        let slow = "Trigger for constraint orders_user_id_fkey: time=90.000 calls=9\n";
        assert_eq!(
            told(&plan("Delete", slow)),
            ["the constraint orders_user_id_fkey takes 90 % of the execution: 90.0 ms in 9 calls"]
        );
        assert!(told(&plan("Insert", slow)).is_empty());
        assert!(told(&plan("Delete", "")).is_empty());
    }
}
