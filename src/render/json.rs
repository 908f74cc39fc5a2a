//! JSON format 1, as `pgproof schema` describes it. Numbers carry their unit in the name; absent is `null`.
//!
//! Refuses to leave a key out: a reader finds every key in every report.

use super::json_comparison::JsonComparison;
use super::json_suppressed::{JsonSuppressed, JsonSuppression};
use super::json_workload::{JsonWorkload, Stats};
use crate::capture::{Gap, Mode, Origin};
use crate::finding::{Also, Confidence, Evidence, Location, Severity, Stability};
use crate::identity;
use crate::plan::{Buffers, Node};
use crate::proposals::{Applicability, Change};
use crate::prove::{Method, Outcome, Sample, median, percentile};
use crate::report::{Judged, Planned, Report, Statement};
use crate::sql::hex;
use schemars::JsonSchema;
use serde::Serialize;

/// The format number that this version writes.
pub const FORMAT: u32 = 1;

/// A report as JSON, two spaces to a level, with a line feed at the end.
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(&Document::of(report)).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of format 1.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Document)).unwrap_or_default();
    text.push('\n');
    text
}

#[derive(Serialize, JsonSchema)]
struct Document {
    format: u32,
    tool: Tool,
    server: Option<Server>,
    statements: Vec<JsonStatement>,
    findings: Vec<JsonFinding>,
    proposals: Vec<JsonProposal>,
    skipped: Vec<JsonSkipped>,
    /// Rules about the database that looked at everything and found nothing.
    clean: Vec<String>,
    gaps: Vec<Gap>,
    suppressions: Vec<JsonSuppression>,
    suppressed: Vec<JsonSuppressed>,
    summary: Summary,
    /// `top`: the window of pg_stat_statements that `statements` lead.
    workload: Option<JsonWorkload>,
    /// `check`: what was tried.
    migrations: Option<JsonMigrations>,
    /// `plan --diff`: the plan of `s1` (side `base`) against that of `s2` (side `head`).
    comparison: Option<JsonComparison>,
}

#[derive(Serialize, JsonSchema)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Server {
    version_num: u32,
    version: String,
    database: String,
}

#[derive(Serialize, JsonSchema)]
struct JsonMigrations {
    /// Who was taken to run them, as `--framework` names it.
    framework: &'static str,
    /// Those that the base has already.
    applied: usize,
    new: usize,
}

