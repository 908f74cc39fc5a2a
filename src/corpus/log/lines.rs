//! Entries that are lines: stderr behind any prefix, syslog with its counters, and what loggers wrap in JSON.

use super::{Damage, Message};
use crate::plan::continuation;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;

/// What stands before `:  ` in a line that begins an entry, or a part of one.
pub(super) const SEVERITIES: &[&str] = &[
    "LOG",
    "ERROR",
    "FATAL",
    "PANIC",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
    "DEBUG1",
    "DEBUG2",
    "DEBUG3",
    "DEBUG4",
    "DEBUG5",
    "DETAIL",
    "HINT",
    "CONTEXT",
    "STATEMENT",
    "QUERY",
    "LOCATION",
    "BACKTRACE",
];

type Take<'a> = &'a mut dyn FnMut(Message) -> Result<(), Damage>;

/// Whether a line begins an entry. Neither a comment nor a value of a program's or a schema's text does.
pub(super) fn begins(line: &str) -> bool {
    let inside = line.starts_with([' ', '\t']) || ["#", "//", "{"].iter().any(|c| line.starts_with(c));
    !inside && headed(line).is_some_and(|(prefix, _, _)| !prefix.contains(['\'', '`']))
}

/// The prefix of a line, its severity, and what follows.
fn headed(line: &str) -> Option<(&str, &'static str, &str)> {
    line.match_indices(":  ").find_map(|(at, mark)| {
        let before = &line[..at];
        let severity = SEVERITIES.iter().find(|severity| before.ends_with(**severity))?;
        Some((&before[..at - severity.len()], *severity, &line[at + mark.len()..]))
    })
}

/// `00000: ` in front of a message is there when log_error_verbosity is verbose.
fn without_state(message: &str) -> &str {
    let code = message.split_once(": ").map_or("", |(code, _)| code);
    let state = code.len() == 5 && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if state { &message[code.len() + 2..] } else { message }
}

/// Gives each message of severity LOG on stderr or in syslog.
pub(super) fn plain(text: &str, take: Take) -> Result<(), Damage> {
    let mut open = Open::default();
    for (at, line) in text.lines().enumerate() {
        open.line(at + 1, line, take)?;
    }
    open.finish(take)
}

/// An entry whose end was not seen yet.
struct Entry {
    message: Message,
    /// The line that began it, up to the severity.
    prefix: String,
    /// How many bytes each of its further lines repeats of it, where that is known.
    shared: Option<usize>,
}

#[derive(Default)]
struct Open {
    /// Without syslog's counters.
    last: Option<Entry>,
    /// By process, with the number that syslog's counters give to the message: those of several processes may be mixed.
    counted: HashMap<String, (String, Option<Entry>)>,
    /// The process whose line was the last one.
    process: Option<String>,
}

impl Open {
    fn line(&mut self, number: usize, raw: &str, take: Take) -> Result<(), Damage> {
        let line = unescaped(raw);
        // A server's own line feed is followed by a tab.
        if let Some(rest) = line.strip_prefix('\t') {
            if let Some(entry) = self.current() {
                entry.go_on(number, rest, true);
            }
            return Ok(());
        }
        // Nor does it write an empty line: an editor has taken the tab away.
        if line.is_empty() {
            if let Some(entry) = self.current() {
                entry.message.text.push('\n');
            }
            return Ok(());
        }
        if let Some(Counted { process, message, part, content }) = counted(&line) {
            self.process = Some(process.to_owned());
            let head = headed(content);
            if part == "1" {
                let entry = head.and_then(|head| Entry::new(number, &line, head));
                let ended = self.counted.insert(process.to_owned(), (message.to_owned(), entry));
                return ended.and_then(|(_, entry)| entry).map_or(Ok(()), |entry| take(entry.message));
            }
            let Some((known, entry)) = self.counted.get_mut(process) else { return Ok(()) };
            match content.strip_prefix('\t') {
                // DETAIL and its kin are of the same message, but none of the statement.
                None if head.is_some() => {
                    return entry.take().map_or(Ok(()), |entry| take(entry.message));
                }
                // A part without a tab goes on where a long line was cut.
                inside => {
                    if let Some(entry) = entry.as_mut().filter(|_| known == message) {
                        entry.go_on(number, inside.unwrap_or(content), inside.is_some());
                    }
                }
            }
            return Ok(());
        }
        let head = headed(&line);
        if head.is_none()
            && let Some(entry) = self.current()
        {
            let shared =
                *entry.shared.get_or_insert_with(|| continuation::shared_prefix(&entry.prefix, &line));
            if shared > 0
                && let Some(inside) = continuation::behind(&line, shared)
            {
                entry.go_on(number, inside, true);
                return Ok(());
            }
        }
        self.process = None;
        let ended = std::mem::replace(&mut self.last, head.and_then(|head| Entry::new(number, &line, head)));
        ended.map_or(Ok(()), |entry| take(entry.message))
    }

