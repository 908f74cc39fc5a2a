//! What a statement of an application does, as far as its text tells: which tables it reads, by which key, or which
//! row it writes; and the same for many keys or rows at once.
//!
//! Refuses to resolve names, and to describe what it cannot describe in full: that is `None`.

use super::operand::name_of;
use super::parsed::Parsed;
use sqlparser::ast::{
    BinaryOperator, Delete, Expr, FromTable, Ident, Insert, ObjectName, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, TableObject, TableWithJoins, Value, VisitMut, VisitorMut, visit_expressions,
    visit_relations,
};
use std::ops::ControlFlow;

/// A table's name as the statement writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    pub schema: Option<String>,
    pub name: String,
}

impl Named {
    /// The name as people write it.
    pub fn written(&self) -> String {
        match &self.schema {
            Some(schema) => super::ident::qualified(schema, &self.name),
            None => super::ident::quote(&self.name),
        }
    }

    /// Whether it may mean that table: without a schema, any of that name.
    pub fn means(&self, schema: &str, name: &str) -> bool {
        self.name == name && self.schema.as_deref().is_none_or(|s| s == schema)
    }
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Read(Read),
    /// One row of values put into a table.
    InsertRow(Named),
    /// UPDATE or DELETE of the rows that have a value in one of `keys`.
    Change {
        table: Named,
        keys: Vec<String>,
        delete: bool,
    },
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Every table that is named, subqueries included.
    pub tables: Vec<Named>,
    /// The FROM clause is one table, and nothing else is read.
    pub single: bool,
    /// Columns that the WHERE clause demands to equal one parameter each.
    pub keys: Vec<String>,
    /// It is aggregated or grouped.
    pub aggregated: bool,
    /// It has a LIMIT.
    pub limited: bool,
    /// It locks what it reads.
    pub locks: bool,
    /// It has an ORDER BY.
    pub ordered: bool,
    /// Parameters stand in it.
    pub parameters: bool,
    /// It calls functions that do not aggregate, which may be volatile.
    pub functions: bool,
}

/// What the statement does; `None` where it is something else, or not written plainly.
pub fn shape(parsed: &Parsed) -> Option<Shape> {
    match &parsed.statement {
        Statement::Query(query) => read(query, &parsed.statement).map(Shape::Read),
        Statement::Insert(insert) => inserted(insert),
        Statement::Update(update) => {
            let table = table_of(&update.table)?;
            let plain = update.from.is_none() && update.returning.is_none();
            let keys = keys(update.selection.as_ref()?);
            (plain && !keys.is_empty()).then_some(Shape::Change { table, keys, delete: false })
        }
        Statement::Delete(Delete {
            from, using: None, selection: Some(selection), returning: None, ..
        }) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
            let [from] = &from[..] else { return None };
            let keys = keys(selection);
            (!keys.is_empty()).then_some(Shape::Change { table: table_of(from)?, keys, delete: true })
        }
        _ => None,
    }
}

fn read(query: &Query, statement: &Statement) -> Option<Read> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let mut tables: Vec<Named> = Vec::new();
    let _ = visit_relations(statement, |name| {
        tables.extend(named(name).filter(|name| !tables.contains(name)));
        ControlFlow::<()>::Continue(())
    });
    let (mut parameters, mut functions, mut nested) = (false, false, false);
    let _ = visit_expressions(statement, |expr| {
        parameters |= matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)));
        functions |= matches!(expr, Expr::Function(function) if !aggregate(function));
        nested |= matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. });
        ControlFlow::<()>::Continue(())
    });
    functions |= select.from.iter().any(|from| {
        let called = |factor: &TableFactor| {
            matches!(factor, TableFactor::Table { args: Some(_), .. } | TableFactor::Function { .. })
        };
        called(&from.relation) || from.joins.iter().any(|join| called(&join.relation))
    });
    let one = matches!(&select.from[..], [from] if table_of(from).is_some());
    Some(Read {
        single: one && tables.len() == 1 && !nested && query.with.is_none(),
        keys: select.selection.as_ref().map(keys).unwrap_or_default(),
        aggregated: aggregated(select),
        limited: query.limit_clause.is_some() || query.fetch.is_some(),
        locks: !query.locks.is_empty(),
        ordered: query.order_by.is_some(),
        tables,
        parameters,
        functions,
    })
}

