//! Expressions, as the server prints them, with other names and literals.
//!
//! Refuses to parse: tokens and their neighbours decide what a name is, and what is not known to be PostgreSQL's
//! own is replaced. Server and postgres_fdw quote every name that is a reserved word or has capitals, so a bare
//! reserved word, and a listed one in capitals, is grammar.

use super::keep;
use super::names::{Class, Names};
use crate::sql::ident;
use crate::sql::token::{Token, TokenKind, tokenize};

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// An expression or a statement.
    Expression,
    /// Relations and how they are joined: `(public.a) INNER JOIN (public.b r2)`.
    Relations,
    /// Names of schemas.
    Schemas,
}

/// The text with other names and literals, on one line, without comments.
pub(super) fn rewrite(names: &mut Names, text: &str, holds: Holds) -> String {
    let (tokens, error) = tokenize(text);
    let mut writer = Writer {
        names,
        text,
        tokens: &tokens,
        holds,
        at: 0,
        out: String::new(),
        calls: Vec::new(),
        relation: false,
        alias: false,
        in_type: false,
        columns: false,
    };
    while writer.at < tokens.len() {
        writer.token();
    }
    let mut out = writer.out;
    if let Some(error) = error {
        // What an open quote hides is a literal.
        let rest = text.get(error.at..).unwrap_or(text);
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&names.literal(rest));
    }
    out
}

struct Writer<'a> {
    names: &'a mut Names,
    text: &'a str,
    tokens: &'a [Token],
    holds: Holds,
    at: usize,
    out: String,
    /// For each open bracket, whether it is that of a call.
    calls: Vec<bool>,
    /// A relation comes next.
    relation: bool,
    /// The alias of a relation may come next.
    alias: bool,
    /// A type's name may go on.
    in_type: bool,
    /// Columns with their types are listed: `XMLTABLE (… COLUMNS i integer)`.
    columns: bool,
}

