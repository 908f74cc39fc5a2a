//! Texts of pg_stat_statements made such that EXPLAIN takes them: a parameter stands where only a literal may.
//!
//! Refuses to change anything else.

use super::token::{Token, TokenKind, tokenize};

/// Types that may stand in front of a literal, but not of a parameter.
const TYPES: &[&str] = &[
    "interval",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "json",
    "jsonb",
    "uuid",
    "inet",
    "numeric",
    "bool",
    "boolean",
    "text",
    "bytea",
];

/// `interval $1` as `$1::interval`, and `extract($1 from x)` as `date_part($1, x)`.
pub fn explainable(text: &str) -> String {
    let (tokens, _) = tokenize(text);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut replace = |from: usize, to: usize, with: &str| {
        out.push_str(&text[at..from]);
        out.push_str(with);
        at = to;
    };
    let param = |token: Option<&Token>| token.filter(|t| t.kind == TokenKind::Param).copied();
    let mut skip = 0;
    for (i, token) in tokens.iter().enumerate() {
        if i < skip {
            continue;
        }
        let next = tokens.get(i + 1);
        if TYPES.iter().any(|t| token.is_word(text, t))
            && let Some(value) = param(next)
        {
            replace(token.start, value.end, &format!("{}::{}", value.text(text), token.text(text)));
            skip = i + 2;
        } else if ["timestamp", "time"].iter().any(|t| token.is_word(text, t))
            && ["with", "without"].iter().any(|w| next.is_some_and(|t| t.is_word(text, w)))
            && let Some(value) = param(tokens.get(i + 4))
        {
            let name = &text[token.start..tokens[i + 3].end];
            replace(token.start, value.end, &format!("{}::{name}", value.text(text)));
            skip = i + 5;
        } else if token.is_word(text, "extract")
            && next.is_some_and(|t| t.is_punct(text, "("))
            && param(tokens.get(i + 2)).is_some()
            && tokens.get(i + 3).is_some_and(|t| t.is_word(text, "from"))
        {
            let field = tokens[i + 2].text(text).to_owned();
            replace(token.start, tokens[i + 3].end, &format!("date_part({field},"));
            skip = i + 4;
        }
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_where_parameters_may() {
        assert_eq!(
            explainable(
                "select extract($1 from at), now() - interval $2 from t where d > DATE $3 and date = $4"
            ),
            "select date_part($1, at), now() - $2::interval from t where d > $3::DATE and date = $4"
        );
        assert_eq!(
            explainable("select a @> jsonb $1, b < timestamp with time zone $2 from t"),
            "select a @> $1::jsonb, b < $2::timestamp with time zone from t"
        );
        assert_eq!(explainable("select 'interval $1' from t"), "select 'interval $1' from t");
    }
}
