//! `pgproof.toml` and the rule flags.
//!
//! Refuses what it does not know: a mistyped name is an error with its place and the nearest right one.

use crate::error::{Error, Kind, Result};
use crate::finding::Severity;
use crate::gate::Budget;
use crate::rules::{Budgeted, Config, Override, pattern};
use crate::strict::{Entry, Source, Value, get};
use std::ops::Range;

/// The keys of a settings file.
const KEYS: &[&str] = &["rules", "thresholds", "paths", "budgets", "rules-from"];
/// The keys of a budget.
const LIMITS: &[&str] = &["query", "match", "buffers", "cost", "rows", "index-on"];
const SEVERITIES: &[&str] = &["off", "info", "warning", "error"];

/// Adds what the text of a settings file called `path` says.
///
/// # Errors
/// [`Kind::Config`] with the place and the nearest right name.
pub fn read(config: &mut Config, text: &str, path: &str) -> Result<()> {
    let doing = format!("read the settings in {path}");
    let source = Source::file(&doing, path, text);
    let entries = source.read()?;
    source.only(&entries, KEYS)?;
    let general = settings(&source, &entries, config)?;
    config.severity = general.severity;
    config.thresholds = general.thresholds;
    let paths = get(&entries, "paths").map_or(Ok(&[][..]), |value| source.list(value))?;
    for part in paths {
        let entries = source.entries(part)?;
        source.only(entries, &["match", "rules", "thresholds"])?;
        let glob = get(entries, "match").ok_or_else(|| {
            source.wrong(&part.span, "`match` is missing").help("match = \"reports/**/*.sql\" says where")
        })?;
        let settings = settings(&source, entries, config)?;
        config.overrides.push(Override { glob: glob_of(&source, glob)?, ..settings });
    }
    let budgets = get(&entries, "budgets").map_or(Ok(&[][..]), |value| source.list(value))?;
    for one in budgets {
        config.budgets.push(budgeted(&source, one)?);
    }
    Ok(())
}

/// One of `[[budgets]]`: for whom, and at least one limit.
fn budgeted(source: &Source, value: &Value) -> Result<Budgeted> {
    let entries = source.entries(value)?;
    source.only(entries, LIMITS)?;
    let glob = |key| get(entries, key).map(|value| glob_of(source, value)).transpose();
    let limit = |key| -> Result<Option<f64>> {
        let Some(value) = get(entries, key) else { return Ok(None) };
        match source.number(value)? {
            number if number >= 0.0 => Ok(Some(number)),
            _ => Err(source.wrong(&value.span, "a limit is no less than 0")),
        }
    };
    let (query, path) = (glob("query")?, glob("match")?);
    let tables = get(entries, "index-on").map_or(Ok(&[][..]), |value| source.list(value))?;
    let budget = Budget {
        buffers: limit("buffers")?,
        cost: limit("cost")?,
        rows: limit("rows")?,
        index_on: tables.iter().map(|table| source.text(table).map(str::to_owned)).collect::<Result<_>>()?,
        parameters: Vec::new(),
    };
    if query.is_none() && path.is_none() {
        let error = source.wrong(&value.span, "it says for which queries by neither `query` nor `match`");
        return Err(error.help("query = \"get_*\" names queries, match = \"db/queries/**\" their files"));
    }
    if budget.is_empty() {
        let error = source.wrong(&value.span, "it sets no limit");
        return Err(error.help("buffers, cost, rows and index-on are limits"));
    }
    let words = [("query", &query), ("match", &path)];
    let written: Vec<String> =
        words.iter().filter_map(|(key, glob)| Some(format!("{key} = \"{}\"", glob.as_ref()?))).collect();
    Ok(Budgeted { written: written.join(", "), query, path, budget })
}

/// The folders with the team's own rules that a settings file names, seen from its own folder. They are read before
/// [`read`], so that the names of their rules are known there.
///
/// # Errors
/// As [`read`], for this part of it.
pub fn rules_from(text: &str, path: &str) -> Result<Vec<String>> {
    let doing = format!("read the settings in {path}");
    let source = Source::file(&doing, path, text);
    let entries = source.read()?;
    let Some(table) = get(&entries, "rules-from") else { return Ok(Vec::new()) };
    let table = source.entries(table)?;
    source.only(table, &["dirs"])?;
    let dirs = get(table, "dirs").map_or(Ok(&[][..]), |value| source.list(value))?;
    dirs.iter().map(|dir| source.text(dir).map(str::to_owned)).collect()
}

