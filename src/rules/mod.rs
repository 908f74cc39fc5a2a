//! The registry of rules: one file, one page and one word each.
//!
//! Refuses to let a rule see a server, a renderer, a clock, the environment or another rule. Severity is given
//! here, from the time that can be recovered.

mod config;
mod covers;
mod database;
mod gate;
mod hidden;
mod memory;
mod migration;
mod moving;
pub mod page;
mod rewriting;
mod runs;
#[cfg(test)]
mod stored;
mod story;
mod support;
pub mod team;
mod vacuuming;
mod whole;
mod workload;

use crate::context::{CatalogContext, GateContext, PlanContext, TraceContext, WorkloadContext};
use crate::finding::{Confidence, Finding, Severity};

pub use config::{Budgeted, Config, Override, Root, Tuning, pattern};

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule, in the order of the list.
        pub const RULES: &[&Spec] = &[$(&$module::SPEC),*];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($module)),*];
    };
}

rules! {
    seq_scan_discards_rows,
    index_scan_discards_rows,
    estimate_drift,
    sort_spills_to_disk,
    hash_spills_to_disk,
    aggregate_spills_to_disk,
    tuplestore_spills_to_disk,
    bitmap_turns_lossy,
    memoize_thrashes,
    heap_fetches_in_index_only_scan,
    many_blocks_per_row,
    reads_dominate,
    nested_loop_rescans,
    limit_walks_unselective_index,
    sort_could_use_index,
    offset_discards_rows,
    order_by_random,
    result_set_unbounded,
    row_security_hides_rows,
    statistics_lost,
    select_star,
    trigger_dominates,
    jit_dominates,
    planning_dominates,
    workers_not_launched,
    plan_depends_on_parameters,
    not_in_subquery,
    subplan_per_row,
    or_across_tables,
    distinct_hides_fan_out,
    join_filter_discards_rows,
    function_hides_index,
    cast_hides_index,
    leading_wildcard,
    partitions_not_pruned,
    n_plus_one,
    chatty_writes,
    identical_repeats,
    statement_dominates,
    latency_unstable,
    duplicate_index,
    redundant_index,
    unused_index,
    invalid_index,
    foreign_key_without_index,
    index_blocks_hot_updates,
    never_analyzed,
    stale_statistics,
    dead_rows,
    sequence_near_end,
    migration_fails,
    migrations_out_of_order,
    migration_history_rewritten,
    migration_without_down,
    constraint_data_breaks,
    index_not_concurrent,
    blocking_rewrite,
    blocking_scan,
    lock_held_across_statements,
    locks_several_tables,
    backfill_in_migration,
    drop_breaks_clients,
    truncate_loses_rows,
    lock_reaches_other_table,
    new_foreign_key_unindexed,
    foreign_key_loses_index,
    lock_timeout_missing,
    statement_breaks_query,
    plan_regressed,
    index_only_scan_lost,
    query_over_budget,
    query_unindexed,
    queries_unplanned,
    transaction_ids_near_wraparound,
    transaction_holds_horizon,
    slot_retains_wal,
    constraint_not_validated,
    unlogged_table,
    autovacuum_off,
    crash_loses_data,
    work_mem_exceeds_memory,
    effective_cache_size_too_small,
    random_page_cost_too_high,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// One plan.
    Plan(fn(&PlanContext, &Tuning) -> Vec<Finding>),
    /// All runs of one statement; of one plan alone it says nothing.
    Runs(fn(&[PlanContext], &Tuning) -> Vec<Finding>),
    /// The statements of a workload. Its findings name a statement by its place in the ranking.
    Workload(fn(&WorkloadContext, &Tuning) -> Vec<Finding>),
    /// A whole database.
    Catalog(fn(&CatalogContext, &Tuning) -> Looked),
    /// Migrations that were traced.
    Migration(fn(&TraceContext, &Tuning) -> Vec<Finding>),
    /// Queries that were planned before and after migrations.
    Gate(fn(&GateContext, &Tuning) -> Vec<Finding>),
}

pub use database::{Checked, Looked, run_catalog};
pub use gate::{of_queries, run_gate, thresholds};
pub use migration::{FAILS, run_migrations};
pub use runs::run_all;
pub use workload::run_workload;

/// A rule: its name, its page, its thresholds, its check.
pub struct Spec {
    /// Kebab-case, as everywhere outside the source.
    pub name: &'static str,
    /// One line for the list.
    pub summary: &'static str,
    pub thresholds: &'static [Threshold],
    /// The Markdown page: documentation, specification and test.
    pub page: &'static str,
    /// It has something to say of a plan that was not executed.
    pub of_estimates: bool,
    pub check: Check,
}

/// A number that a rule compares with. Set as `[thresholds.RULE] NAME = …` in `pgproof.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    pub name: &'static str,
    pub default: f64,
    pub unit: &'static str,
    /// Where the number comes from.
    pub why: &'static str,
}

