//! The further lines of a log's entry, behind what a container or syslog puts in front of each.
//!
//! Refuses to know where an entry begins.

use super::line::indent;

/// How many bytes in front of the tab of `line` repeat the way `header` begins: a container's name, a host.
pub(crate) fn shared_prefix(header: &str, line: &str) -> usize {
    let Some(tab) = line.find('\t') else { return 0 };
    let same = header.bytes().zip(line.bytes()).take_while(|(a, b)| a == b).count();
    // syslog counts the parts of a message in the prefix: `[5-2]`.
    let counted = line[..tab].trim_end().ends_with(']');
    if tab > 0 && (same >= tab || (counted && same * 2 > tab)) { tab } else { 0 }
}

/// The inside of a continuation line; `None` where the entry has ended.
pub(crate) fn behind(line: &str, prefix: usize) -> Option<&str> {
    if prefix > 0 {
        // The prefix may differ in its digits (`[5-10]`): the tab is what counts.
        let tab = line.bytes().take(prefix + 4).position(|byte| byte == b'\t')?;
        return Some(&line[tab + 1..]);
    }
    match line.as_bytes().first() {
        Some(b'\t') => Some(&line[1..]),
        Some(b' ') if indent(line) > 0 => Some(line),
        None | Some(b'\r') => Some(""),
        _ => None,
    }
}
