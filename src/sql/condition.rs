//! Conditions and sort keys as a plan prints them, taken apart.
//!
//! The server prints conditions fully parenthesised, so the boolean structure is read from tokens; only
//! operands go through `sqlparser`. What cannot be read is kept as [`Test::Other`]: refuses to guess.

use super::token::{Token, TokenKind, tokenize};
use super::{ident, operand};
pub use operand::{ColumnRef, Operand, Shape};

/// One condition of a plan node, as a tree of AND and OR.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Test(Box<Test>),
}

/// One test without AND or OR.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// As printed, outer parentheses removed.
    pub text: String,
    pub left: Operand,
    pub comparison: Comparison,
    /// `None` for the unary tests.
    pub right: Option<Operand>,
}

/// How the two sides of a test are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Less,
    LessEq,
    Greater,
    GreaterEq,
    /// `= ANY (array)`.
    AnyEq,
    IsNull,
    IsNotNull,
    /// A bare boolean column or expression.
    IsTrue,
    /// `NOT` a boolean column or expression.
    IsFalse,
    /// Any other operator, as printed (`<>`, `~~`, `@>` …).
    Operator(String),
    /// Something that this module does not take apart.
    Other,
}

impl Comparison {
    /// The comparison with its sides exchanged, where there is one.
    pub fn flipped(&self) -> Option<Comparison> {
        Some(match self {
            Comparison::Eq => Comparison::Eq,
            Comparison::Less => Comparison::Greater,
            Comparison::LessEq => Comparison::GreaterEq,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterEq => Comparison::LessEq,
            _ => return None,
        })
    }

    /// `<`, `<=`, `>` or `>=`.
    pub fn is_range(&self) -> bool {
        matches!(self, Comparison::Less | Comparison::LessEq | Comparison::Greater | Comparison::GreaterEq)
    }
}

impl Condition {
    /// The tests that must all hold: the top-level conjunction. An OR is not among them.
    pub fn conjuncts(&self) -> Vec<&Test> {
        match self {
            Condition::Test(test) => vec![test],
            Condition::And(parts) => parts.iter().flat_map(Condition::conjuncts).collect(),
            Condition::Or(_) => Vec::new(),
        }
    }

    /// Every test, whatever joins them.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Condition::Test(test) => vec![test],
            Condition::And(parts) | Condition::Or(parts) => parts.iter().flat_map(Condition::tests).collect(),
        }
    }
}

/// Brackets in brackets that are taken apart. Each level costs a pass over the tokens and a frame of the stack; people
/// write some ten, programs some fifty, and a damaged or hostile file any number.
const DEEPEST: usize = 200;

/// Takes apart a condition that EXPLAIN printed. One that is nested deeper than any query is kept whole.
pub fn condition(text: &str) -> Condition {
    let (tokens, error) = tokenize(text);
    if error.is_some() || depth(text, &tokens) > DEEPEST {
        return Condition::Test(Box::new(other(text)));
    }
    boolean(text, &tokens)
}

/// Iterative in AND/OR lists; nesting is bounded by [`DEEPEST`].
fn boolean(sql: &str, tokens: &[Token]) -> Condition {
    let tokens = strip_parens(sql, tokens);
    for (word, make) in [("or", Condition::Or as fn(Vec<Condition>) -> Condition), ("and", Condition::And)] {
        let parts = split_at_word(sql, tokens, word);
        if parts.len() > 1 {
            return make(parts.into_iter().map(|part| boolean(sql, part)).collect());
        }
    }
    Condition::Test(Box::new(test(sql, tokens)))
}

fn slice<'a>(sql: &'a str, tokens: &[Token]) -> &'a str {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => &sql[first.start..last.end],
        _ => "",
    }
}

fn other(text: &str) -> Test {
    Test { text: text.to_owned(), left: Operand::opaque(text), comparison: Comparison::Other, right: None }
}

