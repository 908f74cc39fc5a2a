//! An index to be: its keys, its exact DDL, and whether a live index already does its work.
//!
//! Refuses to decide whether it is worth having.

use crate::catalog::{Index, IndexKey, Partition, Relation};
use crate::sql::ident::{qualified, quote};

/// One key of a proposed index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The column's name (not quoted), or an expression as the server printed it.
    pub text: String,
    /// `false`: `text` is an expression.
    pub column: bool,
    pub descending: bool,
    pub nulls_first: bool,
    pub operator_class: Option<&'static str>,
}

/// An index that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDefinition {
    pub schema: String,
    pub table: String,
    pub name: String,
    /// `btree`, `gin`, `gist`, `brin` …
    pub method: &'static str,
    pub keys: Vec<Key>,
    pub include: Vec<String>,
    pub predicate: Option<String>,
    /// The partitions below `table`, where it is partitioned.
    pub partitions: Vec<Partition>,
    pub partitioned: bool,
}

impl Key {
    /// An ascending key on a column.
    pub fn column(name: &str) -> Self {
        Key {
            text: name.to_owned(),
            column: true,
            descending: false,
            nulls_first: false,
            operator_class: None,
        }
    }

    /// The key as `CREATE INDEX` takes it.
    pub fn sql(&self) -> String {
        let mut sql = match self.column {
            true => quote(&self.text),
            false if is_call(&self.text) => self.text.clone(),
            false => format!("({})", self.text),
        };
        if let Some(class) = self.operator_class {
            sql.push(' ');
            sql.push_str(class);
        }
        if self.descending {
            sql.push_str(" DESC");
        }
        match (self.descending, self.nulls_first) {
            (false, true) => sql.push_str(" NULLS FIRST"),
            (true, false) => sql.push_str(" NULLS LAST"),
            _ => {}
        }
        sql
    }

    /// Whether a live index's key holds the same values under the same operators.
    pub fn same_values(&self, live: &IndexKey) -> bool {
        let text = live.column == self.column
            && (live.text == self.text || (!self.column && squeeze(&live.text) == squeeze(&self.text)));
        text && live.operator_class.as_deref() == self.operator_class
    }

    /// Whether a live index's key has the same order, or (`reversed`) exactly the opposite one.
    fn same_order(&self, live: &IndexKey, reversed: bool) -> bool {
        (live.descending == self.descending) != reversed && (live.nulls_first == self.nulls_first) != reversed
    }
}

/// `name(…)` and nothing around it: may stand as an index key without another pair of parentheses.
fn is_call(text: &str) -> bool {
    let name = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if name == 0 || text.as_bytes().get(name) != Some(&b'(') || !text.ends_with(')') {
        return false;
    }
    let mut depth = 0;
    text.char_indices().all(|(i, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth > 0 || i < name || i + 1 == text.len()
    }) && !text.contains('\'')
}

/// Expressions compare without spaces and without the parentheses that printing adds.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '(' && *c != ')').collect()
}

/// Access methods that PostgreSQL brings; another one is none that a size could be told of.
const METHODS: [&str; 6] = ["btree", "hash", "gin", "gist", "spgist", "brin"];

impl IndexDefinition {
    /// What a live index of `relation` is made of; `None` for a method that an extension brought. Operator classes are
    /// left out: no size depends on them.
    pub fn of(relation: &Relation, index: &Index) -> Option<IndexDefinition> {
        let key = |key: &IndexKey| Key {
            text: key.text.clone(),
            column: key.column,
            descending: key.descending,
            nulls_first: key.nulls_first,
            operator_class: None,
        };
        Some(IndexDefinition {
            schema: relation.schema.clone(),
            table: relation.name.clone(),
            name: index.name.clone(),
            method: METHODS.into_iter().find(|method| *method == index.method)?,
            keys: index.keys.iter().map(key).collect(),
            include: index.include.clone(),
            predicate: index.predicate.clone(),
            partitions: Vec::new(),
            partitioned: false,
        })
    }

    /// The part after the index's name: `ON schema.table USING btree (…) INCLUDE (…) WHERE …`.
    fn tail(&self, only: bool, table: &str) -> String {
        let keys: Vec<String> = self.keys.iter().map(Key::sql).collect();
        let only = if only { "ONLY " } else { "" };
        let mut sql = format!("ON {only}{table} USING {} ({})", self.method, keys.join(", "));
        if !self.include.is_empty() {
            let columns: Vec<String> = self.include.iter().map(|c| quote(c)).collect();
            sql.push_str(&format!(" INCLUDE ({})", columns.join(", ")));
        }
        if let Some(predicate) = &self.predicate {
            sql.push_str(&format!(" WHERE {predicate}"));
        }
        sql
    }