#[derive(Serialize, JsonSchema)]
struct JsonStatement {
    id: String,
    text: String,
    /// 16 hexadecimal digits, stable across majors.
    fingerprint: String,
    origin: Origin,
    query_ids: Vec<String>,
    outcome: Option<String>,
    culprit: Option<Location>,
    stats: Option<Stats>,
    plans: Vec<JsonPlan>,
    notes: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct JsonPlan {
    id: String,
    /// `check` and `plan --diff`: `base` or `head`.
    side: Option<String>,
    /// `check`: fingerprints of the access paths (`a1:…`) and of the shape (`s1:…`), to be compared within one version.
    access: Option<String>,
    shape: Option<String>,
    mode: Mode,
    parameters: Vec<Option<String>>,
    not_executed: Option<String>,
    planning_ms: Option<f64>,
    execution_ms: Option<f64>,
    total_cost: Option<f64>,
    nodes: Vec<JsonNode>,
}

#[derive(Serialize, JsonSchema)]
struct JsonNode {
    id: usize,
    parent: Option<usize>,
    kind: String,
    relation: Option<String>,
    index: Option<String>,
    /// Per loop, as printed.
    rows_estimated: Option<f64>,
    rows_actual: Option<f64>,
    loops: Option<f64>,
    estimate_error: Option<f64>,
    /// Over all loops and processes.
    rows_removed_total: Option<f64>,
    rows_total: Option<f64>,
    /// Wall time.
    self_ms: Option<f64>,
    /// Summed over processes.
    self_cpu_ms: Option<f64>,
    self_share: Option<f64>,
    self_blocks: Option<JsonBlocks>,
}

#[derive(Serialize, JsonSchema)]
struct JsonBlocks {
    hit: i64,
    read: i64,
    written: i64,
    temp_read: i64,
    temp_written: i64,
}

#[derive(Serialize, JsonSchema)]
struct JsonFinding {
    id: String,
    /// The same from run to run, whatever its lines and numbers are: what `pgproof-accepted.json` names.
    fingerprint: String,
    rule: String,
    severity: Severity,
    confidence: Confidence,
    /// `null`: it is about the database.
    statement: Option<String>,
    /// `null`: it is about the statement as a whole.
    plan: Option<String>,
    node: Option<usize>,
    relation: Option<String>,
    index: Option<String>,
    location: Option<Location>,
    what: String,
    why: String,
    help: String,
    evidence: Vec<Evidence>,
    saves_ms: Option<f64>,
    proposals: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct JsonProposal {
    id: String,
    kind: &'static str,
    relation: Option<String>,
    apply: Vec<String>,
    undo: Vec<String>,
    answers: Vec<String>,
    serves: Vec<String>,
    applicability: Applicability,
    locks: Vec<String>,
    size_bytes: Option<i64>,
    write_cost: Option<JsonWriteCost>,
    expected: Option<Expected>,
    verdict: JsonVerdict,
    remarks: Vec<String>,
    kept: bool,
}

#[derive(Serialize, JsonSchema)]
struct JsonWriteCost {
    writes_per_read: Option<f64>,
    extra_ms_per_1000_writes: f64,
    blocks_hot_updates: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct Expected {
    cost_before: f64,
    cost_after: f64,
}

#[derive(Serialize, JsonSchema)]
struct JsonVerdict {
    outcome: Outcome,
    method: Method,
    before: Option<Runs>,
    after: Option<Runs>,
    speedup: Option<Speedup>,
    build_ms: Option<f64>,
    reason: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Runs {
    runs_ms: Vec<f64>,
    median_ms: f64,
    p95_ms: f64,
    blocks: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Speedup {
    median: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize, JsonSchema)]
struct JsonSkipped {
    rule: String,
    needs: String,
}

#[derive(Serialize, JsonSchema)]
struct Summary {
    errors: usize,
    warnings: usize,
    infos: usize,
}

pub(super) fn statement_id(index: usize) -> String {
    format!("s{}", index + 1)
}

pub(super) fn plan_id(statement: usize, run: usize) -> String {
    format!("s{}p{}", statement + 1, run + 1)
}

fn finding_id(index: usize) -> String {
    format!("f{}", index + 1)
}

fn proposal_id(index: usize) -> String {
    format!("p{}", index + 1)
}

impl Document {
    fn of(report: &Report) -> Self {
        let summary = report.summary();
        Document {
            format: FORMAT,
            tool: Tool { name: "pgproof", version: env!("CARGO_PKG_VERSION") },
            server: report.server.as_ref().map(|s| Server {
                version_num: s.version_num,
                version: s.version.clone(),
                database: s.database.clone(),
            }),
            statements: statements(report),
            findings: findings(report),
            proposals: report.proposals.iter().enumerate().map(|(i, p)| proposal(i, p)).collect(),
            clean: report.clean.clone(),
            skipped: report
                .skipped
                .iter()
                .map(|s| JsonSkipped { rule: s.rule.clone(), needs: s.needs.clone() })
                .collect(),
            gaps: report.gaps.clone(),
            suppressions: JsonSuppression::all(report),
            suppressed: JsonSuppressed::all(report),
            summary: Summary { errors: summary.errors, warnings: summary.warnings, infos: summary.infos },
            workload: report.workload.as_ref().map(JsonWorkload::of),
            migrations: report.migrations.as_ref().map(|m| JsonMigrations {
                framework: m.framework,
                applied: m.applied,
                new: m.new,
            }),
            comparison: JsonComparison::of(report),
        }
    }
}

fn statements(report: &Report) -> Vec<JsonStatement> {
    let mut statements: Vec<JsonStatement> =
        report.statements.iter().enumerate().map(|(i, s)| statement(i, s)).collect();
    if report.comparison.is_some() {
        for (statement, side) in statements.iter_mut().zip(["base", "head"]) {
            statement.plans.iter_mut().for_each(|plan| plan.side = Some(side.to_owned()));
        }
    }
    statements
}

fn statement(index: usize, statement: &Statement) -> JsonStatement {
    let identifiers = statement.plans.iter().filter_map(|p| p.plan.query_identifier);
    let counted = statement.counted.iter().flat_map(|counted| &counted.query_ids);
    let mut query_ids: Vec<String> = counted.copied().chain(identifiers).map(|id| id.to_string()).collect();
    query_ids.sort();
    query_ids.dedup();
    JsonStatement {
        id: statement_id(index),
        text: statement.text.clone(),
        fingerprint: hex(statement.fingerprint),
        origin: statement.origin.clone(),
        query_ids,
        outcome: statement.outcome.map(|outcome| outcome.name().to_owned()),
        culprit: statement.culprit.clone(),
        stats: statement.counted.as_ref().map(Stats::of),
        plans: plans(index, statement),
        notes: statement.notes.clone(),
    }
}

/// The plans of a statement: those that findings are about, then those that were compared.
fn plans(index: usize, statement: &Statement) -> Vec<JsonPlan> {
    let compared = statement.outcome.is_some();
    let mut plans: Vec<JsonPlan> =
        statement.plans.iter().enumerate().map(|(run, p)| plan(index, run, p)).collect();
    if compared {
        plans.iter_mut().for_each(|plan| plan.side = Some("head".to_owned()));
    }
    for pair in &statement.pairs {
        for (side, sided) in [("base", &pair.base), ("head", &pair.head)] {
            let Some(sided) = sided else { continue };
            plans.push(JsonPlan {
                side: Some(side.to_owned()),
                access: Some(sided.marks.access.clone()),
                shape: Some(sided.marks.shape.clone()),
                ..plan(index, plans.len(), &sided.planned)
            });
        }
    }
    plans
}

fn plan(statement: usize, run: usize, planned: &Planned) -> JsonPlan {
    let plan = &planned.plan;
    JsonPlan {
        id: plan_id(statement, run),
        side: None,
        access: None,
        shape: None,
        mode: planned.mode,
        parameters: planned.parameters.clone(),
        not_executed: planned.not_executed.clone(),
        planning_ms: plan.planning_time.map(|t| t.0),
        execution_ms: plan.execution_time.or(plan.duration).map(|t| t.0),
        total_cost: plan.root().and_then(|n| n.estimate).map(|e| e.total_cost.0),
        nodes: plan.nodes.iter().map(|n| node(planned, n)).collect(),
    }
}

fn node(planned: &Planned, node: &Node) -> JsonNode {
    let facts = &planned.facts.nodes[node.id];
    let detail = &node.detail;
    let ran = node.ran();
    JsonNode {
        id: node.id,
        parent: node.parent,
        kind: node.kind.clone(),
        relation: detail.relation.as_ref().map(|name| match &detail.schema {
            Some(schema) => crate::sql::ident::qualified(schema, name),
            None => crate::sql::ident::quote(name),
        }),
        index: detail.index.clone(),
        rows_estimated: node.estimate.map(|e| e.rows.0),
        rows_actual: ran.map(|r| r.rows.0),
        loops: ran.map(|r| r.loops),
        estimate_error: facts.estimate_error.map(|e| e.0),
        rows_removed_total: facts.rows_removed_total.map(|r| r.0),
        rows_total: facts.rows_total.map(|r| r.0),
        self_ms: facts.self_time.map(|t| t.0),
        self_cpu_ms: facts.self_cpu.map(|t| t.0),
        self_share: facts.self_share.map(|s| s.0),
        self_blocks: facts.self_buffers.map(blocks),
    }
}

fn blocks(buffers: Buffers) -> JsonBlocks {
    JsonBlocks {
        hit: (buffers.shared_hit + buffers.local_hit).0,
        read: (buffers.shared_read + buffers.local_read).0,
        written: (buffers.shared_written + buffers.local_written).0,
        temp_read: buffers.temp_read.0,
        temp_written: buffers.temp_written.0,
    }
}

fn findings(report: &Report) -> Vec<JsonFinding> {
    let mut answered: Vec<Vec<String>> = vec![Vec::new(); report.findings.len()];
    for (index, judged) in report.proposals.iter().enumerate() {
        for &answer in &judged.proposal.answers {
            answered.get_mut(answer).into_iter().for_each(|list| list.push(proposal_id(index)));
        }
    }
    let fingerprints = identity::fingerprints(report, &identity::places(report));
    let all = answered.into_iter().zip(fingerprints).enumerate();
    all.map(|(index, (proposals, fingerprint))| finding(report, index, fingerprint, proposals)).collect()
}

fn finding(report: &Report, index: usize, fingerprint: String, proposals: Vec<String>) -> JsonFinding {
    let finding = &report.findings[index];
    JsonFinding {
        id: finding_id(index),
        fingerprint,
        rule: finding.rule.to_string(),
        severity: finding.severity,
        confidence: finding.confidence,
        statement: finding.at.statement.map(statement_id),
        plan: finding.at.statement.zip(finding.at.run).map(|(statement, run)| plan_id(statement, run)),
        node: finding.at.node,
        relation: finding.relation.clone(),
        index: finding.index.clone(),
        location: report.location(finding),
        what: finding.what.clone(),
        why: finding.why.clone(),
        help: finding.help.clone(),
        evidence: finding.evidence.iter().cloned().chain(finding.also.iter().map(also)).collect(),
        saves_ms: finding.saves.map(|s| s.0),
        proposals,
    }
}

/// What shares the finding's cause, as evidence of it.
fn also(also: &Also) -> Evidence {
    let place = also.at.node.map_or(String::new(), |node| format!(" at node {node}"));
    Evidence {
        stability: Stability::Data,
        ..Evidence::text("also", format!("{}{place}: {}", also.rule, also.what))
    }
}

/// The word for a change in reports.
pub(super) fn kind(change: &Change) -> &'static str {
    match change {
        Change::CreateIndex(_) => "create-index",
        Change::Analyze { .. } => "analyze",
        Change::CreateStatistics { .. } => "create-statistics",
        Change::Setting { .. } => "setting",
        Change::Rewrite { .. } => "rewrite",
        Change::Vacuum { .. } => "vacuum",
        Change::DropIndex { .. } => "drop-index",
        Change::Reindex { .. } => "reindex",
        Change::Migration { .. } => "migration",
        Change::Validate { .. } => "validate",
    }
}

fn proposal(index: usize, judged: &Judged) -> JsonProposal {
    let proposal = &judged.proposal;
    let verdict = &judged.verdict;
    JsonProposal {
        id: proposal_id(index),
        kind: kind(&proposal.change),
        relation: proposal.relation.clone(),
        apply: proposal.apply.clone(),
        undo: proposal.undo.clone(),
        answers: proposal.answers.iter().map(|&i| finding_id(i)).collect(),
        serves: proposal.statement.map(statement_id).into_iter().collect(),
        applicability: proposal.applicability,
        locks: proposal.locks.clone(),
        size_bytes: judged.size_bytes,
        write_cost: proposal.write_cost.map(|w| JsonWriteCost {
            writes_per_read: w.writes_per_read,
            extra_ms_per_1000_writes: w.extra_ms_per_1000_writes,
            blocks_hot_updates: w.blocks_hot_updates,
        }),
        expected: judged.cost.map(|(cost_before, cost_after)| Expected { cost_before, cost_after }),
        verdict: JsonVerdict {
            outcome: verdict.outcome,
            method: verdict.method,
            before: runs(&verdict.before),
            after: runs(&verdict.after),
            speedup: verdict.speedup.map(|s| Speedup { median: s.median, low: s.low, high: s.high }),
            build_ms: verdict.build_ms,
            reason: verdict.reason.clone(),
        },
        remarks: proposal.remarks.clone(),
        kept: judged.kept,
    }
}

fn runs(samples: &[Sample]) -> Option<Runs> {
    let runs_ms: Vec<f64> = samples.iter().map(|s| s.ms).collect();
    let blocks: Option<Vec<f64>> = samples.iter().map(|s| s.blocks.map(|b| b as f64)).collect();
    Some(Runs {
        median_ms: median(&runs_ms)?,
        p95_ms: percentile(&runs_ms, 0.95)?,
        blocks: blocks.and_then(|b| median(&b)),
        runs_ms,
    })
}
