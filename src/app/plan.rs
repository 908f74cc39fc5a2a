//! `pgproof plan`: stored plans, diagnosed, compared or made fit to be shared, without a server.
//!
//! Refuses to leave a file out silently: one that holds no plan is an error with its place, and a plan among others
//! that cannot be read is told.

use super::{input, output, settings, verdict};
use crate::analyse::{analyse_plans, compare_plans};
use crate::anonymize::anonymize;
use crate::capture::{Gap, Origin, OriginKind};
use crate::cli::{Common, Format, From, Plan};
use crate::error::{Error, Kind, Result};
use crate::exit;
use crate::plan::{self, Notation, find};
use crate::rules::Config;
use std::path::Path;

/// Plans with their origins, and what could not be read beside them.
type Plans = (Vec<(Origin, plan::Plan)>, Vec<Gap>);

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, or holds no plan, with the place.
pub fn run(args: &Plan, common: &Common) -> Result<u8> {
    output::check(common)?;
    if args.anonymize {
        output::only(common, "plans", &[Format::Text, Format::Json])?;
    }
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
    let (mut plans, mut gaps) = (Vec::new(), Vec::new());
    for path in &args.files {
        let (more, unread) = read(path, notation)?;
        plans.extend(more);
        gaps.extend(unread);
    }
    if args.anonymize {
        let plans: Vec<plan::Plan> = plans.into_iter().map(|(_, plan)| plan).collect();
        return write_anonymized(&plans, &gaps, common);
    }
    let mut report = analyse_plans(plans, &config);
    report.gaps.extend(gaps);
    output::write(&report, common)?;
    Ok(verdict(&report, common.fail_on))
}

fn read(path: &Path, notation: Option<Notation>) -> Result<Plans> {
    let (name, text) = input::text(path)?;
    let reading = find(&text, notation).map_err(|e| e.named(&name))?;
    let gap = |what: String, disables: &str| Gap {
        what: format!("{name}: {what}"),
        sqlstate: None,
        disables: vec![disables.to_owned()],
    };
    let mut gaps: Vec<Gap> =
        reading.left_out.into_iter().map(|what| gap(what, "findings in this plan")).collect();
    let mut plans = Vec::new();
    for found in reading.plans {
        gaps.extend(found.cut.map(|what| gap(what, "findings in what is missing")));
        let kind = if found.plan.duration.is_some() { OriginKind::Log } else { OriginKind::File };
        plans.push((Origin { kind, path: Some(name.clone()), line: Some(found.line) }, found.plan));
    }
    Ok((plans, gaps))
}

/// Writes the plans themselves, with other names: nothing of the files' own names or frames goes with them.
fn write_anonymized(plans: &[plan::Plan], gaps: &[Gap], common: &Common) -> Result<u8> {
    let plans = anonymize(plans);
    output::write_each(common, |format, _| match format {
        Format::Json => plan::write_json_list(&plans),
        _ => plans.iter().map(plan::write_text).collect::<Vec<_>>().join("\n"),
    })?;
    // Beside the plans, never among them.
    gaps.iter().for_each(|gap| output::beside(&format!("not seen: {}\n", gap.what)));
    Ok(exit::OK)
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
    let mut gaps = Vec::new();
    let mut first = |path: &Path| -> Result<(Origin, plan::Plan)> {
        let (plans, unread) = read(path, notation)?;
        gaps.extend(unread);
        plans.into_iter().find(|(_, plan)| !plan.nodes.is_empty()).ok_or_else(|| {
            Error::new(Kind::Input, format!("find a plan in {}", path.display()))
                .because("its statement is a utility command, which has none")
        })
    };
    let (base, head) = (first(base)?, first(head)?);
    let mut report = compare_plans(base, head, config);
    report.gaps.extend(gaps);
    output::write(&report, common)?;
    report.findings.retain(|finding| finding.at.statement == Some(1));
    report.suppressions.retain(|suppression| suppression.statement == Some(1));
    Ok(verdict(&report, common.fail_on))
}
