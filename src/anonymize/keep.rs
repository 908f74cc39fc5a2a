//! What PostgreSQL itself named, and may therefore stay: words of its grammar, types, functions, keys, settings.
//!
//! Refuses to judge what is not listed: that is hidden.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Functions of `pg_catalog` in 13–18, without those that only the server itself calls (`pg_proc`).
static FUNCTIONS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("functions.txt").split_whitespace().collect());

/// Whether the server brings a function of this name.
pub(super) fn function(name: &str) -> bool {
    FUNCTIONS.contains(name)
}

/// Words of SQL that are no reserved words, and that the server prints in capitals.
const SYNTAX: &[&str] = &[
    "AT",
    "BY",
    "COLUMNS",
    "CONTENT",
    "CURRENT",
    "DISTINCT",
    "DOCUMENT",
    "DELETE",
    "EMPTY",
    "ERROR",
    "ESCAPE",
    "EXCLUDE",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "GROUPS",
    "INDENT",
    "INSERT",
    "KEEP",
    "KEYS",
    "LAST",
    "MATERIALIZED",
    "NESTED",
    "NULLS",
    "OBJECT",
    "OF",
    "OPERATOR",
    "ORDINALITY",
    "OTHERS",
    "OVER",
    "PARTIAL",
    "PARTITION",
    "PASSING",
    "PATH",
    "PRECEDING",
    "QUOTES",
    "RANGE",
    "ROLLUP",
    "ROWS",
    "SCALAR",
    "SET",
    "SETS",
    "SHARE",
    "STANDALONE",
    "STRIP",
    "TEXT",
    "TIES",
    "UNBOUNDED",
    "UPDATE",
    "VALUE",
    "VERSION",
    "WHITESPACE",
    "WITHIN",
    "WITHOUT",
    "WRAPPER",
    "YES",
    "ZONE",
];

/// Whether `word`, as written, is a word of the grammar.
pub(super) fn syntax(word: &str) -> bool {
    SYNTAX.contains(&word)
}

/// What `EXTRACT (… FROM …)` takes.
const FIELDS: &[&str] = &[
    "century",
    "day",
    "decade",
    "dow",
    "doy",
    "epoch",
    "hour",
    "isodow",
    "isoyear",
    "julian",
    "microseconds",
    "millennium",
    "milliseconds",
    "minute",
    "month",
    "quarter",
    "second",
    "timezone",
    "timezone_hour",
    "timezone_minute",
    "week",
    "year",
];

pub(super) fn field(word: &str) -> bool {
    FIELDS.contains(&word)
}

/// Types of one word that are no reserved words.
const TYPES: &[&str] = &[
    "aclitem",
    "anyarray",
    "anyelement",
    "anyenum",
    "anyrange",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "cid",
    "cidr",
    "circle",
    "cstring",
    "date",
    "datemultirange",
    "daterange",
    "double",
    "float4",
    "float8",
    "inet",
    "int2",
    "int2vector",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "nummultirange",
    "numrange",
    "oid",
    "oidvector",
    "path",
    "pg_lsn",
    "pg_node_tree",
    "pg_snapshot",
    "point",
    "polygon",
    "record",
    "refcursor",
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "text",
    "tid",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "txid_snapshot",
    "unknown",
    "uuid",
    "varbit",
    "void",
    "xid",
    "xid8",
    "xml",
];

pub(super) fn data_type(name: &str) -> bool {
    TYPES.contains(&name)
}

/// Words that go on after a type's first: `double precision`, `timestamp with time zone`, `interval day to second`.
const TYPE_WORDS: &[&str] = &[
    "day",
    "hour",
    "minute",
    "month",
    "precision",
    "second",
    "time",
    "to",
    "varying",
    "with",
    "without",
    "year",
    "zone",
];

pub(super) fn type_word(word: &str) -> bool {
    TYPE_WORDS.contains(&word)
}

const COLLATIONS: &[&str] =
    &["C", "POSIX", "default", "ucs_basic", "unicode", "pg_c_utf8", "pg_unicode_fast"];

pub(super) fn collation(name: &str) -> bool {
    COLLATIONS.contains(&name)
}

const SCHEMAS: &[&str] = &["information_schema", "pg_catalog", "pg_temp", "pg_toast", "public"];

