//! What a node is, as numbers that are equal for counterparts in two plans, whatever major or notation printed them.
//!
//! Refuses to depend on numbers of subplans, on schemas (text has none without VERBOSE) and on costs.

use super::Side;
use crate::plan::{Node, Relationship};
use crate::sql::token::{TokenKind, tokenize};
use std::collections::BTreeSet;

/// 64 bits of FNV-1a: the same on every machine and in every version of ours.
#[derive(Clone, Copy)]
pub(super) struct Hash(u64);

impl Hash {
    pub(super) fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn text(mut self, text: &str) -> Hash {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    pub(super) fn optional(self, text: &Option<String>) -> Hash {
        text.as_ref().map_or(self.text("\u{1}"), |text| self.text(text))
    }

    pub(super) fn number(mut self, number: u64) -> Hash {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    pub(super) fn end(self) -> u64 {
        self.0
    }
}

/// The keys of one plan's nodes.
pub(super) struct Keys {
    /// Of the subtree: kinds, relations, indexes and places.
    pub(super) deep: Vec<u64>,
    /// The node's rows come from a relation, or from nothing below it.
    pub(super) source: Vec<bool>,
}

impl Keys {
    pub(super) fn of(side: Side) -> Keys {
        let nodes = &side.plan.nodes;
        let mut deep = vec![0; nodes.len()];
        let mut source = vec![false; nodes.len()];
        for node in nodes.iter().rev() {
            let mut hash = own(node);
            let mut inputs = 0;
            for child in side.facts.tree.children(node.id) {
                hash = hash.number(deep[child]);
                inputs += usize::from(nodes.get(child).is_some_and(is_input));
            }
            deep[node.id] = hash.end();
            let d = &node.detail;
            let named = [&d.relation, &d.cte, &d.function, &d.table_function, &d.tuplestore];
            let reads = node.kind != "ModifyTable" && named.iter().any(|name| name.is_some());
            source[node.id] = !in_bitmap(node) && (reads || inputs == 0);
        }
        Keys { deep, source }
    }

    /// The fingerprint of the whole plan.
    pub(super) fn shape(&self) -> u64 {
        self.deep.first().copied().unwrap_or(0)
    }
}

/// The node alone.
fn own(node: &Node) -> Hash {
    let d = &node.detail;
    let strategy = d.strategy.as_deref().unwrap_or("Plain");
    Hash::new()
        .text(role(node))
        .text(&node.kind)
        .text(strategy)
        .text(d.partial_mode.as_deref().unwrap_or("Simple"))
        .text(d.join_type.as_deref().unwrap_or("Inner"))
        .text(d.scan_direction.as_deref().filter(|way| *way == "Backward").unwrap_or(""))
        .text(if d.parallel_aware == Some(true) { "parallel" } else { "" })
        .optional(&d.operation)
        .optional(&d.command)
        .optional(&d.relation)
        .optional(&d.index)
        .optional(&d.cte)
        .optional(&d.function)
        .optional(&d.alias)
}

/// How the node hangs under its parent, as far as every notation tells.
fn role(node: &Node) -> &str {
    let name = node.subplan_name.as_deref().unwrap_or("");
    match node.relationship {
        Relationship::InitPlan if name.starts_with("CTE ") => name,
        Relationship::InitPlan => "InitPlan",
        Relationship::SubPlan => "SubPlan",
        _ => "",
    }
}

/// Rows of this node flow into its parent.
pub(super) fn is_input(node: &Node) -> bool {
    !matches!(node.relationship, Relationship::InitPlan | Relationship::SubPlan)
}

/// Part of the bitmap heap scan above it.
pub(super) fn in_bitmap(node: &Node) -> bool {
    matches!(node.kind.as_str(), "Bitmap Index Scan" | "BitmapAnd" | "BitmapOr")
}

pub(super) fn is_join(node: &Node) -> bool {
    category(node) == "join"
}

/// The job of a node: nodes that do the same job in different ways share it.
pub(super) fn category(node: &Node) -> &str {
    match node.kind.as_str() {
        "Nested Loop" | "Hash Join" | "Merge Join" => "join",
        "Aggregate" | "Group" | "Unique" => "aggregate",
        "Sort" | "Incremental Sort" => "sort",
        "Gather" | "Gather Merge" => "gather",
        "Append" | "Merge Append" => "append",
        "Materialize" | "Memoize" | "Result Cache" => "store",
        "Bitmap Index Scan" | "BitmapAnd" | "BitmapOr" => "bitmap",
        kind => kind,
    }
}

/// The conditions that rows must meet at a node, taken apart at AND, so that it does not matter which of them an
/// index tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Conditions {
    pub(super) exact: BTreeSet<String>,
    /// With every constant replaced.
    pub(super) without_values: BTreeSet<String>,
    /// A subplan is among them: majors print those in words of their own.
    pub(super) subplan: bool,
}

impl Conditions {
    pub(super) fn of<'a>(texts: impl IntoIterator<Item = &'a String>) -> Conditions {
        let mut all = Conditions::default();
        for text in texts {
            for part in [true, false] {
                let (tests, subplan) = normal(text, part);
                all.subplan |= subplan;
                let into = if part { &mut all.exact } else { &mut all.without_values };
                into.extend(tests);
            }
        }
        all
    }

    /// The conditions of a scan.
    pub(super) fn of_scan(node: &Node) -> Conditions {
        let d = &node.detail;
        let recheck = d.recheck_cond.as_ref().filter(|_| node.kind == "Bitmap Heap Scan");
        Conditions::of([&d.filter, &d.index_cond, &d.tid_cond].into_iter().flatten().chain(recheck))
    }
}

/// The tests of a condition without brackets, qualifiers, case and the numbers of parameters.
fn normal(text: &str, values: bool) -> (Vec<String>, bool) {
    let (tokens, _) = tokenize(text);
    let mut tests = vec![String::new()];
    let mut subplan = false;
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text(text);
        let next = tokens.get(at + 1);
        let name = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent);
        // `t.` of `t.column`.
        let qualifier = name && next.is_some_and(|next| next.is_punct(text, "."));
        if qualifier || ["(", ")", "."].iter().any(|mark| token.is_punct(text, mark)) {
            continue;
        }
        if token.is_word(text, "and") {
            tests.push(String::new());
            continue;
        }
        subplan |= token.kind == TokenKind::Param || word == "SubPlan" || word == "InitPlan";
        let Some(test) = tests.last_mut() else { continue };
        test.push(' ');
        match token.kind {
            TokenKind::String | TokenKind::Number if !values => test.push('?'),
            TokenKind::Word => test.push_str(&word.to_ascii_lowercase()),
            _ => test.push_str(word),
        }
    }
    (tests, subplan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_the_same_wherever_they_are_tested() {
        let of = |texts: &[&str]| Conditions::of(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        let filter = of(&["((orders.user_id = 123) AND (orders.total > 5))"]);
        assert_eq!(filter, of(&["(total > 5)", "(user_id = 123)"]));
        let other = of(&["((user_id = 7) AND (total > 5))"]);
        assert_ne!(filter.exact, other.exact);
        assert_eq!(filter.without_values, other.without_values);
        assert!(of(&["(a > $0)"]).subplan && of(&["(a > (InitPlan 1).col1)"]).subplan);
    }
}