    /// The table's name as SQL.
    pub fn target(&self) -> String {
        qualified(&self.schema, &self.table)
    }

    /// What to run to have the index, without blocking writers for long.
    pub fn apply(&self) -> Vec<String> {
        if !self.partitioned {
            return vec![format!(
                "CREATE INDEX CONCURRENTLY {} {}",
                quote(&self.name),
                self.tail(false, &self.target())
            )];
        }
        let mut sql = vec![format!("CREATE INDEX {} {}", quote(&self.name), self.tail(true, &self.target()))];
        let mut attach = Vec::new();
        for partition in &self.partitions {
            let name = self.part_name(partition);
            let table = qualified(&partition.schema, &partition.name);
            sql.push(match partition.partitioned {
                true => format!("CREATE INDEX {} {}", quote(&name), self.tail(true, &table)),
                false => format!("CREATE INDEX CONCURRENTLY {} {}", quote(&name), self.tail(false, &table)),
            });
            let parent = match self.partitions.iter().find(|p| p.name == partition.parent) {
                Some(middle) => qualified(&middle.schema, &self.part_name(middle)),
                None => qualified(&self.schema, &self.name),
            };
            attach.push(format!(
                "ALTER INDEX {parent} ATTACH PARTITION {}",
                qualified(&partition.schema, &name)
            ));
        }
        sql.extend(attach);
        sql
    }

    /// The name of the index of one partition.
    fn part_name(&self, partition: &Partition) -> String {
        super::name::index_name(&partition.name, &self.keys, &self.include, &partition.taken_names)
    }

    /// What to run to be rid of it again.
    pub fn undo(&self) -> Vec<String> {
        let concurrently = if self.partitioned { "" } else { "CONCURRENTLY " };
        vec![format!("DROP INDEX {concurrently}{}", qualified(&self.schema, &self.name))]
    }

    /// The locks that [`Self::apply`] takes.
    pub fn locks(&self) -> Vec<String> {
        if !self.partitioned {
            return vec![format!("SHARE UPDATE EXCLUSIVE on {}", self.target())];
        }
        vec![
            format!("SHARE on {} for a moment (ON ONLY builds nothing)", self.target()),
            "SHARE UPDATE EXCLUSIVE on each partition while its index is built".to_owned(),
            format!("undo: ACCESS EXCLUSIVE on {} and its partitions for a moment", self.target()),
        ]
    }

    /// One statement that builds the same index under `name`, for a transaction or for HypoPG.
    pub fn build(&self, name: &str) -> String {
        format!("CREATE INDEX {} {}", quote(name), self.tail(false, &self.target()))
    }

    /// The relations that a concurrent trial must index one by one: the table, or its leaf partitions.
    pub fn leaves(&self) -> Vec<(String, String)> {
        if !self.partitioned {
            return vec![(self.schema.clone(), self.table.clone())];
        }
        self.partitions
            .iter()
            .filter(|p| !p.partitioned)
            .map(|p| (p.schema.clone(), p.name.clone()))
            .collect()
    }

    /// One concurrent build of the same keys under `name` on one leaf.
    pub fn build_concurrently(&self, name: &str, schema: &str, table: &str) -> String {
        format!("CREATE INDEX CONCURRENTLY {} {}", quote(name), self.tail(false, &qualified(schema, table)))
    }

