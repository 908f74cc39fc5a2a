//! A fingerprint for "the same statement with other values", stable across servers, majors and schemas' OIDs.
//!
//! Works on tokens, so that truncated and unparsable texts have one too. Refuses to replace the server's
//! queryid: reports carry both.

use super::token::{TokenKind, tokenize};

/// 64 bits of FNV-1a over the normalised tokens: words in lower case, constants and parameters as `?`,
/// lists of constants as one.
pub fn fingerprint(sql: &str) -> u64 {
    fnv(normalise(sql).iter().flat_map(|part| part.bytes().chain([0])))
}

/// 64 bits of FNV-1a over a text as it is.
pub fn digest(text: &str) -> u64 {
    fnv(text.bytes())
}

fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The fingerprint as the 16 hexadecimal digits that reports show.
pub fn hex(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

const CONSTANTS: &[&str] = &["true", "false", "null"];

fn normalise(sql: &str) -> Vec<String> {
    let (tokens, _) = tokenize(sql);
    let mut parts: Vec<String> = Vec::with_capacity(tokens.len());
    for token in &tokens {
        let part = match token.kind {
            // As pg_stat_statements has it: these are constants like any other.
            TokenKind::Word if CONSTANTS.iter().any(|word| token.is_word(sql, word)) => "?".to_owned(),
            TokenKind::Word => token.text(sql).to_ascii_lowercase(),
            TokenKind::String | TokenKind::Number | TokenKind::Param => "?".to_owned(),
            TokenKind::Semicolon => continue,
            _ => token.text(sql).to_owned(),
        };
        parts.push(part);
        collapse(&mut parts);
    }
    parts
}

/// `? , ?` becomes `?`, and `( ? ) , ( ? )` becomes `( ? )`: IN lists and VALUES rows of any length are one.
fn collapse(parts: &mut Vec<String>) {
    fn ends(parts: &[String], tail: &[&str]) -> bool {
        parts.len() >= tail.len() && parts[parts.len() - tail.len()..].iter().zip(tail).all(|(a, b)| a == b)
    }
    if ends(parts, &["?", ",", "?"]) {
        parts.truncate(parts.len() - 2);
    }
    if ends(parts, &["(", "?", ")", ",", "(", "?", ")"]) {
        parts.truncate(parts.len() - 4);
    }
    // `?::int, ?::int`: the second goes when its type is there.
    let tail: Vec<&str> = parts[parts.len().saturating_sub(7)..].iter().map(String::as_str).collect();
    if let ["?", "::", one, ",", "?", "::", other] = tail[..]
        && one == other
    {
        parts.truncate(parts.len() - 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_matter_and_structure_does() {
        let same = |a: &str, b: &str| assert_eq!(fingerprint(a), fingerprint(b), "{a} | {b}");
        same("select * from t where a = 1", "SELECT *\nFROM t WHERE a = $1 -- x");
        same("select f(a, true) where b is null", "select f(a, $1) where b is null");
        same("select 1 where a in (1,2,3)", "select 1 where a in ($1)");
        same("select 1 where a in ($1::int, $2::int)", "select 1 where a in ($1 /*, ... */::int)");
        same("insert into t values (1,'a'),(2,'b')", "insert into t values ($1,$2)");
        assert_ne!(fingerprint("select a from t"), fingerprint("select b from t"));
        assert_ne!(fingerprint("select \"A\""), fingerprint("select a"));
        assert_eq!(hex(1).len(), 16);
    }
}