fn glob_of(source: &Source, value: &Value) -> Result<glob::Pattern> {
    let text = source.text(value)?;
    pattern(text).map_err(|(at, why)| {
        // Behind the opening quote; a text with escapes has its place only as a whole.
        let written = &source.whole[value.span.clone()];
        let exact = written.get(1..).is_some_and(|rest| rest.starts_with(text));
        let start = value.span.start + 1 + text.chars().take(at).map(char::len_utf8).sum::<usize>();
        let span = if exact { start..value.span.end - 1 } else { value.span.clone() };
        source.wrong(&span, why).help("* is any part of a name, ** any number of folders, [ab] one of these")
    })
}

/// The tables `rules` and `thresholds`, which the general part and a path have alike.
fn settings(source: &Source, entries: &[Entry], config: &Config) -> Result<Override> {
    let mut settings = Override::default();
    let table = |name| get(entries, name).map_or(Ok(&[][..]), |value| source.entries(value));
    for entry in table("rules")? {
        let rule = known_rule(source, &entry.key, &entry.span, config)?;
        let word = source.text(&entry.value)?;
        let severity = severity(word)
            .ok_or_else(|| source.unknown(&entry.value.span, "severity", word, SEVERITIES.iter().copied()))?;
        settings.severity.insert(rule, severity);
    }
    for entry in table("thresholds")? {
        let rule = known_rule(source, &entry.key, &entry.span, config)?;
        let known = config.thresholds_of(&rule);
        for number in source.entries(&entry.value)? {
            if !known.contains(&number.key.as_str()) {
                let known = known.iter().copied();
                return Err(source.unknown(&number.span, "threshold", &number.key, known));
            }
            settings.thresholds.insert((rule.clone(), number.key.clone()), source.number(&number.value)?);
        }
    }
    Ok(settings)
}

fn known_rule(source: &Source, rule: &str, span: &Range<usize>, config: &Config) -> Result<String> {
    match config.knows(rule) {
        true => Ok(rule.to_owned()),
        false => {
            let (why, help) = unknown(config, rule);
            Err(source.wrong(span, why).help(help))
        }
    }
}

/// Adds what `--rule NAME=WORD` and `--only NAME` say; flags win over the file, whatever the path.
///
/// # Errors
/// [`Kind::Usage`] with the nearest right name.
pub fn add_flags(config: &mut Config, rule: &[String], only: &[String]) -> Result<()> {
    let usage = |(why, help): (String, String)| {
        Error::new(Kind::Usage, "read the rule flags").because(why).help(help)
    };
    for flag in rule {
        let (name, word) = flag.split_once('=').unwrap_or((flag, ""));
        if !config.knows(name) {
            return Err(usage(unknown(config, name)));
        }
        let severity = severity(word).ok_or_else(|| {
            let help = "write off, info, warning or error".to_owned();
            usage((format!("`{word}` is no severity for {name}"), help))
        })?;
        config.severity.insert(name.to_owned(), severity);
        for part in &mut config.overrides {
            part.severity.remove(name);
        }
    }
    for name in only {
        if !config.knows(name) {
            return Err(usage(unknown(config, name)));
        }
        config.only.push(name.clone());
    }
    Ok(())
}

fn severity(word: &str) -> Option<Option<Severity>> {
    match word {
        "off" => Some(None),
        "info" => Some(Some(Severity::Info)),
        "warning" => Some(Some(Severity::Warning)),
        "error" => Some(Some(Severity::Error)),
        _ => None,
    }
}

