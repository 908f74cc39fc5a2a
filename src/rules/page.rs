//! A rule's page, taken apart into the cases that the tests run.
//!
//! Refuses to run them. The form is fixed: headings in order, fenced blocks with an info string.

use super::Config;

/// The sections every page has, in this order.
const SECTIONS: &[&str] = &["Why it matters", "When it stays silent", "Thresholds", "Cases", "References"];

/// A page's executable part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    pub cases: Vec<Case>,
}

/// One case: set up, ask, compare.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Case {
    pub name: String,
    /// ```` ```sql setup ````
    pub setup: String,
    /// ```` ```sql query ````; empty where the case is about the database or its workload.
    pub query: String,
    /// ```` ```sql call 200 ````: a statement, prepared and executed so often, with `$1` counting from 1.
    pub calls: Vec<(u32, String)>,
    /// ```` ```sql migration ````: the text of a new migration, in order; the setup is the schema before.
    pub migrations: Vec<String>,
    /// The files' names: ```` ```sql migration V2__b.sql ````; numbered where a block gives none.
    pub names: Vec<String>,
    /// ```` ```sql base V1__a.sql ````: a migration that the base has already.
    pub bases: Vec<(String, String)>,
    /// ```` ```sql gone V1__a.sql ````: one that the base has, and head has no more.
    pub gone: Vec<(String, String)>,
    /// ```` ```sql beside ````: statements of a session that stays open while the rules look.
    pub beside: String,
    /// ```` ```sql queries ````: what is planned before and after the migrations, with the setup's sizes and statistics.
    pub queries: Vec<String>,
    /// ```` ```sql fix ````: what to run so that the finding goes, where that is not the proposal itself.
    pub fix: Option<String>,
    /// `finding: RULE at NODE` lines; empty with `finding: none`.
    pub findings: Vec<(String, String)>,
    /// `node: LABEL` lines: nodes that the plan must contain, so that silence is about something.
    pub nodes: Vec<String>,
    /// `proposal: SQL` lines: every `apply` line of every proposal, exactly. `12..16` stands for a number between
    /// these, where majors need different amounts of memory.
    pub proposals: Vec<String>,
    /// `option: NAME=VALUE` lines, of which the names are [`OPTIONS`].
    pub options: Vec<(String, String)>,
    /// Rules that are off, which no page says: those that speak of the servers that the tests start.
    pub off: Vec<String>,
}

/// What a case may ask for: a flag of `pgproof explain` (`allow-writes=yes` for the one without a value) or of
/// `pgproof check` (`framework=sqlx`), a setting
/// of the session (`work_mem=1MB`) or of the server (`server=autovacuum=on`), the first and the last major that it is about, a threshold of a rule
/// (`threshold=unused-index.window-days=0`).
pub const OPTIONS: &[&str] =
    &["allow-writes", "analyze", "framework", "param", "server", "setting", "since", "threshold", "until"];

impl Case {
    /// The values of an option, in order.
    pub fn option<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// What the server has to be started with.
    pub fn server(&self) -> Vec<(&str, &str)> {
        self.option("server").filter_map(|setting| setting.split_once('=')).collect()
    }

    /// What the case asks of the rules: its thresholds.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.severity.extend(self.off.iter().map(|rule| (rule.clone(), None)));
        for value in self.option("threshold") {
            let parts = value
                .rsplit_once('=')
                .and_then(|(name, number)| Some((name.split_once('.')?, number.parse().ok()?)));
            if let Some(((rule, name), number)) = parts {
                config.thresholds.insert((rule.to_owned(), name.to_owned()), number);
            }
        }
        config
    }

    /// The same as `pgproof.toml`.
    pub fn settings(&self) -> String {
        let off = self.off.iter().map(|rule| format!("rules.{rule} = \"off\"\n"));
        let sections = self.config().thresholds.into_iter();
        let sections =
            sections.map(|((rule, name), number)| format!("[thresholds.{rule}]\n{name} = {number}\n"));
        off.chain(sections).collect()
    }

    /// Whether this case is about that major.
    pub fn covers(&self, major: u32) -> bool {
        let number = |name| self.option(name).filter_map(|v| v.parse::<u32>().ok()).next();
        number("since").is_none_or(|m| major >= m) && number("until").is_none_or(|m| major <= m)
    }
}

