//! Exclusive time, per process.
//!
//! `T(n)` is time × loops; each worker's part is printed, the leader's is the rest. What a process spent in `n`
//! alone is its `T(n)` less that of the plain children. A CTE or InitPlan runs inside the node that asks for it:
//! that node, not the one it hangs under, is debited. A Gather waits for its child in the leader only.

use super::expressions::{What, expressions, mentions};
use super::shape::{Shape, is_gather, is_plain};
use crate::plan::{Node, Plan, Ran};
use std::collections::HashMap;

/// EXPLAIN rounds times to 0.001 ms, so each loop may be off by half of that.
const ROUNDING_MS: f64 = 0.0005;

/// Time by process, in ms.
#[derive(Debug, Clone, Default)]
pub(super) struct ByProcess {
    /// `None` where the leader did not run the node.
    pub(super) leader: Option<f64>,
    /// By worker number, ascending.
    pub(super) workers: Vec<(u32, f64)>,
}

/// A node's exclusive time.
#[derive(Debug, Clone, Default)]
pub(super) struct Exclusive {
    pub(super) time: ByProcess,
    pub(super) bound: f64,
    /// Not exact: shared between several consumers, or between processes whose figures were not printed.
    pub(super) shared: bool,
    /// Processes among which `time.leader` is to be divided, where workers were not printed.
    pub(super) processes: f64,
}

/// A subplan whose work was done inside `consumer`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Debit {
    pub(super) source: usize,
    pub(super) consumer: usize,
    /// The part of the source's time that is debited.
    pub(super) part: f64,
}

/// Exclusive times where the plan has times, and the debits that led to them.
pub(super) struct Times {
    pub(super) exclusive: Vec<Option<Exclusive>>,
    pub(super) debits: Vec<Debit>,
}

/// Time × loops of a node that ran with timing.
pub(super) fn total(node: &Node) -> Option<f64> {
    node.ran().and_then(ran_total)
}

fn ran_total(ran: &Ran) -> Option<f64> {
    Some(ran.total_time?.0 * ran.loops)
}

fn worker_loops(node: &Node) -> f64 {
    node.workers.iter().filter_map(|worker| Some(worker.execution?.loops)).sum()
}

/// The node's inclusive time in each process.
fn inclusive(node: &Node) -> ByProcess {
    let (Some(total), Some(ran)) = (total(node), node.ran()) else { return ByProcess::default() };
    let ran_in = node.workers.iter().filter_map(|worker| Some((worker.number, worker.execution?)));
    let workers: Vec<(u32, f64)> = ran_in
        .filter(|(_, ran)| ran.loops > 0.0)
        .filter_map(|(number, ran)| Some((number, ran_total(&ran)?)))
        .collect();
    let in_leader = ran.loops > worker_loops(node);
    let leader = in_leader.then(|| total - workers.iter().map(|&(_, time)| time).sum::<f64>());
    ByProcess { leader, workers }
}

/// How far rounding may move the node's time summed over processes; `leader` for the leader's part alone.
fn bound(node: &Node, leader: bool) -> f64 {
    let loops = node.ran().map_or(0.0, |ran| ran.loops);
    ROUNDING_MS * (loops + if leader { worker_loops(node) } else { 0.0 })
}

impl Exclusive {
    fn debit(&mut self, child: &ByProcess, part: f64, leader_only: bool) {
        if let Some(time) = child.leader {
            *self.time.leader.get_or_insert(0.0) -= time * part;
        }
        for &(number, time) in child.workers.iter().filter(|_| !leader_only) {
            if let Ok(index) = self.time.workers.binary_search_by_key(&number, |&(number, _)| number) {
                self.time.workers[index].1 -= time * part;
            }
        }
    }

    /// Summed over processes.
    pub(super) fn cpu(&self) -> f64 {
        self.time.leader.unwrap_or(0.0) + self.time.workers.iter().map(|&(_, time)| time).sum::<f64>()
    }

