//! Changes of a database that no statement asks for: indexes that go, are built anew, or serve a foreign key.
//!
//! Refuses to drop what it could not make again: without the definition there is no proposal.

use super::definition::{IndexDefinition, Key};
use super::make::drop_prefixes;
use super::name::index_name;
use super::{Applicability, Change, Proposal};
use crate::catalog::snapshot::{ChildIndex, IndexDetail, Table, TableIndex};
use crate::catalog::{Partition, RelationKind};
use crate::context::CatalogContext;
use crate::finding::{Finding, Remedy};
use crate::sql::ident::{literal, qualified, quote};
use crate::units::Bytes;

/// The proposals that findings about the database ask for; `first` is the index of the first of them in the report.
pub fn propose_for_database(ctx: &CatalogContext, findings: &[Finding], first: usize) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = Vec::new();
    let mut taken: Vec<(String, String)> = Vec::new();
    for (at, finding) in findings.iter().enumerate() {
        for remedy in &finding.remedies {
            let Some(mut proposal) = make(ctx, remedy, &mut taken) else { continue };
            match proposals.iter_mut().find(|known| known.apply == proposal.apply) {
                Some(known) => known.answers.push(first + at),
                None => {
                    proposal.answers.push(first + at);
                    proposals.push(proposal);
                }
            }
        }
    }
    drop_prefixes(&mut proposals);
    proposals
}

fn make(ctx: &CatalogContext, remedy: &Remedy, taken: &mut Vec<(String, String)>) -> Option<Proposal> {
    match remedy {
        Remedy::DropIndex { index, cover } => drop_index(ctx, ctx.index(*index)?, *cover),
        Remedy::Reindex { index } => reindex(ctx, ctx.index(*index)?),
        Remedy::IndexForKey { table, columns } => for_key(ctx, ctx.table(*table)?, columns, taken),
        Remedy::Analyze { schema, relation } => named(ctx, schema, relation).map(analyze),
        Remedy::Vacuum { schema, relation } => named(ctx, schema, relation).map(vacuum),
        Remedy::Freeze { table } => ctx.table(*table).map(freeze),
        Remedy::Validate { table, name } => validate(ctx, *table, name),
        _ => None,
    }
}

fn named<'a>(ctx: &CatalogContext<'a>, schema: &str, name: &str) -> Option<&'a Table> {
    ctx.snapshot.tables.iter().find(|t| t.schema == schema && t.name == name)
}

fn proposal(change: Change, table: &Table) -> Proposal {
    let owner = (!table.owned)
        .then(|| format!("this role does not own {}: its owner must run this", table.qualified()));
    Proposal {
        change,
        relation: Some(table.qualified()),
        apply: Vec::new(),
        undo: Vec::new(),
        answers: Vec::new(),
        statement: None,
        run: 0,
        applicability: Applicability::Safe,
        locks: Vec::new(),
        size: None,
        write_cost: None,
        remarks: owner.into_iter().collect(),
    }
}

fn drop_index(ctx: &CatalogContext, index: &TableIndex, cover: Option<u32>) -> Option<Proposal> {
    let table = ctx.table(index.table)?;
    let detail = index.detail.as_ref()?;
    let change = Change::DropIndex { schema: index.schema.clone(), name: index.name.clone() };
    let mut made = proposal(change, table);
    // A partitioned index goes with all its parts at once, and not concurrently.
    let concurrently = if index.partitioned { "" } else { "CONCURRENTLY " };
    made.apply = vec![format!("DROP INDEX {concurrently}{}", index.qualified())];
    made.undo = again(index, detail)?;
    made.applicability = Applicability::Review;
    made.locks = match index.partitioned {
        false => vec![format!(
            "SHARE UPDATE EXCLUSIVE on {}; it waits for transactions that use it",
            table.qualified()
        )],
        true => vec![format!("ACCESS EXCLUSIVE on {} and its partitions for a moment", table.qualified())],
    };
    made.size = Some(Bytes(ctx.bytes(index) as i64));
    let stays = cover.and_then(|oid| ctx.index(oid));
    if let Some(stays) = stays {
        made.remarks.push(format!("it rests on {}: drop only one of them", stays.qualified()));
    }
    made.remarks.push("not checked: names of it in code or hints".to_owned());
    Some(made)
}

