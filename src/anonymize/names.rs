//! The names given in place of the original ones: the same for the same name, counted in order of appearance.
//!
//! Refuses chance: no randomness, no clock, no hash of the original.

use super::keep;
use std::collections::HashMap;

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Table,
    Cte,
    Alias,
    Column,
    Index,
    Schema,
    Function,
    Type,
    Collation,
    Window,
    Trigger,
    Constraint,
    Subplan,
    Setting,
    /// A node that no server prints.
    Kind,
    /// A property that is not known.
    Property,
    /// A value where EXPLAIN has words of its own.
    Word,
}

impl Class {
    fn prefix(self) -> &'static str {
        match self {
            Class::Table => "table_",
            Class::Cte => "cte_",
            Class::Alias => "alias_",
            Class::Column => "col_",
            Class::Index => "index_",
            Class::Schema => "schema_",
            Class::Function => "function_",
            Class::Type => "type_",
            Class::Collation => "collation_",
            Class::Window => "window_",
            Class::Trigger => "trigger_",
            Class::Constraint => "constraint_",
            Class::Subplan => "plan_",
            Class::Setting => "setting_",
            Class::Kind => "Node ",
            Class::Property => "Property ",
            Class::Word => "word_",
        }
    }

    /// Tables, CTEs and aliases are one space: an expression does not say which it means.
    fn space(self) -> Class {
        if matches!(self, Class::Table | Class::Cte) { Class::Alias } else { self }
    }

    /// What the server itself named stays.
    fn keeps(self, name: &str) -> bool {
        match self {
            Class::Alias => keep::alias(name),
            Class::Column => keep::system_column(name),
            Class::Schema => keep::schema(name),
            Class::Function => keep::function(name),
            Class::Type => keep::data_type(name),
            Class::Collation => keep::collation(name),
            Class::Subplan => keep::subplan(name),
            Class::Setting => keep::setting(name),
            Class::Kind => keep::kind(name),
            Class::Property => keep::key(name),
            Class::Word => keep::word(name),
            Class::Table | Class::Cte | Class::Index | Class::Window | Class::Trigger | Class::Constraint => {
                false
            }
        }
    }
}

/// Everything replaced so far.
#[derive(Default)]
pub(super) struct Names {
    names: HashMap<(Class, String), String>,
    counts: HashMap<Class, usize>,
    literals: HashMap<String, usize>,
    numbers: HashMap<String, usize>,
    identifiers: HashMap<i64, i64>,
}

impl Names {
    /// The name in place of `original`, which stays where the server itself gave it. A table that a user called
    /// `old` was met before, as a table.
    pub(super) fn name(&mut self, class: Class, original: &str) -> String {
        let keeps = class.keeps(original) && !self.knows(class, original);
        if keeps { original.to_owned() } else { self.replaced(class, original) }
    }

    /// The name in place of `original`, whatever it is.
    pub(super) fn replaced(&mut self, class: Class, original: &str) -> String {
        let counts = &mut self.counts;
        let name = self.names.entry((class.space(), original.to_owned())).or_insert_with(|| {
            let count = counts.entry(class).or_insert(0);
            *count += 1;
            format!("{}{count}", class.prefix())
        });
        name.clone()
    }

    /// Whether `original` was met as a name of this kind.
    pub(super) fn knows(&self, class: Class, original: &str) -> bool {
        self.names.contains_key(&(class.space(), original.to_owned()))
    }

    /// A literal in place of the quoted one: `'s1'`. A wildcard at an end of it stays: a pattern that begins with one is
    /// read in another way than one that does not.
    pub(super) fn literal(&mut self, original: &str) -> String {
        let inner = original.trim_matches('\'');
        let first =
            inner.chars().next().filter(|c| ['%', '_'].contains(c)).map_or(String::new(), String::from);
        let last = if inner.len() > 1 && inner.ends_with('%') { "%" } else { "" };
        format!("'{first}s{}{last}'", nth(&mut self.literals, original))
    }

    /// A number in place of the literal one: the same for the same spelling, whole where it was.
    pub(super) fn number(&mut self, original: &str) -> String {
        let nth = nth(&mut self.numbers, original);
        if original.contains('.') { format!("{nth}.5") } else { nth.to_string() }
    }

    /// A query identifier in place of the server's, which tells the statement and its tables.
    pub(super) fn identifier(&mut self, original: i64) -> i64 {
        let next = self.identifiers.len() as i64 + 1;
        *self.identifiers.entry(original).or_insert(next)
    }
}

fn nth(known: &mut HashMap<String, usize>, original: &str) -> usize {
    let next = known.len() + 1;
    *known.entry(original.to_owned()).or_insert(next)
}