const AGGREGATES: &[&str] =
    &["count", "sum", "min", "max", "avg", "bool_or", "bool_and", "array_agg", "string_agg"];

fn aggregate(function: &sqlparser::ast::Function) -> bool {
    let name = function.name.0.last().map(|part| part.to_string().to_ascii_lowercase());
    name.is_some_and(|name| AGGREGATES.contains(&name.as_str()))
}

fn aggregated(select: &Select) -> bool {
    let grouped = match &select.group_by {
        sqlparser::ast::GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        sqlparser::ast::GroupByExpr::All(_) => true,
    };
    let aggregates = |item: &SelectItem| {
        let mut found = false;
        let _ = visit_expressions(item, |expr| {
            found |= matches!(expr, Expr::Function(function) if aggregate(function));
            ControlFlow::<()>::Continue(())
        });
        found
    };
    grouped || select.distinct.is_some() || select.projection.iter().any(aggregates)
}

fn inserted(insert: &Insert) -> Option<Shape> {
    let TableObject::TableName(table) = &insert.table else { return None };
    let SetExpr::Values(values) = insert.source.as_ref()?.body.as_ref() else { return None };
    (values.rows.len() == 1).then_some(Shape::InsertRow(named(table)?))
}

fn named(name: &ObjectName) -> Option<Named> {
    let mut parts = name.0.iter().rev().map(|part| part.as_ident().map(name_of));
    let table = parts.next()??;
    Some(Named { schema: parts.next().flatten(), name: table })
}

fn table_of(from: &TableWithJoins) -> Option<Named> {
    match &from.relation {
        TableFactor::Table { name, args: None, .. } if from.joins.is_empty() => named(name),
        _ => None,
    }
}

/// The columns that must equal a parameter, of the tests joined by AND.
fn keys(selection: &Expr) -> Vec<String> {
    let mut keys = Vec::new();
    let mut left = vec![selection];
    while let Some(expr) = left.pop() {
        match expr {
            Expr::Nested(inner) => left.push(inner),
            Expr::BinaryOp { left: a, op: BinaryOperator::And, right: b } => left.extend([b.as_ref(), a]),
            _ => keys.extend(key_of(expr).map(name_of)),
        }
    }
    keys
}

/// The column of `column = $1` or of `column IN ($1)`.
fn key_of(expr: &Expr) -> Option<&Ident> {
    let column = |expr: &'_ Expr| -> bool { column_of(expr).is_some() };
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if column(left) && parameter(right) => {
            column_of(left)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if parameter(left) && column(right) => {
            column_of(right)
        }
        Expr::InList { expr, list, negated: false } => match &list[..] {
            [one] if parameter(one) => column_of(expr),
            _ => None,
        },
        _ => None,
    }
}

fn column_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Nested(inner) => column_of(inner),
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    }
}

fn parameter(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => parameter(inner),
        Expr::Cast { expr, .. } => parameter(expr),
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
        _ => false,
    }
}

/// The query for many values of `key` at once: `key = ANY($1)`. A query with a LIMIT is asked for each value, by
/// LATERAL, but for one that finds one row anyway, its key being `unique`; an aggregated one is grouped. `data_type` is
/// that of the key's column. With it comes the parameter that holds the keys now.
pub fn for_many(parsed: &Parsed, key: &str, data_type: &str, unique: bool) -> Option<(String, String)> {
    let mut statement = parsed.statement.clone();
    // What a window is counted over would be the rows of all keys.
    let mut windows = false;
    let _ = visit_expressions(&statement, |expr| {
        windows |= matches!(expr, Expr::Function(function) if function.over.is_some());
        ControlFlow::<()>::Continue(())
    });
    if windows {
        return None;
    }
    let Statement::Query(query) = &mut statement else { return None };
    let limited = !unique && (query.limit_clause.is_some() || query.fetch.is_some());
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let aggregated = aggregated(select);
    if aggregated
        && (select.distinct.is_some()
            || !matches!(&select.group_by, sqlparser::ast::GroupByExpr::Expressions(keys, _) if keys.is_empty()))
    {
        return None;
    }
    let mut turn = Turn { key, to: None, column: None, parameter: None };
    if limited && !aggregated {
        turn.to = Some(Expr::CompoundIdentifier(vec![Ident::new("wanted"), Ident::new("key")]));
    }
    let _ = select.selection.visit(&mut turn);
    let (column, parameter) = (turn.column?, turn.parameter?);
    if limited && !aggregated {
        let sql = format!(
            "SELECT wanted.key, t.* FROM unnest({parameter}::{data_type}[]) AS wanted(key) CROSS JOIN LATERAL \
             ({statement}) AS t"
        );
        return Some((sql, parameter.to_string()));
    }
    (query.limit_clause, query.fetch) = (None, None);
    let shown = |item: &SelectItem| match item {
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::UnnamedExpr(expr) => column_of(expr).is_some_and(|name| name_of(name) == key),
        _ => false,
    };
    // Which of the rows belongs to which key the caller has to see.
    if aggregated || !select.projection.iter().any(shown) {
        // Behind the others, to which ORDER BY may refer by number.
        select.projection.push(SelectItem::UnnamedExpr(column.clone()));
    }
    if aggregated {
        select.group_by = sqlparser::ast::GroupByExpr::Expressions(vec![column], Vec::new());
    }
    Some((statement.to_string(), parameter.to_string()))
}