fn test(sql: &str, tokens: &[Token]) -> Test {
    let text = slice(sql, tokens);
    let unary = |left: &[Token], comparison| Test {
        text: text.to_owned(),
        left: operand::read(sql, strip_parens(sql, left)),
        comparison,
        right: None,
    };
    let ends_with = |words: &[&str]| {
        tokens.len() > words.len()
            && tokens[tokens.len() - words.len()..].iter().zip(words).all(|(t, w)| t.is_word(sql, w))
    };
    if ends_with(&["is", "not", "null"]) {
        return unary(&tokens[..tokens.len() - 3], Comparison::IsNotNull);
    }
    if ends_with(&["is", "null"]) {
        return unary(&tokens[..tokens.len() - 2], Comparison::IsNull);
    }
    if ends_with(&["is", "true"]) {
        return unary(&tokens[..tokens.len() - 2], Comparison::IsTrue);
    }
    if ends_with(&["is", "false"]) {
        return unary(&tokens[..tokens.len() - 2], Comparison::IsFalse);
    }
    let Some(at) = top_level(sql, tokens).find(|&i| tokens[i].kind == TokenKind::Operator) else {
        return match tokens {
            [first, rest @ ..] if first.is_word(sql, "not") => unary(rest, Comparison::IsFalse),
            _ if top_level(sql, tokens).any(|i| tokens[i].is_word(sql, "is")) => other(text),
            _ => unary(tokens, Comparison::IsTrue),
        };
    };
    if tokens.first().is_some_and(|t| t.is_word(sql, "not")) {
        return other(text);
    }
    let (left, right) = (&tokens[..at], &tokens[at + 1..]);
    let any = right.first().is_some_and(|t| t.is_word(sql, "any"));
    let all = right.first().is_some_and(|t| t.is_word(sql, "all"));
    let comparison = match tokens[at].text(sql) {
        _ if all => Comparison::Other,
        "=" if any => Comparison::AnyEq,
        _ if any => Comparison::Other,
        "=" => Comparison::Eq,
        "<" => Comparison::Less,
        "<=" => Comparison::LessEq,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterEq,
        operator => Comparison::Operator(operator.to_owned()),
    };
    let right = strip_parens(sql, if any { &right[1..] } else { right });
    Test {
        text: text.to_owned(),
        left: operand::read(sql, strip_parens(sql, left)),
        comparison,
        right: Some(operand::read(sql, right)),
    }
}

/// How deep brackets are nested.
fn depth(sql: &str, tokens: &[Token]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in tokens {
        if token.is_punct(sql, "(") || token.is_punct(sql, "[") {
            depth += 1;
            deepest = deepest.max(depth);
        } else if token.is_punct(sql, ")") || token.is_punct(sql, "]") {
            depth = depth.saturating_sub(1);
        }
    }
    deepest
}

/// Indices of tokens outside all brackets.
fn top_level<'a>(sql: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = usize> + 'a {
    let mut depth = 0;
    tokens.iter().enumerate().filter_map(move |(i, t)| {
        if t.is_punct(sql, "(") || t.is_punct(sql, "[") {
            depth += 1;
        } else if t.is_punct(sql, ")") || t.is_punct(sql, "]") {
            depth -= 1;
        } else if depth == 0 {
            return Some(i);
        }
        None
    })
}

fn split_at_word<'a>(sql: &str, tokens: &'a [Token], word: &str) -> Vec<&'a [Token]> {
    // `CASE WHEN a AND b …` keeps its own ANDs.
    let mut case = 0;
    let cuts: Vec<usize> = top_level(sql, tokens)
        .filter(|&i| {
            case += i32::from(tokens[i].is_word(sql, "case")) - i32::from(tokens[i].is_word(sql, "end"));
            case == 0 && tokens[i].is_word(sql, word)
        })
        .collect();
    let mut parts = Vec::new();
    let mut from = 0;
    for cut in cuts {
        parts.push(&tokens[from..cut]);
        from = cut + 1;
    }
    parts.push(&tokens[from..]);
    parts
}

/// Removes parentheses that enclose the whole.
pub(super) fn strip_parens<'a>(sql: &str, mut tokens: &'a [Token]) -> &'a [Token] {
    loop {
        let [first, .., last] = tokens else { return tokens };
        if !first.is_punct(sql, "(") || !last.is_punct(sql, ")") {
            return tokens;
        }
        let mut depth = 0;
        for (i, token) in tokens.iter().enumerate() {
            depth += i32::from(token.is_punct(sql, "(")) - i32::from(token.is_punct(sql, ")"));
            if depth == 0 && i + 1 < tokens.len() {
                return tokens;
            }
        }
        tokens = &tokens[1..tokens.len() - 1];
    }
}

/// One key of a sort, as the plan prints it.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub operand: Operand,
    pub descending: bool,
    pub nulls_first: bool,
    /// A collation that was named, as printed.
    pub collation: Option<String>,
    /// `USING operator`: an order that no `ASC`/`DESC` says.
    pub custom_order: bool,
}