/// Nothing that could recover less is reported: a person would not notice it.
pub const FLOOR_MS: f64 = 1.0;
/// Nothing that could recover less of the execution is reported: two runs of one statement differ by more.
pub const FLOOR_SHARE: f64 = 0.02;
/// From here on, and from [`WARNING_SHARE`] of the statement, a finding is a warning.
pub const WARNING_MS: f64 = 10.0;
/// Below a tenth of the statement a remedy is lost in the noise between two runs.
pub const WARNING_SHARE: f64 = 0.1;
/// From here on, and from [`ERROR_SHARE`], a finding is an error: a person waits for it.
pub const ERROR_MS: f64 = 1_000.0;
/// Half of the statement's time could go.
pub const ERROR_SHARE: f64 = 0.5;
/// Where nothing was executed: cost below which the statement is quick whatever its plan (about 10,000
/// sequential pages' worth is where minutes of tuning start to pay).
pub const WARNING_COST: f64 = 10_000.0;

/// The rule of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    RULES.iter().copied().find(|spec| spec.name == name)
}

/// The rule whose name is nearest to a mistyped one.
pub fn nearest(name: &str) -> &'static str {
    RULES.iter().map(|s| s.name).min_by_key(|known| crate::words::distance(known, name)).unwrap_or("")
}

/// What the rules say of one plan.
#[derive(Debug, Default)]
pub struct Found {
    /// Most recoverable time first.
    pub findings: Vec<Finding>,
    /// What the statement asks to ignore, however little could be recovered: it tells whether it is asked in vain.
    pub ignored: Vec<Finding>,
}

impl Found {
    /// Adds what one rule found.
    fn add(&mut self, rule: &str, mut findings: Vec<Finding>, ignored: &[&str]) {
        if ignored.contains(&rule) {
            self.ignored.append(&mut findings);
        }
        findings.retain(told);
        self.findings.append(&mut findings);
    }
}

/// Runs every rule on one plan. What rules named in `ignored` find is kept apart before stories are put together,
/// as if they were off: a finding that they would have explained stands by itself.
pub fn run(ctx: &PlanContext, config: &Config, ignored: &[&str]) -> Found {
    let mut found = Found::default();
    for &spec in RULES.iter().filter(|spec| config.runs(spec.name)) {
        if let Check::Plan(check) = spec.check {
            found.add(spec.name, check(ctx, &Tuning { spec, config }), ignored);
        }
    }
    for team in config.team.iter().filter(|team| config.runs(&team.name)) {
        found.add(&team.name, team.check(ctx, config), ignored);
    }
    found.findings = story::merge(ctx, found.findings);
    for finding in found.findings.iter_mut().chain(&mut found.ignored) {
        finding.severity = severity(ctx, finding, config);
    }
    found.findings.sort_by(|a, b| {
        let saves = |f: &Finding| f.saves.map_or(0.0, |s| s.0);
        b.severity.cmp(&a.severity).then(saves(b).total_cmp(&saves(a))).then(b.share.total_cmp(&a.share))
    });
    found
}

/// Enough could be recovered to speak of it.
pub fn told(finding: &Finding) -> bool {
    finding.saves.is_none_or(|saves| saves.0 >= FLOOR_MS && finding.share >= FLOOR_SHARE)
}

fn severity(ctx: &PlanContext, finding: &Finding, config: &Config) -> Severity {
    if let Some(Some(set)) = config.severity.get(&*finding.rule) {
        return *set;
    }
    let own = own_severity(ctx, finding);
    config.team(&finding.rule).map_or(own, |team| team.capped(own))
}

fn own_severity(ctx: &PlanContext, finding: &Finding) -> Severity {
    match (finding.confidence, finding.saves) {
        (Confidence::Measured, Some(saves)) if saves.0 >= ERROR_MS && finding.share >= ERROR_SHARE => {
            Severity::Error
        }
        (Confidence::Measured, Some(saves)) if saves.0 >= WARNING_MS && finding.share >= WARNING_SHARE => {
            Severity::Warning
        }
        (Confidence::Estimated, _) if finding.share >= ERROR_SHARE => {
            let cost = ctx.plan.root().and_then(|n| n.estimate).map_or(0.0, |e| e.total_cost.0);
            if cost >= WARNING_COST { Severity::Warning } else { Severity::Info }
        }
        _ => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_named_for_its_module_and_its_page_tells_its_thresholds() {
        for (spec, module) in RULES.iter().zip(MODULES) {
            assert_eq!(spec.name, module.replace('_', "-"));
            assert!(spec.page.starts_with(&format!("# {}\n", spec.name)), "{}", spec.name);
            for threshold in spec.thresholds {
                let row = format!("| `{}` | {} | {} |", threshold.name, threshold.default, threshold.unit);
                assert!(spec.page.contains(&row), "{}: the page lacks the row {row}", spec.name);
            }
            let page = page::parse(spec.page).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
            assert!(page.cases.len() >= 4, "{}: {} cases", spec.name, page.cases.len());
            let of_plans = matches!(spec.check, Check::Plan(_) | Check::Runs(_));
            assert!(page.cases.iter().all(|case| case.query.is_empty() != of_plans), "{}", spec.name);
        }
    }

    #[test]
    fn a_mistyped_name_finds_its_neighbour() {
        assert_eq!(nearest("seq-scan-discard-rows"), "seq-scan-discards-rows");
        assert_eq!(nearest("estimatedrift"), "estimate-drift");
    }
}
