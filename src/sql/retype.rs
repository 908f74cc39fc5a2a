//! What an ALTER TABLE makes of the values of columns whose type it changes.
//!
//! Refuses to find it in a block of code, and to tell what a value becomes: the server is asked.

use super::operand::name_of;
use super::parsed::Parsed;
use sqlparser::ast::{AlterColumnOperation, AlterTableOperation, Statement};

/// The columns that a statement gives another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retyped {
    /// The table's name, without its schema.
    pub table: String,
    /// By column: the expression behind USING, where there is one.
    pub columns: Vec<(String, Option<String>)>,
}

/// Reads an ALTER TABLE; `None` where the statement is another one or cannot be read.
pub fn retyped(text: &str) -> Option<Retyped> {
    let parsed = Parsed::read(text)?;
    let Statement::AlterTable(table) = &parsed.statement else { return None };
    let columns = table.operations.iter().filter_map(|operation| match operation {
        AlterTableOperation::AlterColumn {
            column_name,
            op: AlterColumnOperation::SetDataType { using, .. },
        } => Some((name_of(column_name), using.as_ref().map(ToString::to_string))),
        _ => None,
    });
    let name = name_of(table.name.0.last()?.as_ident()?);
    Some(Retyped { table: name, columns: columns.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn using_belongs_to_its_column() {
        let found = retyped(
            "ALTER TABLE shop.\"Items\" ALTER code TYPE int USING code::int, ALTER COLUMN \"Note\" SET DATA TYPE varchar(5)",
        );
        let found = found.expect("an ALTER TABLE");
        assert_eq!(found.table, "Items");
        assert_eq!(
            found.columns,
            [("code".to_owned(), Some("code::INT".to_owned())), ("Note".to_owned(), None)]
        );
        assert_eq!(retyped("DO $$BEGIN END$$"), None);
    }
}