pub(super) fn schema(name: &str) -> bool {
    SCHEMAS.contains(&name)
}

/// Columns that every table has, and that plans name: `ctid`, `tableoid` …
const SYSTEM_COLUMNS: &[&str] = &["cmax", "cmin", "ctid", "tableoid", "wholerow", "xmax", "xmin"];

pub(super) fn system_column(name: &str) -> bool {
    SYSTEM_COLUMNS.contains(&name)
}

/// Names that the server gives to what the statement left without one: `*VALUES*`, `*SELECT* 2`, `excluded`.
pub(super) fn alias(name: &str) -> bool {
    let starred = name.strip_prefix('*').and_then(|rest| rest.split_once('*'));
    let number = |rest: &str| rest.trim_start_matches([' ', '_']).bytes().all(|b| b.is_ascii_digit());
    match starred {
        Some((word, rest)) => {
            ["VALUES", "SELECT", "TLOCRN", "TROCRN", "RESULT", "GROUP"].contains(&word) && number(rest)
        }
        None => ["excluded", "json_table", "new", "old", "unnamed_subquery", "xmltable"].contains(&name),
    }
}

/// What the server names a subplan after (19+): `exists_1`, `minmax_2`.
pub(super) fn subplan(name: &str) -> bool {
    const STEMS: &[&str] = &[
        "all",
        "any",
        "array",
        "array_expr",
        "exists",
        "expr",
        "minmax",
        "multiexpr",
        "rowcompare",
        "sublink",
    ];
    name.rsplit_once('_').is_some_and(|(stem, number)| {
        STEMS.contains(&stem) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

const KINDS: &[&str] = &[
    "Aggregate",
    "Append",
    "Async Foreign Scan",
    "Bitmap Heap Scan",
    "Bitmap Index Scan",
    "BitmapAnd",
    "BitmapOr",
    "CTE Scan",
    "Custom Scan",
    "Foreign Scan",
    "Function Scan",
    "Gather",
    "Gather Merge",
    "Group",
    "Hash",
    "Hash Join",
    "Incremental Sort",
    "Index Only Scan",
    "Index Scan",
    "Limit",
    "LockRows",
    "Materialize",
    "Memoize",
    "Merge Append",
    "Merge Join",
    "ModifyTable",
    "Named Tuplestore Scan",
    "Nested Loop",
    "ProjectSet",
    "Recursive Union",
    "Result",
    "Result Cache",
    "Sample Scan",
    "Seq Scan",
    "SetOp",
    "Sort",
    "Subquery Scan",
    "Table Function Scan",
    "Tid Range Scan",
    "Tid Scan",
    "Unique",
    "Values Scan",
    "WindowAgg",
    "WorkTable Scan",
];

/// Whether the server has a node of this kind.
pub(super) fn kind(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// Values that are words of EXPLAIN itself.
const WORDS: &[&str] = &[
    "All",
    "Anti",
    "Average",
    "Backward",
    "Debug",
    "Delete",
    "Disk",
    "Except",
    "Except All",
    "Finalize",
    "Forward",
    "Full",
    "Hashed",
    "Inner",
    "Insert",
    "Intersect",
    "Intersect All",
    "Left",
    "Memory",
    "Merge",
    "Mixed",
    "NOTHING",
    "NoMovement",
    "Notify",
    "Partial",
    "Plain",
    "Right",
    "Right Anti",
    "Right Semi",
    "SELECT",
    "SELECT FOR KEY SHARE",
    "SELECT FOR NO KEY UPDATE",
    "SELECT FOR SHARE",
    "SELECT FOR UPDATE",
    "Select",
    "Semi",
    "Simple",
    "Sorted",
    "UPDATE",
    "Update",
    "bernoulli",
    "binary",
    "children",
    "external merge",
    "external sort",
    "logical",
    "quicksort",
    "still in progress",
    "system",
    "text",
    "top-N heapsort",
];

pub(super) fn word(word: &str) -> bool {
    WORDS.contains(&word)
}

/// Names of properties that a server, postgres_fdw, pg_overexplain or Citus prints and [`crate::plan`] has no field
/// for.
const KEYS: &[&str] = &[
    "Actual Loops",
    "Actual Rows",
    "Actual Startup Time",
    "Actual Total Time",
    "Average I/O Size",
    "Average I/Os In Progress",
    "Average Prefetch Distance",
    "Batch Size",
    "Calls",
    "Conflict Arbiter Indexes",
    "Conflict Resolution",
    "Conflicting Tuples",
    "Constraint Name",
    "Deform",
    "Deforming",
    "Disabled Nodes",
    "Distributed Query",
    "Emission",
    "Estimated Capacity",
    "Estimated Distinct Lookup Keys",
    "Estimated Groups",
    "Estimated Hit Percent",
    "Estimated Lookups",
    "Expressions",
    "Foreign File",
    "Foreign File Size",
    "Foreign Program",
    "Format",
    "Functions",
    "Generation",
    "Group Count",
    "Group Key",
    "Group Keys",
    "Grouping Sets",
    "Hash Keys",
    "I/O",
    "I/O Count",
    "I/O Waits",
    "Index Name",
    "Inlining",
    "JIT",
    "Max Prefetch Distance",
    "Maximum Storage",
    "Memory Allocated",
    "Memory Used",
    "Node",
    "Optimization",
    "Options",
    "Output Volume",
    "Parallel Safe",
    "Peak Memory Usage",
    "Plan Node ID",
    "Plan Rows",
    "Plan Width",
    "Planning",
    "Prefetch",
    "Prefetch Capacity",
    "Query",
    "Query Identifier",
    "Range Table",
    "Relation",
    "Relation Name",
    "Relations",
    "Alias",
    "Remote Plan",
    "Remote SQL",
    "Repeatable Seed",
    "Replaces",
    "Sampling Method",
    "Sampling Parameters",
    "Schema",
    "Serialization",
    "Sort Key",
    "Sort Method",
    "Sort Space Type",
    "Sort Space Used",
    "Startup Cost",
    "Storage",
    "Subplans Removed",
    "Table Function Call",
    "Target Tables",
    "Task",
    "Task Count",
    "Tasks",
    "Tasks Shown",
    "Time",
    "Timing",
    "Total",
    "Total Cost",
    "Trigger Name",
    "Tuples",
    "Tuples Deleted",
    "Tuples Inserted",
    "Tuples Skipped",
    "Tuples Updated",
    "WAL FPI Bytes",
    "Window",
    "Worker Number",
];

/// Whether a property of this name is one that is known.
pub(super) fn key(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Whether a text is figures with names of EXPLAIN's own: `avg=3.0 max=9 capacity=16` (19+).
pub(super) fn figures(text: &str) -> bool {
    const NAMES: &[&str] = &["avg", "capacity", "count", "in-progress", "max", "size", "waits"];
    !text.is_empty()
        && text.split_whitespace().all(|pair| {
            pair.split_once('=')
                .is_some_and(|(name, number)| NAMES.contains(&name) && number.parse::<f64>().is_ok())
        })
}

/// Words that planner settings take as values.
const SETTING_VALUES: &[&str] = &[
    "auto",
    "buffered",
    "concise",
    "force_custom_plan",
    "force_generic_plan",
    "full",
    "local",
    "none",
    "normal",
    "off",
    "on",
    "partition",
    "regress",
    "verbose",
    "worker",
    "io_uring",
    "sync",
    "minimal",
    "replica",
    "logical",
];

/// Whether a setting's value is a number, perhaps with its unit, or a word that settings take.
pub(super) fn setting_value(value: &str) -> bool {
    let units = ["", "B", "kB", "MB", "GB", "TB", "us", "ms", "s", "min", "h", "d"];
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    SETTING_VALUES.contains(&value)
        || (digits.parse::<f64>().is_ok() && units.contains(&&value[digits.len()..]))
}

/// Whether a setting is named as the server's own are: those of extensions have a dot.
pub(super) fn setting(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_named_is_known_and_nothing_else() {
        assert!(
            function("lower") && function("generate_series") && function("date_trunc") && function("count")
        );
        assert!(!function("charge_customer"));
        assert!(alias("*VALUES*") && alias("*VALUES*_1") && alias("*SELECT* 12") && !alias("*mine*"));
        assert!(subplan("exists_1") && subplan("minmax_12") && !subplan("orders_1") && !subplan("exists_x"));
        assert!(
            setting_value("64kB") && setting_value("1.1") && setting_value("off") && !setting_value("secret")
        );
    }
}