impl<'a> Writer<'a> {
    fn get(&self, at: usize) -> Option<&'a Token> {
        self.tokens.get(at)
    }

    fn before(&self, steps: usize) -> Option<&'a Token> {
        self.get(self.at.checked_sub(steps)?)
    }

    fn is_punct(&self, token: Option<&Token>, mark: &str) -> bool {
        token.is_some_and(|token| token.is_punct(self.text, mark))
    }

    fn is_word(&self, token: Option<&Token>, word: &str) -> bool {
        token.is_some_and(|token| token.is_word(self.text, word))
    }

    /// Whether two tokens touch.
    fn touch(&self, left: Option<&Token>, right: Option<&Token>) -> bool {
        left.zip(right).is_some_and(|(left, right)| left.end == right.start)
    }

    /// Writes what stands for the token at `at`, as far from what is before it as it was.
    fn put(&mut self, at: usize, text: &str) {
        let apart = at > 0 && !self.touch(self.get(at - 1), self.get(at));
        if apart {
            self.out.push(' ');
        }
        self.out.push_str(text);
    }

    fn keep(&mut self, at: usize) {
        if let Some(token) = self.get(at) {
            self.put(at, token.text(self.text));
        }
    }

    fn token(&mut self) {
        let Some(token) = self.get(self.at) else { return };
        match token.kind {
            TokenKind::Word | TokenKind::QuotedIdent => return self.word(token),
            TokenKind::String => {
                let literal = self.names.literal(token.text(self.text));
                self.put(self.at, &literal);
                (self.alias, self.in_type) = (false, false);
            }
            TokenKind::Number => {
                let number = self.names.number(token.text(self.text));
                self.put(self.at, &number);
                self.alias = false;
            }
            TokenKind::Punct => {
                if token.is_punct(self.text, "(") {
                    let call = self.touch(self.before(1), Some(token)) && self.before(1).is_some_and(named);
                    self.calls.push(call);
                } else if token.is_punct(self.text, ")") {
                    self.calls.pop();
                } else if token.is_punct(self.text, ",") {
                    self.in_type = false;
                }
                self.alias = false;
                self.keep(self.at);
            }
            TokenKind::Param | TokenKind::Operator | TokenKind::Semicolon => {
                (self.alias, self.in_type) = (false, false);
                self.keep(self.at);
            }
        }
        self.at += 1;
    }

    fn word(&mut self, token: &'a Token) {
        let text = token.text(self.text);
        if self.subplan(text) {
            return;
        }
        let last = self.chain();
        let inside = self.is_punct(self.before(1), ".") && self.touch(self.before(1), Some(token));
        if last == self.at && !inside && token.kind == TokenKind::Word && self.grammar(text) {
            return;
        }
        let (first, next) = (self.at, self.get(last + 1));
        let star = self.is_punct(next, ".") && self.touch(self.get(last), next);
        let called = self.is_punct(next, "(") && self.touch(self.get(last), next);
        let single = first == last;
        let after_as = self.is_word(next, "as") && self.is_punct(self.get(last + 2), "(");
        let alias = std::mem::take(&mut self.alias);
        // What the last part is the name of, and the part before it.
        let (own, outer) = if self.holds == Holds::Schemas {
            (Class::Schema, Class::Schema)
        } else if self.is_punct(self.before(1), "::") {
            self.in_type = true;
            (Class::Type, Class::Schema)
        } else if self.is_word(self.before(1), "collate") {
            (Class::Collation, Class::Schema)
        } else if alias && single {
            (Class::Alias, Class::Schema)
        } else if self.relation || self.holds == Holds::Relations {
            self.relation = false;
            self.alias = true;
            (Class::Table, Class::Schema)
        } else if star {
            // `OPERATOR(schema.+)` and `alias.*`.
            let operator = self.is_punct(self.before(1), "(") && self.is_word(self.before(2), "operator");
            (if operator { Class::Schema } else { Class::Alias }, Class::Schema)
        } else if called {
            (Class::Function, Class::Schema)
        } else if single
            && (self.is_word(self.before(1), "with") || self.is_word(self.before(1), "recursive"))
        {
            (Class::Cte, Class::Schema)
        } else if single && (self.is_word(self.before(1), "over") || after_as) {
            (Class::Window, Class::Schema)
        } else if single && self.columns && self.before(1).is_some_and(|name| self.is_name(name)) {
            self.in_type = true;
            (Class::Type, Class::Schema)
        } else if last == first + 2 && self.is_schema(first) {
            (Class::Table, Class::Schema)
        } else {
            (Class::Column, Class::Alias)
        };
        // A function of another schema than the server's own is the user's, whatever its name.
        let foreign = !single && self.name(last - 2) != "pg_catalog";
        let field = single
            && self.is_punct(self.before(1), "(")
            && self.is_word(self.before(2), "extract")
            && keep::field(text);
        for at in (first..=last).step_by(2) {
            if at > first {
                self.out.push('.');
            }
            let class = match last - at {
                0 => own,
                2 => outer,
                _ => Class::Schema,
            };
            let name = self.name(at);
            let quoted_char = class == Class::Type && name == "char";
            let new = if field || quoted_char {
                self.get(at).map_or("", |token| token.text(self.text)).to_owned()
            } else if foreign
                && at == last
                && matches!(class, Class::Function | Class::Type | Class::Collation)
            {
                self.names.replaced(class, &name)
            } else {
                ident::quote(&self.names.name(class, &name))
            };
            if at == first { self.put(at, &new) } else { self.out.push_str(&new) }
        }
        self.at = last + 1;
    }

    /// Whether a token is a name and no word of the grammar.
    fn is_name(&self, token: &Token) -> bool {
        let text = token.text(self.text);
        named(token) && !ident::is_reserved(&text.to_ascii_lowercase()) && !keep::syntax(text)
    }

    /// The name at `at`, without its quotes.
    fn name(&self, at: usize) -> String {
        self.get(at).map_or(String::new(), |token| ident::unquote(token.text(self.text)))
    }

    /// Whether the first of two names is that of a schema: no relation here has it.
    fn is_schema(&self, at: usize) -> bool {
        let name = self.name(at);
        let schema = keep::schema(&name) || self.names.knows(Class::Schema, &name);
        schema && !self.names.knows(Class::Alias, &name)
    }

    /// The last part of the dotted name that begins here.
    fn chain(&self) -> usize {
        let mut last = self.at;
        while self.is_punct(self.get(last + 1), ".")
            && self.get(last + 2).is_some_and(named)
            && self.touch(self.get(last), self.get(last + 1))
            && self.touch(self.get(last + 1), self.get(last + 2))
        {
            last += 2;
        }
        last
    }

    /// A word of the grammar is kept.
    fn grammar(&mut self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        let goes_on = self.in_type && keep::type_word(text);
        let hashed = ["hashed", "rescan"].contains(&text) && self.is_word(self.get(self.at + 1), "subplan");
        let alternatives = text == "alternatives" && self.is_punct(self.get(self.at + 1), ":");
        if !(ident::is_reserved(&lower) || keep::syntax(text) || goes_on || hashed || alternatives) {
            return false;
        }
        let types = ["bit", "character", "interval", "national", "time", "timestamp"];
        self.in_type = goes_on || types.contains(&lower.as_str());
        let relations = ["from", "into", "join", "only", "table", "update"];
        let distinct = self.is_word(self.before(1), "distinct");
        let called = self.calls.last() == Some(&true);
        // FOR UPDATE names no relation, and EXTRACT (… FROM …) none either.
        let locks = self.is_word(self.before(1), "for") || self.is_word(self.before(1), "key");
        self.relation = relations.contains(&lower.as_str()) && !distinct && !called && !locks;
        self.alias = self.alias && lower == "as";
        self.columns |= text == "COLUMNS";
        self.keep(self.at);
        self.at += 1;
        true
    }

    /// `InitPlan 1`, `(SubPlan exists_1).col1`: the number and the column's stay, a name is that of the plan.
    fn subplan(&mut self, text: &str) -> bool {
        let Some(next) = self.get(self.at + 1).filter(|_| ["InitPlan", "SubPlan"].contains(&text)) else {
            return false;
        };
        let name = next.text(self.text);
        let new = match next.kind {
            TokenKind::Number if name.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
            TokenKind::Word | TokenKind::QuotedIdent => {
                self.names.name(Class::Subplan, &ident::unquote(name))
            }
            _ => return false,
        };
        self.keep(self.at);
        self.put(self.at + 1, &new);
        self.at += 2;
        let column = self.get(self.at + 2).map_or("", |token| token.text(self.text));
        let numbered = column
            .strip_prefix("col")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if self.is_punct(self.get(self.at), ")") && self.is_punct(self.get(self.at + 1), ".") && numbered {
            self.calls.pop();
            (self.at..self.at + 3).for_each(|at| self.keep(at));
            self.at += 3;
        }
        true
    }
}

