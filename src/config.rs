//! `pgproof.toml` and the rule flags.
//!
//! Refuses what it does not know: a mistyped name is an error with the nearest right one.

use crate::error::{Error, Excerpt, Kind, Result};
use crate::finding::Severity;
use crate::rules::{self, Config};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rules: BTreeMap<String, String>,
    #[serde(default)]
    thresholds: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Reads the text of a settings file called `path`.
///
/// # Errors
/// [`Kind::Config`] with the place, or with the nearest right name.
pub fn parse(text: &str, path: &str) -> Result<Config> {
    let doing = || format!("read the settings in {path}");
    let file: File = toml::from_str(text).map_err(|e| {
        let error = Error::new(Kind::Config, doing());
        match e.span() {
            Some(span) => error.at(Excerpt {
                origin: path.to_owned(),
                first_line: 1,
                text: text.to_owned(),
                start: span.start,
                end: span.end,
                label: e.message().to_owned(),
            }),
            None => error.because(e.message().to_owned()),
        }
    })?;
    let mut config = Config::default();
    for (rule, word) in file.rules {
        set(&mut config, &rule, &word)
            .map_err(|(why, help)| Error::new(Kind::Config, doing()).because(why).help(help))?;
    }
    for (rule, values) in file.thresholds {
        let spec = rules::find(&rule).ok_or_else(|| {
            let (why, help) = unknown(&rule);
            Error::new(Kind::Config, doing()).because(why).help(help)
        })?;
        for (name, value) in values {
            if !spec.thresholds.iter().any(|t| t.name == name) {
                let known: Vec<&str> = spec.thresholds.iter().map(|t| t.name).collect();
                return Err(Error::new(Kind::Config, doing())
                    .because(format!("{rule} has no threshold `{name}`"))
                    .help(format!("it has: {}", known.join(", "))));
            }
            config.thresholds.insert((rule.clone(), name), value);
        }
    }
    Ok(config)
}

/// Adds what `--rule NAME=WORD` and `--only NAME` say; flags win over the file.
///
/// # Errors
/// [`Kind::Usage`] with the nearest right name.
pub fn add_flags(config: &mut Config, rule: &[String], only: &[String]) -> Result<()> {
    let usage = |(why, help): (String, String)| {
        Error::new(Kind::Usage, "read the rule flags").because(why).help(help)
    };
    for flag in rule {
        let (name, word) = flag.split_once('=').unwrap_or((flag, ""));
        set(config, name, word).map_err(usage)?;
    }
    for name in only {
        if rules::find(name).is_none() {
            return Err(usage(unknown(name)));
        }
        config.only.push(name.clone());
    }
    Ok(())
}

fn set(config: &mut Config, rule: &str, word: &str) -> std::result::Result<(), (String, String)> {
    if rules::find(rule).is_none() {
        return Err(unknown(rule));
    }
    let severity = match word {
        "off" => None,
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "error" => Some(Severity::Error),
        _ => {
            return Err((
                format!("`{word}` is no severity for {rule}"),
                "write off, info, warning or error".to_owned(),
            ));
        }
    };
    config.severity.insert(rule.to_owned(), severity);
    Ok(())
}

fn unknown(rule: &str) -> (String, String) {
    (
        format!("there is no rule `{rule}`"),
        format!("did you mean `{}`? `pgproof rule` lists them", rules::nearest(rule)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_mistakes_named() {
        let config = parse(
            "[rules]\nestimate-drift = \"off\"\n[thresholds.seq-scan-discards-rows]\nmin-rows = 5",
            "x",
        )
        .unwrap();
        assert_eq!(config.severity["estimate-drift"], None);
        assert_eq!(config.thresholds[&("seq-scan-discards-rows".to_owned(), "min-rows".to_owned())], 5.0);
        for (text, word) in [
            ("[rules]\nestimate-drif = \"off\"", "estimate-drift"),
            ("[rules]\nestimate-drift = \"loud\"", "warning"),
            ("[thresholds.estimate-drift]\nmin-err = 1", "min-error"),
        ] {
            let error = parse(text, "pgproof.toml").unwrap_err();
            assert!(error.advice().unwrap().contains(word), "{text}: {:?}", error.advice());
        }
        let error = parse("[rule]\na = 1", "pgproof.toml").unwrap_err();
        assert!(error.excerpt().is_some());
    }
}
