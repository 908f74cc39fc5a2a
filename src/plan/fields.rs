//! The names of properties that go to a field of a node as they are.
//!
//! Refuses to interpret: what needs more than its own value is put together in `build`.

use super::{Detail, Relationship};
use std::borrow::Cow;

/// The field of a flag.
pub(super) fn flag_field<'n>(detail: &'n mut Detail, key: &str) -> Option<&'n mut Option<bool>> {
    Some(match key {
        "Parallel Aware" => &mut detail.parallel_aware,
        "Async Capable" => &mut detail.async_capable,
        "Disabled" => &mut detail.disabled,
        "Inner Unique" => &mut detail.inner_unique,
        "Single Copy" => &mut detail.single_copy,
        _ => return None,
    })
}

/// The field of a list of texts.
pub(super) fn texts_field<'n>(detail: &'n mut Detail, key: &str) -> Option<&'n mut Vec<String>> {
    Some(match key {
        "Output" => &mut detail.output,
        "Sort Key" => &mut detail.sort_key,
        "Presorted Key" => &mut detail.presorted_key,
        "Group Key" => &mut detail.group_key,
        "Hash Key" => &mut detail.hash_key,
        "Params Evaluated" => &mut detail.params_evaluated,
        _ => return None,
    })
}

/// The field of a text.
pub(super) fn text_field<'n>(detail: &'n mut Detail, key: &str) -> Option<&'n mut Option<String>> {
    Some(match key {
        "Schema" => &mut detail.schema,
        "Relation Name" => &mut detail.relation,
        "Alias" => &mut detail.alias,
        "Index Name" => &mut detail.index,
        "CTE Name" => &mut detail.cte,
        "Function Name" => &mut detail.function,
        "Table Function Name" => &mut detail.table_function,
        "Tuplestore Name" => &mut detail.tuplestore,
        "Custom Plan Provider" => &mut detail.custom_plan_provider,
        "Scan Direction" => &mut detail.scan_direction,
        "Strategy" => &mut detail.strategy,
        "Partial Mode" => &mut detail.partial_mode,
        "Operation" => &mut detail.operation,
        "Command" => &mut detail.command,
        "Join Type" => &mut detail.join_type,
        "Filter" => &mut detail.filter,
        "Index Cond" => &mut detail.index_cond,
        "Recheck Cond" => &mut detail.recheck_cond,
        "Order By" => &mut detail.order_by,
        "TID Cond" => &mut detail.tid_cond,
        "Hash Cond" => &mut detail.hash_cond,
        "Merge Cond" => &mut detail.merge_cond,
        "Join Filter" => &mut detail.join_filter,
        "One-Time Filter" => &mut detail.one_time_filter,
        "Run Condition" => &mut detail.run_condition,
        "Conflict Filter" => &mut detail.conflict_filter,
        "Function Call" => &mut detail.function_call,
        "Cache Key" => &mut detail.cache_key,
        _ => return None,
    })
}

/// The word of `Parent Relationship`.
pub(super) fn relationship(text: Cow<'_, str>) -> Relationship {
    match text.as_ref() {
        "Outer" => Relationship::Outer,
        "Inner" => Relationship::Inner,
        "Member" => Relationship::Member,
        "Subquery" => Relationship::Subquery,
        "InitPlan" => Relationship::InitPlan,
        "SubPlan" => Relationship::SubPlan,
        _ => Relationship::Other(text.into_owned()),
    }
}
