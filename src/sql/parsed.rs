//! A statement as `sqlparser` reads it, for questions that tokens cannot answer and for writing it anew.
//!
//! Refuses to judge validity: what it cannot read is `None`, and who asked says which checks that switches off.

use sqlparser::ast::{Query, Select, SetExpr, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// Brackets in brackets that are read; the parser's own default of 50 fails at 30 nested subqueries.
const RECURSION: usize = 400;

/// A parsed statement. Its tree is for this module's neighbours only.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub(super) statement: Statement,
}

impl Parsed {
    /// Reads one statement; `None` where `sqlparser` cannot.
    pub fn read(text: &str) -> Option<Parsed> {
        let parser = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(RECURSION);
        let mut statements = parser.try_with_sql(text).ok()?.parse_statements().ok()?;
        let statement = statements.pop().filter(|_| statements.is_empty())?;
        Some(Parsed { statement })
    }

    /// The query, where the statement is one.
    pub(super) fn query(&self) -> Option<&Query> {
        match &self.statement {
            Statement::Query(query) => Some(query),
            _ => None,
        }
    }

    /// The outermost SELECT, where it is one and no set operation.
    pub(super) fn select(&self) -> Option<&Select> {
        match self.query()?.body.as_ref() {
            SetExpr::Select(select) => Some(select),
            _ => None,
        }
    }

    /// The statement as SQL, on one line and without comments.
    pub fn sql(&self) -> String {
        self.statement.to_string()
    }

    /// `LIMIT`, `OFFSET` or `FETCH` stands at the top of the query.
    pub fn limited(&self) -> bool {
        self.query().is_some_and(|q| q.limit_clause.is_some() || q.fetch.is_some())
    }

    /// The top of the query is a plain SELECT.
    pub fn plain(&self) -> bool {
        self.select().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_written_back() {
        let parsed = Parsed::read("select a from t -- note\nwhere b = $1 limit 5").expect("plain SQL");
        assert_eq!(parsed.sql(), "SELECT a FROM t WHERE b = $1 LIMIT 5");
        assert!(parsed.limited() && parsed.plain());
        assert_eq!(Parsed::read("select 1; select 2"), None);
        assert_eq!(Parsed::read("select (1 from t"), None);
    }
}
