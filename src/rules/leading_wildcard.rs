//! A pattern without a beginning: no sorted index knows where its matches are.
//!
//! Refuses to propose a trigram index where the extension is not installed, or the pattern holds no trigram.

use super::hidden::{THRESHOLDS, discarding, hidden_test};
use super::{Check, Spec, Tuning};
use crate::catalog::Relation;
use crate::context::PlanContext;
use crate::finding::{Finding, Remedy, WantedIndex, WantedKey};
use crate::sql::condition::{Comparison, Operand};
use crate::sql::volatility::{TypeKind, type_kind};

pub(super) const SPEC: Spec = Spec {
    name: "leading-wildcard",
    summary: "a pattern that starts with a wildcard is tested on every row",
    thresholds: THRESHOLDS,
    page: include_str!("../../rules/leading-wildcard.md"),
    of_estimates: true,
    check: Check::Plan(check),
};

fn check(ctx: &PlanContext, tuning: &Tuning) -> Vec<Finding> {
    let found = discarding(ctx, tuning).into_iter().filter_map(|discarding| {
        let scan = discarding.scan.first();
        let test = hidden_test(ctx, tuning, scan, searches_text)?;
        let Comparison::Operator(operator) = &test.comparison else { return None };
        let pattern = Pattern { operator, text: text(&test.value)? };
        if pattern.begins() {
            return None;
        }
        let reason = "what is sorted by its beginning cannot be searched for what comes later";
        let shown = if pattern.text.ends_with(RUNTIME) { test.value.text.clone() } else { format!("'{}'", pattern.text) };
        let what = format!("{} {operator} {shown}", test.operand.text);
        let mut found = discarding.finding(&SPEC, ctx, &what, reason);
        let installed = ctx.server.map(|s| s.extensions.contains_key("pg_trgm"));
        found.help = match installed {
            _ if !pattern.trigram() => {
                "the pattern holds no three characters in a row, of which a trigram index could be searched: ask for more of them"
                    .to_owned()
            }
            Some(false) => {
                format!("a trigram index on {} can be searched, but pg_trgm is not installed here: CREATE EXTENSION pg_trgm", test.columns())
            }
            _ => format!("a trigram index (pg_trgm) on {} can be searched for any part of it", test.columns()),
        };
        if pattern.suffix() {
            let column = test.columns();
            found.help.push_str(&format!("; an end alone is also the beginning of reverse({column}), indexed with text_pattern_ops"));
        }
        let holds = test.immutable(ctx);
        if let (Some(true), true, true, Some(relation)) = (installed, pattern.trigram(), holds, test.relation) {
            let column = test.operand.column();
            let key = WantedKey {
                text: column.map_or_else(|| test.operand.text.clone(), |c| c.name.clone()),
                column: column.is_some(),
                descending: false,
                operator_class: Some("gin_trgm_ops"),
            };
            found.remedies = vec![Remedy::IndexOn(Box::new(WantedIndex {
                schema: relation.schema.clone(),
                relation: relation.name.clone(),
                method: "gin",
                keys: vec![key],
                predicate: None,
                // It is installed: nothing to be created first.
                extension: None,
            }))];
        }
        Some(found)
    });
    found.collect()
}

/// LIKE, ILIKE, and regular expressions (of which SIMILAR TO is one) over text.
fn searches_text(relation: Option<&Relation>, operand: &Operand, comparison: &Comparison) -> bool {
    let pattern = matches!(comparison, Comparison::Operator(o) if ["~~", "~~*", "~", "~*"].contains(&o.as_str()));
    let column = operand.column().and_then(|c| relation?.column(&c.name));
    pattern && column.is_none_or(|c| type_kind(&c.data_type) == TypeKind::Text)
}

/// A pattern's text. Of one that is put together at run time (`'%' || $1 || '%'`) what its first piece begins with.
fn text(value: &Operand) -> Option<String> {
    if let Some(text) = value.literal() {
        return Some(text);
    }
    let first = value.text.trim_start_matches('(').strip_prefix('\'')?;
    let piece = &first[..first.find('\'')?];
    value.text.contains("||").then(|| format!("{piece}{RUNTIME}"))
}

