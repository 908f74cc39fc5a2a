//! `pgproof plan`: stored plans, diagnosed without a server.
//!
//! Refuses to leave a file out silently: one that holds no plan is an error with its place.

use super::{input, output, settings, verdict};
use crate::analyse::analyse_plans;
use crate::anonymize::anonymize;
use crate::capture::{Gap, Origin, OriginKind};
use crate::cli::{Common, Format, From, Plan};
use crate::error::Result;
use crate::exit;
use crate::plan::{self, Notation, find};

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
    let (mut plans, mut gaps) = (Vec::new(), Vec::new());
    for path in &args.files {
        let (name, text) = input::text(path)?;
        let reading = find(&text, notation).map_err(|e| e.named(&name))?;
        let gap = |what: String, disables: &str| Gap {
            what: format!("{name}: {what}"),
            sqlstate: None,
            disables: vec![disables.to_owned()],
        };
        gaps.extend(reading.left_out.into_iter().map(|what| gap(what, "findings in this plan")));
        for found in reading.plans {
            gaps.extend(found.cut.map(|what| gap(what, "findings in what is missing")));
            let kind = if found.plan.duration.is_some() { OriginKind::Log } else { OriginKind::File };
            let origin = Origin { kind, path: Some(name.clone()), line: Some(found.line) };
            plans.push((origin, found.plan));
        }
    }
    if args.anonymize {
        return write_anonymized(&plans.into_iter().map(|(_, plan)| plan).collect::<Vec<_>>(), common);
    }
    let mut report = analyse_plans(plans, &config);
    report.gaps.extend(gaps);
    output::write(&report, common)?;
    Ok(verdict(&report, common.fail_on))
}

/// Writes the plans themselves, with other names: nothing of the files' own names or frames goes with them.
fn write_anonymized(plans: &[plan::Plan], common: &Common) -> Result<u8> {
    let plans = anonymize(plans);
    output::write_each(common, |format| match format {
        Format::Json => plan::write_json_list(&plans),
        Format::Text => plans.iter().map(plan::write_text).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(exit::OK)
}