/// Whether a token is a name, or could be.
fn named(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> String {
        rewrite(&mut Names::default(), text, Holds::Expression)
    }

    #[test]
    fn names_and_literals_are_replaced_and_the_rest_stays() {
        for (text, expected) in [
            ("((a.val % 2) = 0)", "((alias_1.col_1 % 1) = 2)"),
            ("(a.x = 'it''s'::text)", "(alias_1.col_1 = 's1'::text)"),
            ("\"o l\".\"qty \"\"n\"\"\"", "alias_1.col_1"),
            ("count(*)", "count(*)"),
            ("(PARTIAL sum(length(b.note)))", "(PARTIAL sum(length(alias_1.col_1)))"),
            ("public.charge(o.id, lower(o.x))", "public.function_1(alias_1.col_1, lower(alias_1.col_2))"),
            ("my.lower(o.id)", "schema_1.function_1(alias_1.col_1)"),
            ("pg_catalog.lower(o.id)", "pg_catalog.lower(alias_1.col_1)"),
            ("('paid'::public.state = o.state)", "('s1'::public.type_1 = alias_1.col_1)"),
            (
                "(x)::timestamp(3) with time zone AT TIME ZONE 'UTC'::text",
                "(col_1)::timestamp(1) with time zone AT TIME ZONE 's1'::text",
            ),
            ("'1 day'::interval day to second", "'s1'::interval day to second"),
            ("(a.n)::\"char\"", "(alias_1.col_1)::\"char\""),
            ("(c)::double precision", "(col_1)::double precision"),
            ("((InitPlan 1).col1 + $1)", "((InitPlan 1).col1 + $1)"),
            ("(ANY (a.x = (hashed SubPlan 2).col1))", "(ANY (alias_1.col_1 = (hashed SubPlan 2).col1))"),
            ("EXISTS(SubPlan exists_1)", "EXISTS(SubPlan exists_1)"),
            (
                "(alternatives: SubPlan 1 or hashed SubPlan 2)",
                "(alternatives: SubPlan 1 or hashed SubPlan 2)",
            ),
            ("EXTRACT(epoch FROM a.ts)", "EXTRACT(epoch FROM alias_1.col_1)"),
            ("(a.x IS DISTINCT FROM b.y)", "(alias_1.col_1 IS DISTINCT FROM alias_2.col_2)"),
            ("row_number() OVER w1", "row_number() OVER window_1"),
            (
                "w1 AS (PARTITION BY a.grp ORDER BY a.val ROWS UNBOUNDED PRECEDING)",
                "window_1 AS (PARTITION BY alias_1.col_1 ORDER BY alias_1.col_2 ROWS UNBOUNDED PRECEDING)",
            ),
            ("name COLLATE \"de_DE\" DESC NULLS LAST", "col_1 COLLATE collation_1 DESC NULLS LAST"),
            ("name COLLATE \"C\"", "col_1 COLLATE \"C\""),
            ("\"*VALUES*\".column1", "\"*VALUES*\".col_1"),
            ("s.*", "alias_1.*"),
            ("(a.c).f", "(alias_1.col_1).col_2"),
            ("(a.x OPERATOR(mine.+) 1.25)", "(alias_1.col_1 OPERATOR(schema_1.+) 1.5)"),
            (
                "XMLTABLE(('/r'::text) PASSING (d.x) COLUMNS i integer PATH ('.'::text), n text, s mood)",
                "XMLTABLE(('s1'::text) PASSING (alias_1.col_1) COLUMNS col_2 integer PATH ('s2'::text), col_3 text, col_4 type_1)",
            ),
            (
                "SELECT a, b FROM public.orders r1 WHERE ((status = 'x')) -- secret\nFOR UPDATE",
                "SELECT col_1, col_2 FROM public.table_1 alias_1 WHERE ((col_3 = 's1')) FOR UPDATE",
            ),
            (
                "SELECT r1.a FROM (public.orders r1 INNER JOIN crm.people r2 ON (((r1.a = r2.b))))",
                "SELECT alias_1.col_1 FROM (public.table_1 alias_1 INNER JOIN schema_1.table_2 alias_2 ON (((alias_1.col_1 = alias_2.col_2))))",
            ),
            ("(a.x = 'secret", "(alias_1.col_1 = 's1'"),
            ("(text = date)", "(col_1 = col_2)"),
            ("host=localhost dbname=prod", "col_1=col_2 col_3=col_4"),
            ("('{1,2}'::integer[])", "('s1'::integer[])"),
            ("Straße", "col_1"),
        ] {
            assert_eq!(all(text), expected, "{text}");
        }
    }

    #[test]
    fn relations_and_schemas_have_texts_of_their_own() {
        let mut names = Names::default();
        let joined = rewrite(&mut names, "(public.a) INNER JOIN (crm.b r2)", Holds::Relations);
        assert_eq!(joined, "(public.table_1) INNER JOIN (schema_1.table_2 alias_1)");
        assert_eq!(
            rewrite(&mut names, "\"$user\", public, crm", Holds::Schemas),
            "schema_2, public, schema_1"
        );
    }
}