/// Stands for what is only known at run time: as long as a person types.
const RUNTIME: &str = "\u{fffd}\u{fffd}\u{fffd}%";

struct Pattern<'a> {
    operator: &'a str,
    text: String,
}

impl Pattern<'_> {
    fn like(&self) -> bool {
        self.operator.starts_with("~~")
    }

    /// A sorted index can start at what the pattern begins with. Letters of either case are no one beginning.
    fn begins(&self) -> bool {
        let text = match self.like() {
            true => Some(&self.text[..]),
            false => self.text.strip_prefix('^').map(|rest| rest.trim_start_matches("(?:").trim_start_matches('(')),
        };
        let first = text.and_then(|text| text.chars().next());
        match first {
            Some('%' | '_') if self.like() => false,
            Some(c) if self.operator.ends_with('*') => !c.is_alphabetic() && c.is_alphanumeric(),
            Some(c) => self.like() || (c.is_alphanumeric() && !self.text.contains('|')),
            None => false,
        }
    }

    /// `'%.org'`: nothing but an end.
    fn suffix(&self) -> bool {
        self.operator == "~~" && self.text.strip_prefix('%').is_some_and(|end| !end.contains(['%', '_', '\\']))
    }

    /// Three letters or digits in a row that every match must hold.
    fn trigram(&self) -> bool {
        if self.like() {
            return self.holds_trigram(&self.text);
        }
        let unclear = ["{", "[:", ")*", ")?"].iter().any(|sign| self.text.contains(sign));
        !unclear && self.text.split('|').all(|alternative| self.holds_trigram(alternative))
    }

    fn holds_trigram(&self, text: &str) -> bool {
        let mut run = 0_usize;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let optional = !self.like() && characters.peek().is_some_and(|next| ['*', '?'].contains(next));
            run = match c {
                '\\' => {
                    characters.next();
                    0
                }
                // One of several characters; the first of them may be the bracket that ends the others.
                '[' if !self.like() => {
                    let _ = characters.next_if_eq(&'^');
                    let _ = characters.next();
                    characters.by_ref().find(|&c| c == ']');
                    0
                }
                c if (c.is_alphanumeric() || c == '\u{fffd}') && !optional => run + 1,
                _ => 0,
            };
            if run == 3 {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_apart() {
        for (operator, text, begins, trigram, suffix) in [
            ("~~", "%abc%", false, true, false),
            ("~~", "_bc", false, false, false),
            ("~~", "abc%", true, true, false),
            ("~~", "%a.bc", false, false, true),
            ("~~", "%ab", false, false, true),
            ("~~*", "abc%", false, true, false),
            ("~~*", "42%", true, false, false),
            ("~~", "", false, false, false),
            ("~", "abc", false, true, false),
            ("~", "^abc", true, true, false),
            ("~", "^(?:abc.*)$", true, true, false),
            ("~", "^(?:.*abc)$", false, true, false),
            ("~", "^(abc|bcd)", false, true, false),
            ("~", "^(abc|bc)", false, false, false),
            ("~", "(abc|bcd)?e", false, false, false),
            ("~", "^.bc", false, false, false),
            ("~", "abc?", false, false, false),
            ("~", "abc[0-9]", false, true, false),
            ("~", "ab[cde]", false, false, false),
            ("~", "ab[]cde]", false, false, false),
            ("~", "ab[^]cde]fgh", false, true, false),
            ("~", "[[:digit:]abc]", false, false, false),
            ("~", "\\dab", false, false, false),
            ("~", "a[bc]d", false, false, false),
            ("~*", "^abc", false, true, false),
        ] {
            let pattern = Pattern { operator, text: text.to_owned() };
            let told = (pattern.begins(), pattern.trigram(), pattern.suffix());
            assert_eq!(told, (begins, trigram, suffix), "{operator} {text}");
        }
    }
}
