//! How many rows the new migrations change at production's size: asked of the planner, on a twin of head.
//!
//! Refuses to guess for what cannot be planned: a block of code, a table that a later migration renames.

use super::HEAD;
use super::queries::Comparison;
use crate::app::twin::TWIN;
use crate::capture::Capture;
use crate::error::Result;
use crate::gate::Side;
use crate::migrate::traced::{Changed, Traced};
use crate::plan::{Plan, read_statement};
use crate::postgres::plans::{Asked, sides};
use crate::sql;
use crate::sql::ident::{qualified, unquote};
use crate::sql::token::tokenize;

/// Adds the estimates to what was traced. The twin is kept for the queries.
///
/// # Errors
/// As the server says of the twin; a lost connection.
pub async fn estimate(on: &mut Comparison<'_>, traced: &mut [Traced], capture: &mut Capture) -> Result<()> {
    let new = &on.sides.new;
    let text = |traced: &Traced| &new[traced.migration].steps[traced.step].text;
    let changing: Vec<usize> = traced
        .iter()
        .enumerate()
        .filter(|(_, traced)| traced.effects.iter().any(|effect| effect.changes_rows))
        .filter(|(_, traced)| !matches!(sql::read(text(traced)).kind, sql::Kind::Other(_)))
        .map(|(at, _)| at)
        .collect();
    if changing.is_empty() || on.pack.is_none() {
        return Ok(());
    }
    on.progress.step("estimating how many rows are changed");
    let (server, names) = on.twin(HEAD, &format!("{TWIN}_head"), capture).await?;
    let asked: Vec<Asked> = changing.iter().map(|&at| Asked::generic(text(&traced[at]).clone(), 0)).collect();
    let planned = sides(&server.session("plan").await?, &asked, on.ground.major()).await?;
    on.head = Some((server, names));
    for (at, side) in changing.into_iter().zip(planned) {
        if let Side::Planned(raw) = side
            && let Ok(plan) = read_statement(raw.get())
            && !guessed(&plan, &traced[..=at])
        {
            traced[at].changed = changes(&plan);
        }
    }
    Ok(())
}

/// Which rows are changed depends on a column that the new migrations added: the planner has no statistics of it.
fn guessed(plan: &Plan, traced: &[Traced]) -> bool {
    let effects = traced.iter().flat_map(|traced| &traced.effects);
    let added: Vec<&String> = effects.flat_map(|effect| &effect.added_columns).collect();
    let details = plan.nodes.iter().map(|node| &node.detail);
    let conditions =
        details.flat_map(|d| [&d.filter, &d.index_cond, &d.join_filter, &d.hash_cond, &d.merge_cond]);
    let named = |condition: &String| {
        let (tokens, _) = tokenize(condition);
        let name = |column: &String| tokens.iter().any(|t| unquote(&condition[t.start..t.end]) == *column);
        added.iter().any(|column| name(column))
    };
    !added.is_empty() && conditions.flatten().any(named)
}

/// The tables that a plan writes to, with the rows that come to each.
fn changes(plan: &Plan) -> Vec<Changed> {
    let writes = plan.nodes.iter().filter(|node| node.kind == "ModifyTable");
    writes
        .filter_map(|node| {
            let (schema, table) = (node.detail.schema.as_ref()?, node.detail.relation.as_ref()?);
            let rows: f64 = plan.children(node.id).filter_map(|child| Some(child.estimate?.rows.0)).sum();
            let below = &plan.nodes[node.id..];
            let whole =
                below.iter().any(|n| n.kind == "Seq Scan" && n.detail.relation.as_ref() == Some(table));
            Some(Changed { relation: qualified(schema, table), rows, whole })
        })
        .collect()
}