/// Reads a page.
///
/// # Errors
/// A sentence that says which section, case or line is wrong.
pub fn parse(text: &str) -> Result<Page, String> {
    let mut page = Page::default();
    let mut sections = Vec::new();
    let mut block: Option<(String, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut block, line) {
            (Some((info, body)), "```") => {
                let (info, body) = (std::mem::take(info), std::mem::take(body));
                block = None;
                let case = page.cases.last_mut();
                fill(case, &info, &body).map_err(|e| format!("line {}: {e}", number + 1))?;
            }
            (Some((_, body)), line) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, line) if line.starts_with("```") => {
                block = Some((line[3..].trim().to_owned(), String::new()))
            }
            (None, line) if line.starts_with("## ") => sections.push(line[3..].to_owned()),
            (None, line) if line.starts_with("### ") && sections.last().is_some_and(|s| s == "Cases") => {
                page.cases.push(Case { name: line[4..].to_owned(), ..Case::default() });
            }
            _ => {}
        }
    }
    if sections != SECTIONS {
        return Err(format!("the sections are {sections:?}, expected {SECTIONS:?}"));
    }
    for case in &page.cases {
        if case.query.is_empty() != case.nodes.is_empty() {
            return Err(format!("case `{}` lacks its query or the node it is about", case.name));
        }
    }
    Ok(page)
}

fn fill(case: Option<&mut Case>, info: &str, body: &str) -> Result<(), String> {
    let Some(case) = case else { return Ok(()) };
    match info {
        "sql setup" => case.setup.push_str(body),
        "sql query" => case.query = body.trim().to_owned(),
        "sql queries" => case.queries.push(body.to_owned()),
        _ if info == "sql migration" || info.starts_with("sql migration ") => {
            let named = info["sql migration".len()..].trim();
            let number = format!("{}.sql", case.migrations.len() + 1);
            case.names.push(if named.is_empty() { number } else { named.to_owned() });
            case.migrations.push(body.to_owned());
        }
        _ if info.starts_with("sql base ") => {
            case.bases.push((info["sql base ".len()..].trim().to_owned(), body.to_owned()));
        }
        _ if info.starts_with("sql gone ") => {
            case.gone.push((info["sql gone ".len()..].trim().to_owned(), body.to_owned()));
        }
        "sql beside" => case.beside.push_str(body),
        "sql fix" => case.fix = Some(body.to_owned()),
        _ if info.starts_with("sql call ") => {
            let often = info["sql call ".len()..].parse().map_err(|_| format!("`{info}` names no number"))?;
            case.calls.push((often, body.trim().to_owned()));
        }
        "expect" => {
            for line in body.lines() {
                let (word, rest) =
                    line.split_once(": ").ok_or_else(|| format!("`{line}` is not `word: value`"))?;
                match word {
                    "finding" if rest == "none" => {}
                    "finding" => {
                        let (rule, node) = rest
                            .split_once(" at ")
                            .ok_or_else(|| format!("`{rest}` is not `RULE at NODE`"))?;
                        case.findings.push((rule.to_owned(), node.to_owned()));
                    }
                    "node" => case.nodes.push(rest.to_owned()),
                    "proposal" => case.proposals.push(rest.to_owned()),
                    "option" => {
                        let (name, value) =
                            rest.split_once('=').ok_or_else(|| format!("`{rest}` is not `name=value`"))?;
                        if !OPTIONS.contains(&name) {
                            return Err(format!("`{name}` is no option: {OPTIONS:?}"));
                        }
                        case.options.push((name.to_owned(), value.to_owned()));
                    }
                    _ => return Err(format!("`{word}` is no word of an expect block")),
                }
            }
        }
        _ if info.starts_with("sql ") => return Err(format!("`{info}` is no block of a case")),
        _ => {}
    }
    Ok(())
}