/// Takes apart one entry of `Sort Key`: `a.x DESC NULLS LAST`. One that is nested deeper than any query is kept whole,
/// as an order that cannot be told.
pub fn sort_key(text: &str) -> SortKey {
    let (tokens, _) = tokenize(text);
    if depth(text, &tokens) > DEEPEST {
        let (operand, custom_order) = (Operand::opaque(text), true);
        return SortKey { operand, descending: false, nulls_first: false, collation: None, custom_order };
    }
    let mut rest = &tokens[..];
    let mut cut = |words: &[&str]| {
        let fits = rest.len() > words.len()
            && rest[rest.len() - words.len()..].iter().zip(words).all(|(t, w)| t.is_word(text, w));
        if fits {
            rest = &rest[..rest.len() - words.len()];
        }
        fits
    };
    let first = cut(&["nulls", "first"]);
    let last = !first && cut(&["nulls", "last"]);
    let descending = cut(&["desc"]);
    let using = top_level(text, rest).find(|&i| rest[i].is_word(text, "using"));
    if let Some(at) = using {
        rest = &rest[..at];
    }
    let collate = top_level(text, rest).find(|&i| rest[i].is_word(text, "collate"));
    let collation = collate.map(|at| slice(text, &rest[at + 1..]).to_owned());
    if let Some(at) = collate {
        rest = &rest[..at];
    }
    SortKey {
        operand: operand::read(text, strip_parens(text, rest)),
        descending,
        nulls_first: first || (descending && !last),
        collation,
        custom_order: using.is_some(),
    }
}

/// The alias that a qualifier such as `"o l"` names.
pub fn same_name(printed: &str, name: &str) -> bool {
    ident::unquote(printed) == name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests_of(text: &str) -> Vec<(String, Comparison, Option<String>)> {
        condition(text)
            .conjuncts()
            .into_iter()
            .map(|t| (t.left.text.clone(), t.comparison.clone(), t.right.as_ref().map(|r| r.text.clone())))
            .collect()
    }

    #[test]
    fn conjunctions_are_taken_apart() {
        let text = "((orders.user_id = 123) AND (orders.created_at > (now() - '30 days'::interval)) AND (orders.deleted_at IS NULL) AND orders.paid AND (NOT orders.void))";
        assert_eq!(
            tests_of(text),
            [
                ("user_id".into(), Comparison::Eq, Some("123".into())),
                ("created_at".into(), Comparison::Greater, Some("now() - '30 days'::interval".into())),
                ("deleted_at".into(), Comparison::IsNull, None),
                ("paid".into(), Comparison::IsTrue, None),
                ("void".into(), Comparison::IsFalse, None),
            ]
        );
    }

    #[test]
    fn an_or_is_no_conjunct_but_its_tests_are_seen() {
        let c = condition("((a.x = 1) AND ((a.y = 2) OR (a.z = ANY ('{1,2}'::integer[]))))");
        assert_eq!(c.conjuncts().len(), 1);
        let all = c.tests();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2].comparison, Comparison::AnyEq);
        assert_eq!(all[2].left.columns, [ColumnRef { qualifier: Some("a".into()), name: "z".into() }]);
    }

    #[test]
    fn what_cannot_be_read_is_kept_whole() {
        for text in [
            "(hashed SubPlan 1)",
            "(ANY (a.x = (hashed SubPlan 1).col1))",
            "(a.x IS DISTINCT FROM 1)",
            "(a.x <> ALL ('{1}'::integer[]))",
            "(a.x = '",
            "",
            &format!("{}a.x = 1{}", "(".repeat(100_000), ")".repeat(100_000)),
            &format!("{}a.x = 1{}", "((a.y = 1) AND ".repeat(20_000), ")".repeat(20_000)),
        ] {
            let c = condition(text);
            assert!(
                c.conjuncts().iter().all(|t| !matches!(t.comparison, Comparison::Eq | Comparison::AnyEq)),
                "{text}: {c:?}"
            );
        }
        let chain = condition(&format!("((a.x{}) = 1)", "::text".repeat(100_000)));
        assert_eq!(chain.conjuncts()[0].left.shape, Shape::Opaque);
        let deep = sort_key(&format!("{}a.x{} DESC", "(".repeat(100_000), ")".repeat(100_000)));
        assert_eq!(deep.operand.shape, Shape::Opaque);
        let casts = condition("((lower((\"o l\".\"Email\")::text) = 'x'::text))");
        let casts = casts.conjuncts();
        assert_eq!(casts[0].left.text, "lower((\"Email\")::text)");
        assert_eq!(casts[0].left.columns[0].qualifier.as_deref(), Some("o l"));
    }

    #[test]
    fn sort_keys_carry_their_order() {
        let k = sort_key("o.created_at DESC");
        assert!(k.descending && k.nulls_first && k.operand.text == "created_at");
        let k = sort_key("o.created_at DESC NULLS LAST");
        assert!(k.descending && !k.nulls_first);
        let k = sort_key("(lower(o.name)) COLLATE \"C\" NULLS FIRST");
        assert!(!k.descending && k.nulls_first);
        assert_eq!((k.operand.text.as_str(), k.collation.as_deref()), ("lower(name)", Some("\"C\"")));
        assert!(sort_key("o.x USING ~<~").custom_order);
    }
}
