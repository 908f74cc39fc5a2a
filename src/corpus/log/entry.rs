//! The statement in a message of the server.
//!
//! Refuses to read plans: auto_explain's entries are read for their `Query Text` alone.

use std::borrow::Cow;

/// The statement that a message tells of, or that it was cut before its end; `None` for a message about something else,
/// about parsing or binding, or with a duration alone.
pub(super) fn statement(message: &str) -> Option<Result<Cow<'_, str>, &'static str>> {
    let rest = match message.strip_prefix("duration: ") {
        Some(rest) => {
            let (number, rest) = rest.split_once(" ms")?;
            number.parse::<f64>().ok()?;
            rest.trim_start_matches(' ')
        }
        None => message,
    };
    if let Some(plan) = rest.strip_prefix("plan:").filter(|_| rest.len() < message.len()) {
        return Some(explained(plan.trim_start()));
    }
    let text = match rest.strip_prefix("statement: ") {
        Some(text) => text,
        // `execute S_1: `, `execute <unnamed>: `, `execute fetch from S_1/C_1: `
        None => rest.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    Some(Ok(Cow::Borrowed(text)))
}

/// The `Query Text` of what auto_explain prints, in any notation of EXPLAIN.
fn explained(plan: &str) -> Result<Cow<'_, str>, &'static str> {
    const CUT: &str = "this entry of auto_explain ends before its plan";
    if let Some(xml) = plan.split_once("<Query-Text>") {
        let (text, _) = xml.1.split_once("</Query-Text>").ok_or(CUT)?;
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        return Ok(Cow::Owned(text.replace("&#x0d;", "\r").replace("&amp;", "&")));
    }
    let written = ["\"Query Text\":", "Query Text:"]
        .iter()
        .filter_map(|key| plan.split_once(key))
        .min_by_key(|(before, _)| before.len());
    let Some((_, text)) = written else { return Err("this entry of auto_explain holds no query text") };
    let text = text.trim_start_matches(' ');
    // JSON and YAML quote; no statement begins so.
    if text.starts_with('"') {
        let first = serde_json::Deserializer::from_str(text).into_iter::<String>().next();
        return first.and_then(Result::ok).map(Cow::Owned).ok_or(CUT);
    }
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if end > 0 && (line.contains("  (cost=") || line.starts_with("Query Parameters: ")) {
            return Ok(Cow::Borrowed(text[..end].trim_end()));
        }
        end += line.len();
    }
    Err(CUT)
}