    /// Whether `live` already answers everything this index would: the first `unordered` keys in any order and
    /// direction (they are compared for equality), the rest in this order or exactly reversed.
    pub fn served_by(&self, live: &Index, unordered: usize) -> bool {
        if !live.usable || live.method != self.method || live.keys.len() < self.keys.len() {
            return false;
        }
        if live.predicate.is_some()
            && live.predicate.as_deref().map(squeeze) != self.predicate.as_deref().map(squeeze)
        {
            return false;
        }
        let (equal, ordered) = self.keys.split_at(unordered.min(self.keys.len()));
        let (live_equal, live_ordered) = live.keys.split_at(equal.len());
        let all_equal = equal.iter().all(|key| live_equal.iter().any(|l| key.same_values(l)));
        let in_order = |reversed| {
            ordered.iter().zip(live_ordered).all(|(key, l)| key.same_values(l) && key.same_order(l, reversed))
        };
        let covers = |column: &String| {
            live.include.contains(column) || live.keys.iter().any(|k| k.column && k.text == *column)
        };
        all_equal && (in_order(false) || in_order(true)) && self.include.iter().all(covers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, descending: bool) -> Key {
        Key { descending, nulls_first: descending, ..Key::column(text) }
    }

    fn live(keys: &[(&str, bool)]) -> Index {
        Index {
            schema: "public".into(),
            name: "i".into(),
            method: "btree".into(),
            keys: keys
                .iter()
                .map(|&(text, descending)| IndexKey {
                    text: text.into(),
                    column: true,
                    descending,
                    nulls_first: descending,
                    operator_class: None,
                })
                .collect(),
            include: vec![],
            predicate: None,
            unique: false,
            primary: false,
            usable: true,
            size_bytes: None,
            scans: None,
            definition: String::new(),
        }
    }

    fn definition(keys: Vec<Key>) -> IndexDefinition {
        IndexDefinition {
            schema: "public".into(),
            table: "Order".into(),
            name: "Order_user_id_idx".into(),
            method: "btree",
            keys,
            include: vec![],
            predicate: None,
            partitions: vec![],
            partitioned: false,
        }
    }

    #[test]
    fn ddl_is_exact_and_quoted() {
        let mut d = definition(vec![
            key("user_id", false),
            key("created at", true),
            Key { nulls_first: false, ..key("b", true) },
            Key { text: "lower((c)::text)".into(), column: false, ..Key::column("") },
            Key { text: "(a + b)".into(), column: false, ..Key::column("") },
        ]);
        d.predicate = Some("(deleted_at IS NULL)".into());
        d.include = vec!["Total".into()];
        assert_eq!(
            d.apply(),
            ["CREATE INDEX CONCURRENTLY \"Order_user_id_idx\" ON public.\"Order\" USING btree (user_id, \
              \"created at\" DESC, b DESC NULLS LAST, lower((c)::text), ((a + b))) INCLUDE (\"Total\") \
              WHERE (deleted_at IS NULL)"]
        );
        assert_eq!(d.undo(), ["DROP INDEX CONCURRENTLY public.\"Order_user_id_idx\""]);
    }

    #[test]
    fn a_partitions_index_takes_a_name_that_is_free() {
        let part = |name: &str, parent: &str, taken: &[&str]| Partition {
            schema: "public".into(),
            name: name.into(),
            partitioned: name == "middle",
            parent: parent.into(),
            taken_names: taken.iter().map(|&t| t.to_owned()).collect(),
        };
        let middle = part("middle", "Order", &["middle_a_idx"]);
        let leaf = part("leaf", "middle", &["leaf_a_idx", "leaf_a_idx1"]);
        let mut d = definition(vec![key("a", false)]);
        (d.partitioned, d.partitions) = (true, vec![middle, leaf]);
        assert_eq!(
            d.apply()[1..],
            [
                "CREATE INDEX middle_a_idx1 ON ONLY public.middle USING btree (a)",
                "CREATE INDEX CONCURRENTLY leaf_a_idx2 ON public.leaf USING btree (a)",
                "ALTER INDEX public.\"Order_user_id_idx\" ATTACH PARTITION public.middle_a_idx1",
                "ALTER INDEX public.middle_a_idx1 ATTACH PARTITION public.leaf_a_idx2",
            ]
        );
    }

    #[test]
    fn a_live_index_serves_in_any_equal_order_and_read_backward() {
        let d = definition(vec![key("a", false), key("b", false), key("c", true)]);
        for (keys, serves) in [
            (&[("a", false), ("b", false), ("c", true)][..], true),
            (&[("b", true), ("a", false), ("c", false)], true),
            (&[("a", false), ("b", false), ("c", true), ("d", false)], true),
            (&[("a", false), ("c", true), ("b", false)], false),
            (&[("a", false), ("b", false)], false),
        ] {
            assert_eq!(d.served_by(&live(keys), 2), serves, "{keys:?}");
        }
        let mixed = definition(vec![key("a", false), key("b", true)]);
        assert!(mixed.served_by(&live(&[("a", true), ("b", false)]), 0));
        assert!(!mixed.served_by(&live(&[("a", false), ("b", false)]), 0));
        let mut partial = live(&[("a", false), ("b", true)]);
        partial.predicate = Some("(x IS NULL)".into());
        assert!(!mixed.served_by(&partial, 0));
    }
}