/// What makes a dropped index again, with all that its definition does not say.
fn again(index: &TableIndex, detail: &IndexDetail) -> Option<Vec<String>> {
    let full = qualified(&index.schema, &index.name);
    let part = |definition: &str, tablespace: &Option<String>, predicate: &Option<String>, concurrently| {
        create(definition, tablespace.as_deref(), predicate.as_deref(), concurrently)
    };
    let mut sql = vec![part(&detail.definition, &detail.tablespace, &index.predicate, !index.partitioned)?];
    for child in &detail.children {
        sql.push(part(&child.definition, &child.tablespace, &child.predicate, !child.partitioned)?);
    }
    let attach = |child: &ChildIndex| {
        let parent = qualified(&child.parent_schema, &child.parent_name);
        format!("ALTER INDEX {parent} ATTACH PARTITION {}", qualified(&child.schema, &child.name))
    };
    // The lowest first: a part is valid before it makes the one above it so.
    sql.extend(detail.children.iter().rev().map(attach));
    sql.extend(
        index
            .targets
            .iter()
            .map(|(n, target)| format!("ALTER INDEX {full} ALTER COLUMN {n} SET STATISTICS {target}")),
    );
    let comment = |name: &str, text: &str| format!("COMMENT ON INDEX {name} IS {}", literal(text));
    sql.extend(detail.comment.iter().map(|text| comment(&full, text)));
    for child in &detail.children {
        sql.extend(child.comment.iter().map(|text| comment(&qualified(&child.schema, &child.name), text)));
    }
    Some(sql)
}

/// The server's definition, built concurrently and where it was.
fn create(
    definition: &str,
    tablespace: Option<&str>,
    predicate: Option<&str>,
    concurrently: bool,
) -> Option<String> {
    let (head, rest) = ["CREATE UNIQUE INDEX ", "CREATE INDEX "]
        .iter()
        .find_map(|head| Some((*head, definition.strip_prefix(head)?)))?;
    let mut sql = format!("{head}{}{rest}", if concurrently { "CONCURRENTLY " } else { "" });
    if let Some(tablespace) = tablespace {
        let end = predicate.map(|p| format!(" WHERE {p}")).filter(|end| sql.ends_with(end.as_str()));
        if predicate.is_some() && end.is_none() {
            return None;
        }
        let at = sql.len() - end.map_or(0, |end| end.len());
        sql.insert_str(at, &format!(" TABLESPACE {}", quote(tablespace)));
    }
    Some(sql)
}

fn reindex(ctx: &CatalogContext, index: &TableIndex) -> Option<Proposal> {
    let table = ctx.table(index.table)?;
    let change = Change::Reindex { schema: index.schema.clone(), name: index.name.clone() };
    let mut made = proposal(change, table);
    made.apply = vec![format!("REINDEX INDEX CONCURRENTLY {}", index.qualified())];
    made.locks = vec![format!("SHARE UPDATE EXCLUSIVE on {}", table.qualified())];
    made.size = Some(Bytes(ctx.bytes(index) as i64));
    if index.unique {
        made.applicability = Applicability::Review;
        made.remarks
            .push("it fails, and leaves another invalid index, as long as rows stand twice".to_owned());
    }
    made.remarks.push("there is nothing to undo: the definition stays".to_owned());
    Some(made)
}

