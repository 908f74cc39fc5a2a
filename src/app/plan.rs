//! `pgproof plan`: stored plans, diagnosed without a server.
//!
//! Refuses to leave a file out silently: one that holds no plan is an error with its place.

use super::{input, output, settings, verdict};
use crate::analyse::analyse_plans;
use crate::anonymize::anonymize;
use crate::capture::{Origin, OriginKind};
use crate::cli::{Common, Format, From, Plan};
use crate::error::Result;
use crate::exit;
use crate::plan::{self, Notation, read};

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
    let mut plans = Vec::new();
    for path in &args.files {
        let (name, text) = input::text(path)?;
        for plan in read(&text, notation).map_err(|e| e.named(&name))? {
            let origin = Origin { kind: OriginKind::File, path: Some(name.clone()), line: None };
            plans.push((origin, plan));
        }
    }
    if args.anonymize {
        return write_anonymized(&plans.into_iter().map(|(_, plan)| plan).collect::<Vec<_>>(), common);
    }
    let report = analyse_plans(plans, &config);
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
