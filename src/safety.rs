//! Whether a statement may be executed to be measured.
//!
//! Refuses to trust a read-only transaction alone: advisory locks, statistics resets and signals to other
//! backends pass it and survive ROLLBACK.

use crate::plan::Plan;
use crate::sql::ident::is_reserved;
use crate::sql::{Kind, Statement, read};

/// Functions of the server and its extensions that act beyond the transaction, or read the server's files,
/// although a read-only transaction lets them pass.
const ACTS_OUTSIDE: &[&str] = &[
    "connectby",
    "crosstab",
    "dblink",
    "dblink_connect",
    "dblink_exec",
    "dblink_send_query",
    "lo_creat",
    "lo_create",
    "lo_export",
    "lo_from_bytea",
    "lo_import",
    "lo_put",
    "lo_unlink",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_backup_start",
    "pg_cancel_backend",
    "pg_copy_logical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_create_restore_point",
    "pg_drop_replication_slot",
    "pg_file_unlink",
    "pg_file_write",
    "pg_log_backend_memory_contexts",
    "pg_logical_emit_message",
    "pg_ls_dir",
    "pg_notify",
    "pg_promote",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_reload_conf",
    "pg_replication_slot_advance",
    "pg_rotate_logfile",
    "pg_start_backup",
    "pg_stat_force_next_flush",
    "pg_stat_reset",
    "pg_stat_reset_replication_slot",
    "pg_stat_reset_shared",
    "pg_stat_reset_single_function_counters",
    "pg_stat_reset_single_table_counters",
    "pg_stat_reset_slru",
    "pg_stat_statements_reset",
    "pg_stop_backup",
    "pg_switch_wal",
    "pg_sync_replication_slots",
    "pg_terminate_backend",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
    "query_to_xml",
    "set_config",
    "setval",
    "xpath_table",
];

/// Every function name that a statement or its plan spells: views and inlined functions show in the plan only.
pub fn calls(statement: &Statement, plan: &Plan) -> Vec<String> {
    let mut names = statement.calls.clone();
    for node in &plan.nodes {
        let d = &node.detail;
        let single = [
            &d.filter,
            &d.index_cond,
            &d.recheck_cond,
            &d.order_by,
            &d.tid_cond,
            &d.hash_cond,
            &d.merge_cond,
            &d.join_filter,
            &d.one_time_filter,
            &d.run_condition,
            &d.conflict_filter,
            &d.function_call,
            &d.cache_key,
        ];
        let lists = [&d.output, &d.sort_key, &d.group_key, &d.hash_key];
        for text in single.into_iter().flatten().chain(lists.into_iter().flatten()) {
            names.extend(read(text).calls);
        }
        names.extend(d.function.iter().cloned());
    }
    names.sort();
    names.dedup();
    names
}

/// Why the statement must not be executed as it is; `None` where it is proven to read only.
/// `volatile` are the names among [`calls`] that a volatile function of the user's has.
pub fn unsafe_to_execute(
    statement: &Statement,
    plan: &Plan,
    calls: &[String],
    volatile: &[String],
) -> Option<String> {
    let written = plan.nodes.iter().find(|n| n.kind == "ModifyTable");
    if statement.kind == Kind::Write || written.is_some() {
        let what = written
            .and_then(|n| n.detail.operation.clone())
            .map_or("writes".to_owned(), |o| format!("is an {o}"));
        let what = what
            .replace("an Delete", "a DELETE")
            .replace("an Merge", "a MERGE")
            .replace("an Insert", "an INSERT")
            .replace("an Update", "an UPDATE");
        return Some(format!("it {what}"));
    }
    if statement.locks_rows || plan.nodes.iter().any(|n| n.kind == "LockRows") {
        return Some("it locks rows".to_owned());
    }
    if let Some(name) = calls.iter().find(|name| ACTS_OUTSIDE.binary_search(&name.as_str()).is_ok()) {
        return Some(format!("it calls {name}, which acts beyond its transaction"));
    }
    volatile.first().map(|name| format!("it calls {name}, a volatile function that may do anything"))
}

/// Words that stand before a bracket without calling anything, beside those that no function can be named; `coalesce`
/// and `excluded` (a subquery's name) are what rewrites bring in.
const HARMLESS: &[&str] =
    &["by", "coalesce", "excluded", "exists", "inner", "is", "join", "left", "lateral", "right", "values"];

/// Why a rewrite must not be executed although its statement was; `None` where it reads only and calls nothing that the
/// statement does not call.
pub fn unsafe_beside(statement: &Statement, rewrite: &Statement) -> Option<String> {
    if rewrite.kind != Kind::Query {
        return Some("it is no query".to_owned());
    }
    if rewrite.locks_rows {
        return Some("it locks rows".to_owned());
    }
    if rewrite.parameters > statement.parameters {
        return Some("it has more parameters than the statement".to_owned());
    }
    let known = |name: &&String| {
        statement.calls.contains(name) || HARMLESS.contains(&name.as_str()) || is_reserved(name)
    };
    rewrite
        .calls
        .iter()
        .find(|name| !known(name))
        .map(|name| format!("it calls {name}, which the statement does not"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_its_search() {
        assert!(ACTS_OUTSIDE.is_sorted());
    }

    #[test]
    fn reading_is_safe_and_acting_is_not() {
        let judge = |sql: &str, volatile: &[String]| {
            let statement = read(sql);
            let plan = Plan::default();
            unsafe_to_execute(&statement, &plan, &calls(&statement, &plan), volatile)
        };
        assert_eq!(judge("select lower(a) from t", &[]), None);
        for sql in [
            "delete from t",
            "select * from t for update",
            "select pg_advisory_lock(1)",
            "select nextval('s')",
        ] {
            assert!(judge(sql, &[]).is_some(), "{sql}");
        }
        assert!(judge("select f()", &["f".to_owned()]).unwrap().contains("volatile"));
    }

    #[test]
    fn a_rewrite_does_nothing_that_its_statement_does_not() {
        let judge = |sql: &str, rewrite: &str| unsafe_beside(&read(sql), &read(rewrite));
        let sql = "SELECT * FROM t WHERE a NOT IN (SELECT lower(b) FROM u WHERE c = $1)";
        let made = "SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM (SELECT lower(b) FROM u WHERE c = $1) AS excluded (value_1) WHERE excluded.value_1 = a)";
        assert_eq!(judge(sql, made), None);
        for bad in [
            "DELETE FROM t",
            "WITH x AS (DELETE FROM t RETURNING 1) SELECT 1",
            "SELECT * FROM t FOR UPDATE",
            "SELECT upper(a) FROM t",
            "SELECT * FROM t WHERE a = $2",
            "VACUUM t",
        ] {
            assert!(judge(sql, bad).is_some(), "{bad}");
        }
    }
}