fn for_key(
    ctx: &CatalogContext,
    table: &Table,
    columns: &[String],
    promised: &mut Vec<(String, String)>,
) -> Option<Proposal> {
    let mut taken = |schema: &str, new: Option<&str>| {
        promised.extend(new.map(|name| (schema.to_owned(), name.to_owned())));
        let tables = ctx.snapshot.tables.iter().map(|t| (&t.schema, &t.name));
        let indexes = ctx.snapshot.indexes.iter().map(|i| (&i.schema, &i.name));
        let promised = promised.iter().map(|(schema, name)| (schema, name));
        let all = tables.chain(indexes).chain(promised);
        all.filter(|(s, _)| *s == schema).map(|(_, name)| name.clone()).collect::<Vec<String>>()
    };
    let keys: Vec<Key> = columns.iter().map(|name| Key::column(name)).collect();
    let name = index_name(&table.name, &keys, &[], &taken(&table.schema, None));
    taken(&table.schema, Some(&name));
    let definition = IndexDefinition {
        schema: table.schema.clone(),
        table: table.name.clone(),
        name,
        method: "btree",
        keys,
        include: Vec::new(),
        predicate: None,
        partitions: partitions(ctx, table.oid, &mut |schema| taken(schema, None)),
        partitioned: table.kind == RelationKind::Partitioned,
    };
    let mut made = proposal(Change::CreateIndex(definition.clone()), table);
    made.apply = definition.apply();
    made.undo = definition.undo();
    made.locks = definition.locks();
    made.remarks.push("it costs every insert, and updates of these columns are no longer HOT".to_owned());
    Some(made)
}

/// The partitions below a table, level by level.
fn partitions(
    ctx: &CatalogContext,
    table: u32,
    taken: &mut impl FnMut(&str) -> Vec<String>,
) -> Vec<Partition> {
    let (mut all, mut level) = (Vec::new(), vec![table]);
    while !level.is_empty() {
        let mut next = Vec::new();
        for parent in level.into_iter().filter_map(|oid| ctx.table(oid)) {
            for part in ctx.partitions_of(parent.oid) {
                next.push(part.oid);
                all.push(Partition {
                    schema: part.schema.clone(),
                    name: part.name.clone(),
                    partitioned: part.kind == RelationKind::Partitioned,
                    parent: parent.name.clone(),
                    taken_names: taken(&part.schema),
                });
            }
        }
        level = next;
    }
    all
}

fn analyze(table: &Table) -> Proposal {
    let change = Change::Analyze {
        schema: table.schema.clone(),
        relation: table.name.clone(),
        columns: table.columns.values().cloned().collect(),
    };
    let mut made = proposal(change, table);
    made.apply = vec![format!("ANALYZE {}", table.qualified())];
    made.locks = vec![format!("SHARE UPDATE EXCLUSIVE on {}", table.qualified())];
    made.remarks
        .push("it cannot be undone, and need not be: it replaces old statistics by fresh ones".to_owned());
    made
}

fn vacuum(table: &Table) -> Proposal {
    let change = Change::Vacuum { schema: table.schema.clone(), relation: table.name.clone() };
    let mut made = proposal(change, table);
    made.apply = vec![format!("VACUUM (ANALYZE) {}", table.qualified())];
    made.locks = vec![format!("SHARE UPDATE EXCLUSIVE on {}", table.qualified())];
    made.remarks.push("it cannot be undone, and need not be: it is what autovacuum does".to_owned());
    made
}

fn freeze(table: &Table) -> Proposal {
    let mut made = vacuum(table);
    made.apply = vec![format!("VACUUM (FREEZE) {}", table.qualified())];
    made.remarks
        .push("it reads the whole table and writes each page with rows that are not frozen, once".to_owned());
    made
}

/// A constraint that turns valid cannot be made invalid again but by dropping it and adding it anew.
fn validate(ctx: &CatalogContext, table: u32, name: &str) -> Option<Proposal> {
    let table = ctx.table(table)?;
    let known = ctx.snapshot.unproven.iter().find(|u| u.table == table.oid && u.name == name)?;
    let change = Change::Validate {
        schema: table.schema.clone(),
        relation: table.name.clone(),
        name: name.to_owned(),
    };
    let mut made = proposal(change, table);
    made.apply = vec![format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", table.qualified(), quote(name))];
    made.applicability = Applicability::Review;
    made.locks =
        vec![format!("SHARE UPDATE EXCLUSIVE on {}: nobody who reads or writes waits", table.qualified())];
    made.locks.extend(
        known.target.and_then(|oid| ctx.table(oid)).map(|t| format!("ROW SHARE on {}", t.qualified())),
    );
    made.remarks.push(
        "it fails at the first row that breaks the constraint, and then has changed nothing".to_owned(),
    );
    made.remarks
        .push("it cannot be undone: the constraint would have to be dropped and added again".to_owned());
    Some(made)
}
