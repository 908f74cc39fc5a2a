//! What Flyway puts in place of `${name}` before it runs a file.
//!
//! Refuses to guess a value that nobody gave.

use super::{File, Framework};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;

/// Those that Flyway fills by itself, as it would on an empty database of ours.
const OWN: [(&str, &str); 6] = [
    ("flyway:defaultSchema", "public"),
    ("flyway:database", "production"),
    ("flyway:user", "postgres"),
    ("flyway:table", "flyway_schema_history"),
    ("flyway:timestamp", "2000-01-01 00:00:00"),
    ("flyway:workingDirectory", "."),
];

/// Puts values in place of placeholders, where the framework has them.
///
/// # Errors
/// [`Kind::Input`] with file and line for one without a value.
pub fn fill(files: &mut [File], framework: Framework, given: &BTreeMap<String, String>) -> Result<()> {
    if framework != Framework::Flyway {
        return Ok(());
    }
    let off = |conf: &File| {
        conf.text.lines().any(|line| {
            let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
            line.eq_ignore_ascii_case("placeholderReplacement=false")
        })
    };
    let left: Vec<String> = files
        .iter()
        .filter(|file| off(file))
        .filter_map(|file| file.path.strip_suffix(".conf").map(str::to_owned))
        .collect();
    for file in files.iter_mut().filter(|file| file.name.ends_with(".sql") && !left.contains(&file.path)) {
        if file.text.contains("${") {
            file.text = filled(file, given)?;
        }
    }
    Ok(())
}

fn filled(file: &File, given: &BTreeMap<String, String>) -> Result<String> {
    let text = &file.text;
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find("${").map(|found| at + found) {
        out.push_str(&text[at..found]);
        let line = &text[text[..found].rfind('\n').map_or(0, |end| end + 1)..];
        let end = text[found..].find('}').map(|end| found + end);
        let name = end.map(|end| &text[found + 2..end]).filter(|name| !name.contains(char::is_whitespace));
        let value = name.and_then(|name| match name {
            "flyway:filename" => Some(super::framework::base(&file.name)),
            _ => {
                let own = || OWN.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
                given.get(name).map(String::as_str).or_else(own)
            }
        });
        match (name, value) {
            (Some(name), Some(value)) => {
                out.push_str(value);
                at = found + name.len() + 3;
            }
            (Some(name), None) if !line[..found - (text.len() - line.len())].contains("--") => {
                let number = text[..found].matches('\n').count() + 1;
                return Err(Error::new(Kind::Input, format!("read the migration {}", file.path))
                    .because(format!("line {number}: Flyway's placeholder ${{{name}}} has no value here"))
                    .help(format!("give it one: --placeholder {name}=VALUE")));
            }
            _ => {
                out.push_str("${");
                at = found + 2;
            }
        }
    }
    out.push_str(&text[at..]);
    Ok(out)
}
