//! Finds InitPlans and SubPlans in the expressions that a node prints.

use crate::plan::{Detail, Node};

/// One mention of a subplan in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mention<'a> {
    pub(super) what: What<'a>,
    /// The value comes from a node below: this one only passes it up.
    pub(super) passed_up: bool,
    /// The expression may stop the subplan before its last row: EXISTS, ANY, ALL.
    pub(super) may_stop: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What<'a> {
    /// `$1`: an InitPlan's result up to 16, with the dollar sign.
    Parameter(&'a str),
    /// `(InitPlan 1).col1`: what follows `InitPlan `.
    InitPlan(&'a str),
    /// `(SubPlan 1)`, `(hashed SubPlan 1)`: what follows `SubPlan `.
    SubPlan(&'a str),
}

/// The expressions of a node that its own process evaluates.
pub(super) fn expressions(node: &Node) -> impl Iterator<Item = &str> {
    let Detail { output, sort_key, presorted_key, group_key, hash_key, params_evaluated, .. } = &node.detail;
    let lists = [output, sort_key, presorted_key, group_key, hash_key, params_evaluated];
    let extra = node.extra.iter().filter_map(|(_, value)| value.as_str());
    conditions(node).chain(lists.into_iter().flatten().map(String::as_str)).chain(extra)
}

fn conditions(node: &Node) -> impl Iterator<Item = &str> {
    let detail = &node.detail;
    let conditions = [
        &detail.filter,
        &detail.index_cond,
        &detail.recheck_cond,
        &detail.order_by,
        &detail.tid_cond,
        &detail.hash_cond,
        &detail.merge_cond,
        &detail.join_filter,
        &detail.one_time_filter,
        &detail.run_condition,
        &detail.conflict_filter,
        &detail.function_call,
        &detail.cache_key,
    ];
    conditions.into_iter().flatten().map(String::as_str)
}

/// Calls `found` for every mention in `text`, outside of literals and quoted names. Linear in `text`.
pub(super) fn mentions<'a>(text: &'a str, mut found: impl FnMut(Mention<'a>)) {
    let bytes = text.as_bytes();
    // For each open bracket, whether it is that of `(ANY (…` or `(ALL (…`.
    let mut quantified: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => {
                at = text[at + 1..].find(byte as char).map_or(text.len(), |end| at + 1 + end);
            }
            b'(' => {
                let before = &text[..at];
                let own = before.ends_with("(ANY ") || before.ends_with("(ALL ");
                quantified.push(own || quantified.last() == Some(&true));
            }
            b')' => {
                quantified.pop();
            }
            b'$' if at == 0 || !is_word(bytes[at - 1]) => {
                let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                if digits > 0 {
                    let end = at + 1 + digits;
                    let what = What::Parameter(&text[at..end]);
                    found(Mention { what, passed_up: passed_up(text, at, end), may_stop: false });
                    at = end;
                    continue;
                }
            }
            b'I' if text[at..].starts_with("InitPlan ") && at > 0 && bytes[at - 1] == b'(' => {
                let name = name(&text[at + "InitPlan ".len()..]);
                let bracket = at + "InitPlan ".len() + name.len();
                let column =
                    bytes[bracket..].iter().skip(1).take_while(|&&b| b == b'.' || is_word(b)).count();
                let end = (bracket + 1 + column).min(text.len());
                let passed_up = passed_up(text, at - 1, end);
                found(Mention { what: What::InitPlan(name), passed_up, may_stop: false });
            }
            b'S' if text[at..].starts_with("SubPlan ") => {
                let name = name(&text[at + "SubPlan ".len()..]);
                let end = at + "SubPlan ".len() + name.len() + 1;
                let hashed = text[..at].ends_with("hashed ");
                let may_stop = !hashed && (quantified.last() == Some(&true) || is_condition(text, at, end));
                found(Mention { what: What::SubPlan(name), passed_up: false, may_stop });
            }
            _ => {}
        }
        at += 1;
    }
}

/// Up to the closing bracket; empty where none comes within the length of any name (63 bytes and a suffix).
fn name(text: &str) -> &str {
    text.bytes().take(80).position(|byte| byte == b')').map_or("", |end| &text[..end])
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether `text[start..end]` stands alone in brackets: how a value from a node below is printed. Arguments of
/// functions, `ANY (…)` and casts have such brackets too, but compute with the value here.
fn passed_up(text: &str, start: usize, end: usize) -> bool {
    let Some(before) = text[..start].strip_suffix('(') else { return false };
    let Some(after) = text.get(end..).and_then(|rest| rest.strip_prefix(')')) else { return false };
    let called = before.bytes().last().is_some_and(|byte| is_word(byte) || byte == b'"');
    let quantified = before.ends_with("ANY ") || before.ends_with("ALL ");
    !called && !quantified && !after.starts_with("::")
}

/// Whether `(SubPlan n)` stands where a truth value does: up to 16 EXISTS and ANY print no word of their own.
fn is_condition(text: &str, start: usize, end: usize) -> bool {
    let Some(before) = text[..start].strip_suffix('(') else { return false };
    let after = text.get(end..).unwrap_or("");
    before.ends_with("EXISTS")
        || ["NOT ", "AND ", "OR "].iter().any(|word| before.ends_with(word))
        || [" AND ", " OR "].iter().any(|word| after.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mention, whether it is passed up, whether it may stop.
    type Case = (&'static str, bool, bool);

    fn all(text: &str) -> Vec<(String, bool, bool)> {
        let mut list = Vec::new();
        mentions(text, |mention| {
            let what = match mention.what {
                What::Parameter(name) => name.to_owned(),
                What::InitPlan(name) => format!("i{name}"),
                What::SubPlan(name) => format!("s{name}"),
            };
            list.push((what, mention.passed_up, mention.may_stop));
        });
        list
    }

    #[test]
    fn finds_what_an_expression_mentions() {
        let cases: [(&str, &[Case]); 15] = [
            ("(x = $0)", &[("$0", false, false)]),
            ("$10", &[("$10", false, false)]),
            ("($0)", &[("$0", true, false)]),
            ("(a.id = ANY ($0))", &[("$0", false, false)]),
            ("abs($0)", &[("$0", false, false)]),
            ("'costs $1'::text", &[]),
            ("(a$1 = \"$2\")", &[]),
            ("(InitPlan 2).col1", &[("i2", false, false)]),
            ("((InitPlan 12).col1)", &[("i12", true, false)]),
            ("((InitPlan minmax_1).col1 + 1)", &[("iminmax_1", false, false)]),
            ("((InitPlan 1).col1)::text", &[("i1", false, false)]),
            ("(a.id = ANY ((InitPlan 1).col1))", &[("i1", false, false)]),
            ("EXISTS(SubPlan 1)", &[("s1", false, true)]),
            (
                "((ANY (s.id = (SubPlan 1).col1)) OR (hashed SubPlan 2))",
                &[("s1", false, true), ("s2", false, false)],
            ),
            ("(NOT (SubPlan 1))", &[("s1", false, true)]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> =
                expected.iter().map(|&(what, up, stop)| (what.to_owned(), up, stop)).collect();
            assert_eq!(all(text), expected, "{text}");
        }
    }
}