    /// Of the process that spent most; the average where processes were not told apart.
    pub(super) fn slowest(&self) -> f64 {
        if self.processes > 1.0 {
            return self.cpu() / self.processes;
        }
        let times = self.time.leader.into_iter().chain(self.time.workers.iter().map(|&(_, time)| time));
        times.fold(f64::NEG_INFINITY, f64::max)
    }
}

pub(super) fn times(plan: &Plan, shape: &Shape) -> Times {
    let inclusive: Vec<ByProcess> = plan.nodes.iter().map(inclusive).collect();
    let processes = unseen_processes(plan, shape);
    let mut exclusive: Vec<Option<Exclusive>> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let hidden = shape.gather[node.id].and_then(|gather| processes[gather]);
        // Where neither the leader ran it nor a worker said how long it took, nobody knows.
        let time = Some(&inclusive[node.id]).filter(|time| time.leader.is_some() || !time.workers.is_empty());
        exclusive.push(time.map(|time| Exclusive {
            time: time.clone(),
            bound: bound(node, false),
            shared: hidden.is_some(),
            processes: hidden.zip(node.ran()).map_or(1.0, |(count, ran)| count.min(ran.loops)),
        }));
    }
    for child in plan.nodes.iter().filter(|node| is_plain(node)) {
        let Some(parent) = child.parent else { continue };
        let Some(entry) = &mut exclusive[parent] else { continue };
        let across = is_gather(&plan.nodes[parent]) && shape.gather[child.id] == Some(parent);
        let count = processes[parent].filter(|_| across);
        entry.debit(&inclusive[child.id], 1.0 / count.unwrap_or(1.0), across);
        entry.bound += bound(child, across);
        entry.shared |= count.is_some();
    }
    let debits = debits(plan, shape, &inclusive, &mut exclusive);
    Times { exclusive, debits }
}

/// For each Gather below which no worker's figures were printed, the number of processes that ran there.
fn unseen_processes(plan: &Plan, shape: &Shape) -> Vec<Option<f64>> {
    let mut seen = vec![false; plan.nodes.len()];
    for node in &plan.nodes {
        if let Some(gather) = shape.gather[node.id] {
            seen[gather] |= node.workers.iter().any(|worker| worker.execution.is_some());
        }
    }
    let mut processes = vec![None; plan.nodes.len()];
    for node in &plan.nodes {
        let Some(gather) = shape.gather[node.id].filter(|&gather| node.parent == Some(gather)) else {
            continue;
        };
        let above = &plan.nodes[gather];
        let launched = above.workers_launched.unwrap_or(0) > 0;
        if let (false, true, Some(ran), Some(own)) = (seen[gather], launched, node.ran(), above.ran()) {
            processes[gather] = Some((ran.loops / own.loops).max(1.0));
        }
    }
    processes
}

/// Debits every CTE and InitPlan to who asked for it.
fn debits(
    plan: &Plan,
    shape: &Shape,
    inclusive: &[ByProcess],
    exclusive: &mut [Option<Exclusive>],
) -> Vec<Debit> {
    let mut debits = Vec::new();
    let mut apply = |exclusive: &mut [Option<Exclusive>], debit: Debit, shared: bool| {
        debits.push(debit);
        let Some(entry) = &mut exclusive[debit.consumer] else { return };
        entry.debit(&inclusive[debit.source], debit.part, is_gather(&plan.nodes[debit.consumer]));
        entry.bound += bound(&plan.nodes[debit.source], false) * debit.part;
        entry.shared |= shared;
    };
    for (source, scans) in &shape.cte_scans {
        for (debit, shared) in of_cte(plan, *source, scans) {
            apply(exclusive, debit, shared);
        }
    }
    let consumers = init_plan_consumers(plan, shape);
    let (single, several): (Vec<_>, Vec<_>) = consumers.into_iter().partition(|(_, list)| list.len() == 1);
    for (source, list) in single.into_iter().chain(several) {
        // The work was done once, by one of them: by the one with the most time to explain.
        let left = |id: usize| exclusive[id].as_ref().map_or(f64::NEG_INFINITY, Exclusive::cpu);
        let owner = plan.nodes[source].parent.unwrap_or(0);
        let most = list.iter().copied().max_by(|&a, &b| left(a).total_cmp(&left(b)).then(b.cmp(&a)));
        let debit = Debit { source, consumer: most.unwrap_or(owner), part: 1.0 };
        apply(exclusive, debit, list.len() != 1);
        for &id in list.iter().filter(|_| list.len() > 1) {
            if let Some(entry) = &mut exclusive[id] {
                entry.shared = true;
            }
        }
    }
    debits
}

