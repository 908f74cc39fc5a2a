//! The statements that pg_stat_statements counted, planned: who needs the indexes that may go.
//!
//! Refuses to execute any, and to plan more than a bounded number: those that took most of the time.

use crate::capture::{KnownPlan, KnownPlans};
use crate::catalog::snapshot::Snapshot;
use crate::error::Result;
use crate::postgres::plans::{Asked, generic_plans};
use crate::postgres::{Session, workload};
use crate::sql;
use crate::sql::ident::unquote;
use crate::sql::token::{TokenKind, tokenize};
use crate::workload::{By, rank, window};
use std::collections::BTreeSet;

/// Statements that are planned at most. Each costs about a millisecond.
const MOST: usize = 500;

/// Whether one of the words of a statement is one of these names.
fn speaks_of(text: &str, names: &BTreeSet<&str>) -> bool {
    let (tokens, _) = tokenize(text);
    tokens.iter().any(|token| {
        let named = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent);
        named && names.contains(unquote(token.text(text)).as_str())
    })
}

/// Plans the statements that name a table with one of `indexes`. Inside a transaction.
///
/// # Errors
/// No pg_stat_statements, no PL/pgSQL; as the server says.
pub async fn plans(
    session: &Session,
    snapshot: &Snapshot,
    indexes: &[u32],
    major: u32,
) -> Result<KnownPlans> {
    let mut unseen = Vec::new();
    let reading = workload::reading(session, &mut unseen).await?;
    let owners: BTreeSet<u32> =
        snapshot.indexes.iter().filter(|i| indexes.contains(&i.oid)).map(|i| i.table).collect();
    let tables = snapshot.tables.iter().filter(|t| owners.contains(&t.oid));
    let names: BTreeSet<&str> = tables.map(|t| t.name.as_str()).collect();
    let ranking = rank(&window(None, &reading), By::Total);
    let mut statements = Vec::new();
    let mut plans = KnownPlans { unplanned: ranking.hidden.entries, ..KnownPlans::default() };
    for counted in &ranking.statements {
        let Some(text) = counted.text.as_deref().map(sql::explainable) else {
            plans.unplanned += 1;
            continue;
        };
        let read = sql::read(&text);
        let plannable = !matches!(read.kind, sql::Kind::Other(_)) && read.offset == 0;
        if !plannable || !speaks_of(&text, &names) {
            continue;
        }
        match statements.len() < MOST {
            true => statements.push((counted.counters.calls, read)),
            false => plans.unplanned += 1,
        }
    }
    let asked: Vec<Asked> = statements
        .iter()
        .map(|(_, s)| Asked { sql: s.text.clone(), parameters: s.parameters, types: None })
        .collect();
    let answers = generic_plans(session, &asked, major).await?;
    for ((calls, statement), plan) in statements.into_iter().zip(answers) {
        match plan {
            Some(plan) => plans.planned.push(KnownPlan { text: statement.text, calls, plan }),
            None => plans.unplanned += 1,
        }
    }
    Ok(plans)
}