/// Turns the first test of the key.
struct Turn<'a> {
    key: &'a str,
    /// What the key is compared with; `None`: with any of the parameter's elements.
    to: Option<Expr>,
    column: Option<Expr>,
    parameter: Option<Expr>,
}

impl VisitorMut for Turn<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.column.is_some() || key_of(expr).is_none_or(|name| name_of(name) != self.key) {
            return ControlFlow::Continue(());
        }
        let (column, value) = match &*expr {
            Expr::BinaryOp { left, right, .. } if parameter(right) => (left.as_ref(), right.as_ref()),
            Expr::BinaryOp { left, right, .. } => (right.as_ref(), left.as_ref()),
            Expr::InList { expr, list, .. } => match list.first() {
                Some(value) => (expr.as_ref(), value),
                None => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        let (column, bare) = (column.clone(), uncast(value).clone());
        let turned = match &self.to {
            Some(to) => Expr::BinaryOp {
                left: Box::new(column.clone()),
                op: BinaryOperator::Eq,
                right: Box::new(to.clone()),
            },
            None => Expr::AnyOp {
                left: Box::new(column.clone()),
                compare_op: BinaryOperator::Eq,
                right: Box::new(bare.clone()),
                is_some: false,
            },
        };
        (self.column, self.parameter) = (Some(column), Some(bare));
        *expr = turned;
        ControlFlow::Break(())
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => uncast(inner),
        _ => expr,
    }
}

/// The INSERT with `rows` rows of values in place of one, their parameters numbered on.
pub fn of_rows(parsed: &Parsed, rows: usize) -> Option<String> {
    let mut statement = parsed.statement.clone();
    let Statement::Insert(insert) = &mut statement else { return None };
    let SetExpr::Values(values) = insert.source.as_mut()?.body.as_mut() else { return None };
    let [row] = &values.rows[..] else { return None };
    let (row, mut most, mut inside) = (row.clone(), 0, 0);
    for value in row.content.iter() {
        let _ = visit_expressions(value, |expr| {
            most = most.max(number_of(expr).unwrap_or(0));
            inside += usize::from(number_of(expr).is_some());
            ControlFlow::<()>::Continue(())
        });
    }
    let mut all = 0;
    let _ = visit_expressions(&parsed.statement, |expr| {
        all += usize::from(number_of(expr).is_some());
        ControlFlow::<()>::Continue(())
    });
    // A parameter behind VALUES would be one of another row's.
    if all != inside {
        return None;
    }
    for further in 1..rows {
        let mut next = row.clone();
        let mut renumber = Renumber { by: further * most };
        for value in &mut next.content {
            let _ = value.visit(&mut renumber);
        }
        values.rows.push(next);
    }
    (most > 0).then(|| statement.to_string())
}

fn number_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

struct Renumber {
    by: usize,
}

impl VisitorMut for Renumber {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (Some(number), Expr::Value(value)) = (number_of(expr), &mut *expr) {
            value.value = Value::Placeholder(format!("${}", number + self.by));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Option<Shape> {
        shape(&Parsed::read(sql).expect("plain SQL"))
    }

