//! Comments of a text, and which statement each belongs to.
//!
//! Refuses to read what they say.

use super::statement::Piece;
use super::token::{Token, TokenKind, scan};
use std::ops::Range;

/// A comment, its marks included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment<'a> {
    pub text: &'a str,
    /// Byte offset of `text` in the whole.
    pub start: usize,
    /// Line of its first character, counted from 1.
    pub line: usize,
}

/// Every comment of a text, in order; those before a quote or comment that is never closed, where there is one.
pub fn comments(sql: &str) -> Vec<Comment<'_>> {
    let mut ranges = Vec::new();
    let _ = scan(sql, &mut ranges);
    placed(sql, ranges).collect()
}

fn placed(sql: &str, ranges: Vec<Range<usize>>) -> impl Iterator<Item = Comment<'_>> {
    let (mut line, mut counted) = (1, 0);
    ranges.into_iter().map(move |range| {
        line += sql[counted..range.start].matches('\n').count();
        counted = range.start;
        Comment { text: &sql[range.clone()], start: range.start, line }
    })
}

/// Gives every comment to its statement: to the one that follows, but what stands behind a statement on its last
/// line, or behind all statements, belongs to the one before.
pub(super) fn assign<'a>(
    sql: &'a str,
    tokens: &[Token],
    ranges: Vec<Range<usize>>,
    pieces: &mut [Piece<'a>],
) {
    let Some(last) = pieces.len().checked_sub(1) else { return };
    // The first piece that ends behind the comment, and the first token that starts behind it.
    let (mut piece, mut token) = (0, 0);
    for comment in placed(sql, ranges) {
        let end = comment.start + comment.text.len();
        while piece < last && pieces[piece].start + pieces[piece].text.len() < end {
            piece += 1;
        }
        while tokens.get(token).is_some_and(|t| t.start < end) {
            token += 1;
        }
        let before = token.checked_sub(1).map(|t| tokens[t]);
        let next = tokens.get(token);
        let unfinished = before.is_some_and(|t| t.kind != TokenKind::Semicolon)
            && next.is_some_and(|t| t.kind == TokenKind::Semicolon);
        let on_its_line = before.is_some_and(|t| !sql[t.end..comment.start].contains('\n'))
            && next.is_none_or(|t| sql[end..t.start].contains('\n'));
        let behind = piece > 0 && comment.start < pieces[piece].start && (unfinished || on_its_line);
        pieces[if behind { piece - 1 } else { piece }].comments.push(comment);
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::split;

    fn belong(sql: &str) -> Vec<Vec<&str>> {
        let pieces = split(sql).expect("SQL");
        pieces.iter().map(|piece| piece.comments.iter().map(|c| c.text).collect()).collect()
    }

    #[test]
    fn a_comment_belongs_to_the_statement_that_people_mean() {
        assert_eq!(belong("-- a\n/* b */ select 1 -- c\n, 2 -- d"), [["-- a", "/* b */", "-- c", "-- d"]]);
        assert_eq!(
            belong("select 1; -- a\n-- b\nselect 2; -- c\n-- d"),
            [vec!["-- a"], vec!["-- b", "-- c", "-- d"]]
        );
        assert_eq!(belong("select 1; /* a */ select 2"), [vec![], vec!["/* a */"]]);
        assert_eq!(belong("select 1 /* a */;\n/* b */; select 2"), [vec!["/* a */"], vec!["/* b */"]]);
        assert_eq!(belong("select '-- a'; select $$/* b */$$"), [Vec::<&str>::new(), vec![]]);
        assert_eq!(belong("-- nothing"), Vec::<Vec<&str>>::new());
    }

    #[test]
    fn a_comment_knows_its_line() {
        let pieces = split("\n-- a\nselect 1 /* b\n*/; -- c").expect("SQL");
        let lines: Vec<usize> = pieces[0].comments.iter().map(|c| c.line).collect();
        assert_eq!((lines, pieces[0].line), (vec![2, 3, 4], 3));
    }
}