fn unknown(config: &Config, rule: &str) -> (String, String) {
    (
        format!("there is no rule `{rule}`"),
        format!("did you mean `{}`? `pgproof rule` lists them", config.nearest(rule)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        let mut config = Config::default();
        read(&mut config, text, "pgproof.toml").map(|()| config)
    }

    #[test]
    fn settings_are_read() {
        let config = parse(
            "[rules]\nestimate-drift = \"off\"\n[thresholds.seq-scan-discards-rows]\nmin-rows = 50_000\n\
             [[paths]]\nmatch = 'reports/**/*.sql'\nrules = { estimate-drift = 'error' }\n\
             thresholds.seq-scan-discards-rows.min-rows = 7.5\n[[paths]]\nmatch = '*.sql'\n",
        )
        .expect("settings");
        assert_eq!(config.severity["estimate-drift"], None);
        let key = ("seq-scan-discards-rows".to_owned(), "min-rows".to_owned());
        assert_eq!(config.thresholds[&key], 50_000.0);
        assert_eq!(config.overrides.len(), 2);
        assert_eq!(config.overrides[0].severity["estimate-drift"], Some(Severity::Error));
        assert_eq!(config.overrides[0].thresholds[&key], 7.5);
    }

    #[test]
    fn a_budget_is_for_names_and_paths_and_a_comment_wins() {
        let config = parse(
            "[[budgets]]\nmatch = 'db/**'\ncost = 100\nrows = 9\n[[budgets]]\nquery = 'get_*'\ncost = 10\n\
             index-on = ['orders']\n[[budgets]]\nquery = 'nobody'\ncost = 1\n",
        )
        .expect("settings");
        let mut used = std::collections::BTreeSet::new();
        let mut budget = |own, name, path: &str| config.budget(own, name, &[path], &mut used);
        let both = budget(None, Some("get_user"), "db/a.sql");
        assert_eq!((both.cost, both.rows, both.index_on.len()), (Some(10.0), Some(9.0), 1));
        let own = Budget { cost: Some(1.0), ..Budget::default() };
        assert_eq!(budget(Some(&own), None, "db/a.sql").cost, Some(1.0));
        assert!(budget(None, None, "elsewhere/a.sql").is_empty());
        assert_eq!(used.into_iter().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn flags_win_over_every_path() {
        let mut config =
            parse("[[paths]]\nmatch = '**'\nrules = { estimate-drift = 'off' }").expect("settings");
        add_flags(&mut config, &["estimate-drift=error".to_owned()], &[]).expect("flags");
        assert_eq!(config.at(Some("a.sql")).severity["estimate-drift"], Some(Severity::Error));
    }

    #[test]
    fn every_mistake_has_its_place_and_the_nearest_right_word() {
        for (text, place, help) in [
            ("[rule]\na = 1", "rule", "rules"),
            ("[rules]\nestimate-drif = \"off\"", "estimate-drif", "estimate-drift"),
            ("[rules]\nestimate-drift = \"eror\"", "\"eror\"", "error"),
            ("[rules]\nestimate-drift = 1", "1", ""),
            ("[thresholds.estimate-drift]\nmin-err = 1", "min-err", "min-error"),
            ("[thresholds.estimate-drif]\nmin-error = 1", "estimate-drif", "estimate-drift"),
            ("[thresholds.estimate-drift]\nmin-error = '1'", "'1'", ""),
            ("[[paths]]\nmatc = 'a'", "matc", "match"),
            ("[[paths]]\nrules = {}", "[[paths]]", "match ="),
            ("[[paths]]\nmatch = 'a[b'", "[b", "one of these"),
            ("[[paths]]\nmatch = 'a/b**'", "b**", "folders"),
            ("[[paths]]\nmatch = 'a'\nrules.estimate-drif = 'off'", "estimate-drif", "estimate-drift"),
            ("[[paths]]\nmatch = 'a'\nthresholds.estimate-drift.min-err = 1", "min-err", "min-error"),
            ("[[budgets]]\nquery = 'a'\ncosts = 1", "costs", "cost"),
            ("[[budgets]]\nquery = 'a'\ncost = -1", "-1", ""),
            ("[[budgets]]\nquery = 'a'\nindex-on = 'orders'", "'orders'", ""),
            ("[[budgets]]\ncost = 1", "[[budgets]]", "match ="),
            ("[[budgets]]\nquery = 'a'", "[[budgets]]", "buffers"),
            ("[rules", "", ""),
            ("[rules-form]\ndirs = []", "rules-form", "rules-from"),
        ] {
            let error = parse(text).expect_err(text);
            let excerpt = error.excerpt().unwrap_or_else(|| panic!("{text}: no place"));
            assert_eq!(&excerpt.text[excerpt.start..excerpt.end], place, "{text}");
            assert!(error.advice().unwrap_or_default().contains(help), "{text}: {:?}", error.advice());
        }
    }
}