    #[test]
    fn reads_by_a_key_are_told_from_others() {
        let Some(Shape::Read(read)) = of(
            "SELECT \"b\".\"id\" FROM \"s\".\"Books\" AS b WHERE (b.author_id = $1 AND NOT b.sold) ORDER BY 1 LIMIT $2",
        ) else {
            panic!("a read")
        };
        assert_eq!(read.tables, [Named { schema: Some("s".into()), name: "Books".into() }]);
        assert_eq!(read.keys, ["author_id"]);
        assert!(read.single && read.limited && read.ordered && !read.aggregated && !read.locks);
        let Some(Shape::Read(read)) =
            of("SELECT a.x FROM a JOIN b ON a.id = b.id WHERE a.k IN ($1) FOR UPDATE")
        else {
            panic!("a read")
        };
        assert!(!read.single && read.locks && read.tables.len() == 2 && read.keys == ["k"]);
        let Some(Shape::Read(read)) = of("SELECT count(*) FROM t WHERE k = ANY($1)") else {
            panic!("a read")
        };
        assert!(read.keys.is_empty() && read.aggregated);
        let Some(Shape::Read(read)) = of("SELECT x FROM t WHERE k = $1 AND EXISTS (SELECT 1 FROM u)") else {
            panic!("a read")
        };
        assert!(!read.single);
    }

    #[test]
    fn writes_of_one_row_are_told_from_others() {
        let named = |name: &str| Named { schema: None, name: name.into() };
        assert_eq!(
            of("INSERT INTO t (a, b) VALUES ($1, $2) RETURNING id"),
            Some(Shape::InsertRow(named("t")))
        );
        assert_eq!(of("INSERT INTO t VALUES ($1), ($2)"), None);
        assert_eq!(of("INSERT INTO t SELECT 1"), None);
        let change = |delete| Shape::Change { table: named("t"), keys: vec!["id".into()], delete };
        assert_eq!(of("UPDATE t SET a = $1 WHERE id = $2"), Some(change(false)));
        assert_eq!(of("DELETE FROM t WHERE t.id = $1"), Some(change(true)));
        assert_eq!(of("DELETE FROM t"), None);
        assert_eq!(of("UPDATE t SET a = $1 WHERE id > $2"), None);
    }

    #[test]
    fn one_statement_asks_for_many_keys() {
        let many = |sql: &str, key: &str| {
            let many = for_many(&Parsed::read(sql).expect("plain SQL"), key, "integer", key == "id")?;
            assert_eq!(many.1, "$1");
            Some(many.0)
        };
        assert_eq!(
            many("SELECT * FROM books WHERE id = $1 LIMIT $2", "id").as_deref(),
            Some("SELECT * FROM books WHERE id = ANY($1)")
        );
        assert_eq!(
            many("SELECT * FROM books b WHERE b.author_id = $1 AND b.x > $2", "author_id").as_deref(),
            Some("SELECT * FROM books b WHERE b.author_id = ANY($1) AND b.x > $2")
        );
        assert_eq!(
            many("SELECT title FROM books WHERE author_id = ($1)::int", "author_id").as_deref(),
            Some("SELECT title, author_id FROM books WHERE author_id = ANY($1)")
        );
        assert_eq!(
            many("SELECT count(*) FROM books WHERE author_id = $1", "author_id").as_deref(),
            Some("SELECT count(*), author_id FROM books WHERE author_id = ANY($1) GROUP BY author_id")
        );
        assert_eq!(
            many("SELECT * FROM books WHERE author_id = $1 ORDER BY at DESC LIMIT 3", "author_id").as_deref(),
            Some(
                "SELECT wanted.key, t.* FROM unnest($1::integer[]) AS wanted(key) CROSS JOIN LATERAL (SELECT * FROM \
                 books WHERE author_id = wanted.key ORDER BY at DESC LIMIT 3) AS t"
            )
        );
        assert_eq!(many("SELECT * FROM books WHERE a > $1", "a"), None);
        assert_eq!(many("SELECT row_number() OVER (ORDER BY id) FROM books WHERE a = $1", "a"), None);
    }

    #[test]
    fn one_statement_puts_many_rows() {
        let rows = |sql: &str| of_rows(&Parsed::read(sql).expect("plain SQL"), 2);
        assert_eq!(
            rows("INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT DO NOTHING").as_deref(),
            Some("INSERT INTO t (a, b) VALUES ($1, lower($2)), ($3, lower($4)) ON CONFLICT DO NOTHING")
        );
        assert_eq!(rows("INSERT INTO t VALUES (1)"), None);
        assert_eq!(rows("INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = $2"), None);
        assert_eq!(rows("INSERT INTO t (a) VALUES ($1) RETURNING a + $2"), None);
    }
}
