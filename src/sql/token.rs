//! PostgreSQL's lexical rules: tokens with byte spans, for texts that may not be valid SQL.
//!
//! Refuses to know grammar. Follows the server's scanner for quotes, dollar quotes, nested comments and
//! operators, with `standard_conforming_strings = on`.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted word: keyword or identifier.
    Word,
    /// `"quoted"`.
    QuotedIdent,
    /// `'…'`, `E'…'`, `B'…'`, `X'…'`, `U&'…'`, `$tag$…$tag$`.
    String,
    Number,
    /// `$1`.
    Param,
    /// A run of operator characters.
    Operator,
    /// One of `( ) [ ] , . : ::`.
    Punct,
    Semicolon,
}

/// A token: its kind and where it stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

/// A text that ends inside a quote or comment, or holds a NUL byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LexError {
    /// Where the quote, comment or bad byte starts.
    pub at: usize,
    /// What is wrong, in a few words.
    pub what: &'static str,
}

impl Token {
    /// The token's text.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    /// Whether this is the unquoted word `word`, in any case.
    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// Whether this is the punctuation `mark`.
    pub fn is_punct(&self, sql: &str, mark: &str) -> bool {
        self.kind == TokenKind::Punct && self.text(sql) == mark
    }
}

/// Splits `sql` into tokens; white space and comments are dropped.
///
/// # Errors
/// With the tokens before it, the place of an unfinished quote or comment, or of a NUL byte.
pub fn tokenize(sql: &str) -> (Vec<Token>, Option<LexError>) {
    scan(sql, &mut Vec::new())
}

/// [`tokenize`], with the bytes of each comment, its marks included, added to `comments`.
pub fn scan(sql: &str, comments: &mut Vec<Range<usize>>) -> (Vec<Token>, Option<LexError>) {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let rest = &bytes[at..];
        let kind = match bytes[at] {
            0 => return (tokens, Some(LexError { at, what: "a NUL byte cannot be sent to PostgreSQL" })),
            b if b.is_ascii_whitespace() || b == 0x0b => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with(b"--") => {
                at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                comments.push(start..at);
                continue;
            }
            b'/' if rest.starts_with(b"/*") => {
                let Some(len) = comment_len(rest) else {
                    return (tokens, Some(LexError { at, what: "this comment is never closed" }));
                };
                at += len;
                comments.push(start..at);
                continue;
            }
            b'\'' => {
                let Some(len) = quoted_len(rest, b'\'', false) else {
                    return (tokens, Some(LexError { at, what: "this quote is never closed" }));
                };
                at += len;
                TokenKind::String
            }
            b'"' => {
                let Some(len) = quoted_len(rest, b'"', false) else {
                    return (tokens, Some(LexError { at, what: "this quoted name is never closed" }));
                };
                at += len;
                TokenKind::QuotedIdent
            }
            b'$' if rest.get(1).is_some_and(u8::is_ascii_digit) => {
                at += 1 + rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
                TokenKind::Param
            }
            b'$' => match dollar_len(sql, at) {
                Dollar::Closed(len) => {
                    at += len;
                    TokenKind::String
                }
                Dollar::Open => {
                    return (tokens, Some(LexError { at, what: "this dollar quote is never closed" }));
                }
                Dollar::No => {
                    at += 1;
                    TokenKind::Operator
                }
            },
            b'0'..=b'9' => {
                at += number_len(rest);
                TokenKind::Number
            }
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => {
                at += number_len(rest);
                TokenKind::Number
            }
            b';' => {
                at += 1;
                TokenKind::Semicolon
            }
            b':' if rest.starts_with(b"::") => {
                at += 2;
                TokenKind::Punct
            }
            b'(' | b')' | b'[' | b']' | b',' | b'.' | b':' => {
                at += 1;
                TokenKind::Punct
            }
            b if is_ident_start(b) => match prefixed_string(rest) {
                Some((prefix, escapes)) => {
                    let Some(len) = quoted_len(&rest[prefix..], rest[prefix], escapes) else {
                        return (tokens, Some(LexError { at, what: "this quote is never closed" }));
                    };
                    at += prefix + len;
                    if rest[prefix] == b'"' { TokenKind::QuotedIdent } else { TokenKind::String }
                }
                None => {
                    at += rest.iter().take_while(|&&b| is_ident_continue(b)).count();
                    TokenKind::Word
                }
            },
            b if is_operator(b) => {
                at += operator_len(rest);
                TokenKind::Operator
            }
            _ => {
                at += 1;
                TokenKind::Operator
            }
        };
        tokens.push(Token { kind, start, end: at });
    }
    (tokens, None)
}

