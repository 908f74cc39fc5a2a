//! `pgproof plan`: stored plans, diagnosed without a server.
//!
//! Refuses to leave a file out silently: one that holds no plan is an error with its place.

use super::{input, output, settings, verdict};
use crate::analyse::{analyse_plans, compare_plans};
use crate::capture::{Origin, OriginKind};
use crate::cli::{Common, From, Plan};
use crate::error::{Error, Kind, Result};
use crate::plan::{Notation, Plan as Read, read};
use crate::rules::Config;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, or holds no plan, with the place.
pub fn run(args: &Plan, common: &Common) -> Result<u8> {
    output::check(common)?;
    let config = settings(common)?;
    let notation = args.from.map(|from| match from {
        From::Text => Notation::Text,
        From::Json => Notation::Json,
        From::Yaml => Notation::Yaml,
        From::Xml => Notation::Xml,
    });
    if args.diff {
        return diff(args, common, &config, notation);
    }
    let mut plans = Vec::new();
    for path in &args.files {
        let (name, text) = input::text(path)?;
        for plan in read(&text, notation).map_err(|e| e.named(&name))? {
            let origin = Origin { kind: OriginKind::File, path: Some(name.clone()), line: None };
            plans.push((origin, plan));
        }
    }
    let report = analyse_plans(plans, &config);
    output::write(&report, common)?;
    Ok(verdict(&report, common.fail_on))
}

/// Compares the first plan of each of two files. Findings of the second one decide on the exit code.
fn diff(args: &Plan, common: &Common, config: &Config, notation: Option<Notation>) -> Result<u8> {
    let [base, head] = &args.files[..] else {
        return Err(Error::new(Kind::Usage, "compare two plans")
            .because(format!("--diff takes two files, not {}", args.files.len()))
            .help("pgproof plan --diff OLD NEW"));
    };
    if base == head && base.as_os_str() == "-" {
        return Err(Error::new(Kind::Usage, "compare two plans")
            .because("both are standard input, which can be read once")
            .help("pgproof plan --diff OLD -"));
    }
    let first = |path: &Path| -> Result<(Origin, Read)> {
        let (name, text) = input::text(path)?;
        let plans = read(&text, notation).map_err(|e| e.named(&name))?;
        let plan = plans.into_iter().find(|plan| !plan.nodes.is_empty()).ok_or_else(|| {
            Error::new(Kind::Input, format!("find a plan in {name}"))
                .because("its statement is a utility command, which has none")
        })?;
        Ok((Origin { kind: OriginKind::File, path: Some(name), line: None }, plan))
    };
    let mut report = compare_plans(first(base)?, first(head)?, config);
    output::write(&report, common)?;
    report.findings.retain(|finding| finding.at.statement == 1);
    Ok(verdict(&report, common.fail_on))
}
