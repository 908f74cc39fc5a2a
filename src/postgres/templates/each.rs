//! One statement that plans many, and one that tries many values.
//!
//! Refuses to execute what it plans, and to read a table for values.

use super::{PREPARED, literal};

/// How [`plan_each`] answers for a statement that cannot be planned: with nothing, or with what the server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplanned {
    Null,
    Error,
}

/// What a server says of a statement whose parameters have types that it cannot find out.
const UNTYPED: &str = "'42P18', '42P08', '42725', '42883', '42804', '42846'";

/// Plans what the JSON array `asked` lists, and returns the plans as one cell behind others; settings of this transaction
/// carry both. Each is planned in a subtransaction, so that one that cannot be does not end the others; with its types
/// only where it cannot be planned without.
pub fn plan_each(asked: &str, major: u32, unplanned: Unplanned) -> String {
    let (names, failed) = match unplanned {
        Unplanned::Null => ("", "'null'"),
        // Plans that are compared need the schemas of their tables.
        Unplanned::Error => (", VERBOSE", "json_build_object('code', SQLSTATE, 'message', SQLERRM)"),
    };
    // Values make a custom plan; without, a prepared statement has a generic one where that is asked for.
    let prepared = |types: &str| {
        format!(
            "PERFORM set_config('plan_cache_mode', CASE WHEN one ->> 'values' IS NULL THEN 'force_generic_plan' \
             ELSE 'force_custom_plan' END, true); \
             EXECUTE 'PREPARE {PREPARED}{types} AS ' || (one ->> 'sql'); \
             EXECUTE 'EXPLAIN (FORMAT JSON{names}) EXECUTE {PREPARED}' || CASE \
             WHEN one ->> 'values' IS NOT NULL THEN '(' || (one ->> 'values') || ')' \
             WHEN (one ->> 'parameters')::int = 0 THEN '' \
             ELSE '(' || repeat('NULL, ', (one ->> 'parameters')::int - 1) || 'NULL)' END INTO plan"
        )
    };
    let (untyped, typed) = (prepared(""), prepared("(' || (one ->> 'types') || ')"));
    let plan = match major {
        16.. => format!(
            "IF one ->> 'values' IS NULL THEN \
             EXECUTE 'EXPLAIN (FORMAT JSON, GENERIC_PLAN{names}) ' || (one ->> 'sql') INTO plan; \
             ELSE {untyped}; END IF"
        ),
        _ => untyped,
    };
    format!(
        "SELECT pg_catalog.set_config('pgproof.asked', {}, true);\n\
         DO $pgproof$\n\
         DECLARE one json; plan json; plans json[] := '{{}}';\n\
         BEGIN\n\
         FOR one IN SELECT json_array_elements(current_setting('pgproof.asked')::json) LOOP\n\
         BEGIN\n\
         {plan};\n\
         EXCEPTION WHEN OTHERS THEN plan := {failed};\n\
         IF (one ->> 'types') IS NOT NULL AND SQLSTATE IN ({UNTYPED}) AND NOT EXISTS (\
         SELECT FROM pg_catalog.pg_prepared_statements WHERE name = '{PREPARED}') THEN\n\
         BEGIN {typed}; EXCEPTION WHEN OTHERS THEN plan := {failed}; END;\n\
         END IF;\n\
         END;\n\
         IF EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE name = '{PREPARED}') THEN\n\
         EXECUTE 'DEALLOCATE {PREPARED}';\n\
         END IF;\n\
         plans := array_append(plans, plan);\n\
         END LOOP;\n\
         PERFORM set_config('pgproof.plans', array_to_json(plans)::text, true);\n\
         END $pgproof$;\n\
         SELECT pg_catalog.current_setting('pgproof.plans')",
        literal(asked)
    )
}

/// Holds each text of the JSON array `values` to a question that has it as `$1` and answers whether it breaks something.
/// The last cell is a JSON array: for each the SQLSTATE of what it breaks, or null.
pub fn hold_each(values: &str, before: &str, question: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('pgproof.values', {}, true);\n\
         {before}\n\
         DO $pgproof$\n\
         DECLARE one text; breaks bool; code text; codes text[] := '{{}}';\n\
         BEGIN\n\
         FOR one IN SELECT json_array_elements_text(current_setting('pgproof.values')::json) LOOP\n\
         code := NULL;\n\
         BEGIN\n\
         EXECUTE {} INTO breaks USING one;\n\
         IF breaks THEN code := '23514'; END IF;\n\
         EXCEPTION WHEN OTHERS THEN code := SQLSTATE;\n\
         END;\n\
         codes := array_append(codes, code);\n\
         END LOOP;\n\
         PERFORM set_config('pgproof.codes', array_to_json(codes)::text, true);\n\
         END $pgproof$;\n\
         SELECT pg_catalog.current_setting('pgproof.codes')",
        literal(values),
        literal(question)
    )
}