fn is_ident_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn is_ident_continue(b: u8) -> bool {
    is_ident_start(b) || b.is_ascii_digit() || b == b'$'
}

fn is_operator(b: u8) -> bool {
    b"+-*/<>=~!@#%^&|`?".contains(&b)
}

/// An operator ends where a comment starts.
fn operator_len(rest: &[u8]) -> usize {
    let run = rest.iter().take_while(|&&b| is_operator(b)).count();
    (1..run).find(|&i| rest[i..].starts_with(b"--") || rest[i..].starts_with(b"/*")).unwrap_or(run)
}

fn number_len(rest: &[u8]) -> usize {
    let mut len = 0;
    while len < rest.len() {
        match rest[len] {
            b'0'..=b'9' | b'_' | b'a'..=b'd' | b'f'..=b'z' | b'A'..=b'D' | b'F'..=b'Z' => len += 1,
            // `1..10` is two dots, not a number that goes on.
            b'.' if rest.get(len + 1) != Some(&b'.') => len += 1,
            b'e' | b'E' => {
                len += 1;
                if matches!(rest.get(len), Some(b'+' | b'-'))
                    && rest.get(len + 1).is_some_and(u8::is_ascii_digit)
                {
                    len += 1;
                }
            }
            _ => break,
        }
    }
    len
}

/// Length of the prefix before a quote, and whether backslashes escape.
fn prefixed_string(rest: &[u8]) -> Option<(usize, bool)> {
    match rest {
        [b'e' | b'E', b'\'', ..] => Some((1, true)),
        [b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', ..] => Some((1, false)),
        [b'u' | b'U', b'&', b'\'' | b'"', ..] => Some((2, false)),
        _ => None,
    }
}

/// Length of a quoted run that starts at `rest[0] == quote`; a doubled quote stays inside.
fn quoted_len(rest: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            0 => return None,
            b'\\' if escapes => at += 2,
            b if b == quote && rest.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

fn comment_len(rest: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

enum Dollar {
    Closed(usize),
    Open,
    No,
}

fn dollar_len(sql: &str, at: usize) -> Dollar {
    let rest = &sql.as_bytes()[at..];
    let tag = rest[1..].iter().take_while(|&&b| is_ident_continue(b) && b != b'$').count();
    if rest.get(1 + tag) != Some(&b'$') {
        return Dollar::No;
    }
    let open = 2 + tag;
    match sql[at + open..].find(&sql[at..at + open]) {
        Some(close) => Dollar::Closed(open + close + open),
        None => Dollar::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        let (tokens, error) = tokenize(sql);
        assert_eq!(error, None, "{sql}");
        tokens.iter().map(|t| t.text(sql)).collect()
    }

    #[test]
    fn tokens_follow_the_servers_scanner() {
        assert_eq!(texts("select 'a''b;' ; -- x"), ["select", "'a''b;'", ";"]);
        assert_eq!(texts(r"E'a\';' || U&'d' x"), [r"E'a\';'", "||", "U&'d'", "x"]);
        assert_eq!(texts("$a$ ; $b$ $a$ + $1"), ["$a$ ; $b$ $a$", "+", "$1"]);
        assert_eq!(texts("a /* b /* c */ d */ e"), ["a", "e"]);
        assert_eq!(texts("a::int[1.5]<=-1e-3"), ["a", "::", "int", "[", "1.5", "]", "<=-", "1e-3"]);
        assert_eq!(texts("a*/*x*/b"), ["a", "*", "b"]);
        assert_eq!(texts("\"Ord\"\"er;\".naïve"), ["\"Ord\"\"er;\"", ".", "naïve"]);
        assert_eq!(texts("1..2"), ["1", ".", ".2"]);
    }

    #[test]
    fn what_is_never_closed_is_named_with_its_place() {
        for (sql, at) in [("a 'b", 2), ("a \"b", 2), ("a $$b", 2), ("a /* b", 2), ("a\0", 1), ("E'\\'", 0)] {
            assert_eq!(tokenize(sql).1.map(|e| e.at), Some(at), "{sql:?}");
        }
    }
}