/// One scan pays for a CTE in full, several in proportion to their times.
fn of_cte(plan: &Plan, source: usize, scans: &[usize]) -> Vec<(Debit, bool)> {
    let node = &plan.nodes[source];
    let ran: Vec<usize> = scans.iter().copied().filter(|&scan| plan.nodes[scan].ran().is_some()).collect();
    if node.ran().is_none() || ran.is_empty() {
        return Vec::new();
    }
    let time = |id: usize| total(&plan.nodes[id]).unwrap_or(0.0);
    let all: f64 = ran.iter().map(|&scan| time(scan)).sum();
    // What a writing CTE does after its last reader has stopped is in no scan's time.
    let pulled = match node.kind.as_str() {
        "ModifyTable" if time(source) > all => all / time(source),
        _ => 1.0,
    };
    let shared = ran.len() > 1 || pulled < 1.0;
    let debit = |(index, &consumer): (usize, &usize)| {
        let share = if all > 0.0 { time(consumer) / all } else { f64::from(u8::from(index == 0)) };
        (Debit { source, consumer, part: share * pulled }, shared)
    };
    ran.iter().enumerate().map(debit).collect()
}

/// For each InitPlan that ran, the nodes whose expressions may have asked for it.
fn init_plan_consumers(plan: &Plan, shape: &Shape) -> Vec<(usize, Vec<usize>)> {
    let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut names: HashMap<&str, Vec<usize>> = HashMap::new();
    for &id in shape.init_plans.iter().filter(|&&id| plan.nodes[id].ran().is_some()) {
        // What has no name is asked for by none.
        let name = plan.nodes[id].subplan_name.as_deref();
        let name = name.map(|name| name.strip_prefix("InitPlan ").unwrap_or(name));
        match name.map(|name| (name, name.split_once(" (returns "))) {
            Some((_, Some((_, parameters)))) => parameters
                .trim_end_matches(')')
                .split(',')
                .for_each(|parameter| names.entry(parameter).or_default().push(found.len())),
            Some((name, None)) => names.entry(name).or_default().push(found.len()),
            None => {}
        }
        found.push((id, Vec::new()));
    }
    if found.is_empty() {
        return found;
    }
    for node in plan.nodes.iter().filter(|node| node.ran().is_some()) {
        for text in expressions(node) {
            mentions(text, |mention| {
                let (What::Parameter(name) | What::InitPlan(name)) = mention.what else { return };
                for &index in names.get(name).into_iter().flatten().filter(|_| !mention.passed_up) {
                    let (source, list) = &mut found[index];
                    add_consumers(plan, shape, *source, node.id, list);
                }
            });
        }
    }
    for (_, list) in &mut found {
        list.sort_unstable();
        list.dedup();
    }
    found
}

/// Below a Gather, the Gather evaluates InitPlans before workers start. Pruning makes an Append the first to ask.
fn add_consumers(plan: &Plan, shape: &Shape, source: usize, node: usize, list: &mut Vec<usize>) {
    let Some(owner) = plan.nodes[source].parent else { return };
    if !shape.contains(owner, node) || shape.contains(source, node) {
        return;
    }
    let within = |id: &usize| shape.contains(owner, *id);
    let consumer = shape.gather[node].filter(within).unwrap_or(node);
    list.push(consumer);
    list.extend(shape.append[consumer].filter(within));
}