    fn current(&mut self) -> Option<&mut Entry> {
        match &self.process {
            Some(process) => self.counted.get_mut(process).and_then(|(_, entry)| entry.as_mut()),
            None => self.last.as_mut(),
        }
    }

    fn finish(self, take: Take) -> Result<(), Damage> {
        let mut rest: Vec<Entry> = self.counted.into_values().filter_map(|(_, entry)| entry).collect();
        rest.extend(self.last);
        rest.sort_by_key(|entry| entry.message.line);
        rest.into_iter().try_for_each(|entry| take(entry.message))
    }
}

impl Entry {
    fn new(number: usize, line: &str, (_, severity, text): (&str, &str, &str)) -> Option<Entry> {
        let prefix = &line[..line.len() - text.len() - severity.len()];
        (severity == "LOG").then(|| Entry {
            message: Message { text: without_state(text).to_owned(), line: number, end_line: number },
            prefix: prefix.to_owned(),
            shared: None,
        })
    }

    fn go_on(&mut self, line: usize, text: &str, new_line: bool) {
        if new_line {
            self.message.text.push('\n');
        }
        self.message.text.push_str(text);
        self.message.end_line = line;
    }
}

/// syslog writes a line feed as `#012` and a tab as `#011`, behind the `]: ` or `: ` of its own prefix.
fn unescaped(line: &str) -> Cow<'_, str> {
    let escaped = |mark: &str| line.find(mark).is_some_and(|at| line[..at].contains(": "));
    if !escaped("#011") && !escaped("#012") {
        return Cow::Borrowed(line.trim_end_matches('\r'));
    }
    let line = line.replace("#012#011", "\n").replace("#012", "\n").replace("#011", "\t");
    Cow::Owned(line.trim_end().to_owned())
}

struct Counted<'a> {
    process: &'a str,
    message: &'a str,
    part: &'a str,
    content: &'a str,
}

/// `… postgres[4711]: [5-2] SELECT`, as syslog and a prefix such as `%t [%p]: [%l-1] ` have it.
fn counted(line: &str) -> Option<Counted<'_>> {
    let (before, rest) = line.split_once("]: [")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (numbers, content) = rest.split_once("] ")?;
    let (message, part) = numbers.split_once('-')?;
    let process = before.rsplit(' ').next().filter(|process| process.contains('['))?;
    (digits(message) && digits(part)).then_some(Counted { process, message, part, content })
}

/// A line of jsonlog, or what a logger made of a line.
#[derive(Deserialize)]
pub(super) struct Wrapped {
    error_severity: Option<String>,
    message: Option<String>,
    /// CloudNativePG: the columns of csvlog by name.
    record: Option<Box<Wrapped>>,
    /// Cloud SQL, Docker.
    #[serde(alias = "textPayload")]
    log: Option<String>,
}

/// What a logger wrote as one line; `None` where it is another object.
pub(super) fn wrapped(line: &str) -> Option<Wrapped> {
    if !line.starts_with('{') {
        return None;
    }
    let wrapped: Wrapped = serde_json::from_str(line).ok()?;
    let inner = wrapped.record.as_deref().unwrap_or(&wrapped);
    let whole = inner.error_severity.is_some() && inner.message.is_some();
    let lined = inner.log.as_deref().is_some_and(|log| log.lines().next().is_some_and(begins));
    (whole || lined).then_some(wrapped)
}

/// Gives each message of severity LOG of a file with an object per line.
pub(super) fn json(text: &str, take: Take) -> Result<(), Damage> {
    let mut open = Open::default();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = line.trim();
        if !line.starts_with('{') {
            if line.is_empty() {
                continue;
            }
            return Err(Damage { line: number, why: "no JSON object begins here".to_owned() });
        }
        let read: Wrapped = serde_json::from_str(line).map_err(|e| Damage {
            line: number,
            why: format!("the JSON object of this line is not whole: {e}"),
        })?;
        let inner = read.record.map_or_else(|| Wrapped { record: None, ..read }, |record| *record);
        match inner {
            Wrapped { error_severity: Some(severity), message: Some(text), .. } if severity == "LOG" => {
                take(Message { text, line: number, end_line: number })?;
            }
            Wrapped { log: Some(log), .. } => {
                log.lines().try_for_each(|line| open.line(number, line, take))?;
            }
            _ => {}
        }
    }
    open.finish(take)
}
