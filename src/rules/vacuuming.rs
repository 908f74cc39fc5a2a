//! When autovacuum comes to a table, and who keeps vacuum from removing rows.
//!
//! Refuses to judge: it reads storage parameters before settings, as autovacuum does.

use super::database::ago;
use crate::catalog::snapshot::{Holder, Moment, Table};
use crate::words::count;

/// What autovacuum may be asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Analyze,
    Vacuum,
}

/// Autovacuum comes to this table at all.
pub(super) fn automatic(moment: &Moment, table: &Table) -> bool {
    let on = moment.settings.get("autovacuum").is_none_or(|s| s.value == "on");
    on && !table.option("autovacuum_enabled").is_some_and(|v| ["false", "off", "0", "no"].contains(&v))
}

/// The number of changed or dead rows at which autovacuum would come.
pub(super) fn trigger(moment: &Moment, table: &Table, task: Task) -> f64 {
    let of = |name: &str, default: f64| {
        let own = table.option(name).and_then(|v| v.parse().ok());
        own.or_else(|| moment.number(name)).unwrap_or(default)
    };
    let rows = table.rows.unwrap_or(0.0);
    match task {
        Task::Analyze => {
            of("autovacuum_analyze_threshold", 50.0) + of("autovacuum_analyze_scale_factor", 0.1) * rows
        }
        Task::Vacuum => {
            let plain =
                of("autovacuum_vacuum_threshold", 50.0) + of("autovacuum_vacuum_scale_factor", 0.2) * rows;
            // 18 and later; -1 is no cap.
            let most = of("autovacuum_vacuum_max_threshold", -1.0);
            if most >= 0.0 { plain.min(most) } else { plain }
        }
    }
}

/// Transactions that a slot or a standby may hold back without harm: minutes of a busy server.
const CALM_XIDS: f64 = 10_000.0;

/// The oldest of those that have kept vacuum back for longer than `seconds`.
pub(super) fn oldest(moment: &Moment, seconds: f64) -> Option<&Holder> {
    let old = |h: &&Holder| match h.seconds {
        Some(since) => since >= seconds,
        None => h.xid_age >= CALM_XIDS,
    };
    moment
        .holders
        .iter()
        .filter(|h| !h.catalogs_only)
        .filter(old)
        .max_by(|a, b| a.xid_age.total_cmp(&b.xid_age))
}

/// Who that is, and since when.
pub(super) fn describe(holder: &Holder) -> String {
    let since = holder.seconds.map_or(format!("{} transactions", count(holder.xid_age)), ago);
    let state = holder.state.as_ref().map_or(String::new(), |state| format!(", {state}"));
    format!("the {} {}{state}, has held them for {since}", holder.kind, holder.name)
}

/// What to do about one.
pub(super) fn end(holder: &Holder) -> String {
    match holder.kind.as_str() {
        "transaction" => {
            format!("end it: SELECT pg_terminate_backend({})", holder.name.trim_start_matches("process "))
        }
        "prepared transaction" => "COMMIT PREPARED or ROLLBACK PREPARED it".to_owned(),
        "replication slot" => "let its reader catch up, or drop it: pg_drop_replication_slot".to_owned(),
        _ => "end the long query there, or switch hot_standby_feedback off there".to_owned(),
    }
}
