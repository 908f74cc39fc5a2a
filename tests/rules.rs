//! Replays the recorded captures of every page's cases without a server: what the page expects, and every word and
//! number that was said when somebody last read it (`fixtures/captures/<rule>/said.txt`; `PGPROOF_BLESS=1` writes them
//! anew, for a diff to be read).
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod cases;

use pgproof::analyse::analyse;
use pgproof::capture::Capture;
use pgproof::report::Report;
use std::fmt::Write as _;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Recording {
    made_from: String,
    capture: Capture,
}

#[test]
fn recorded_captures_give_what_the_pages_say() {
    let (mut wrong, mut replayed) = (Vec::new(), 0);
    for (spec, cases) in cases::pages() {
        let mut said = String::new();
        for case in &cases {
            let path = cases::recording(spec.name, case);
            replayed += 1;
            match replay(&path, case) {
                Ok(report) => {
                    said.push_str(&format!("## {}\n{}\n", case.name, words(&report)));
                    if let Some(problem) = cases::difference(&report, case) {
                        wrong.push(format!("{} / {}\n{problem}\n", spec.name, case.name));
                    }
                }
                Err(problem) => wrong.push(format!("{} / {}\n{problem}\n", spec.name, case.name)),
            }
        }
        wrong.extend(unlike(spec.name, &said));
    }
    assert!(replayed >= 60, "only {replayed} cases");
    assert!(wrong.is_empty(), "{} of {replayed} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn replay(path: &std::path::Path, case: &pgproof::rules::page::Case) -> Result<Report, String> {
    let again = "record it: PGPROOF_RECORD=1 cargo test --test rules_live";
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}; {again}", path.display()))?;
    let recording: Recording = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    if recording.made_from != cases::made_from(case) {
        return Err(format!("{} was made from other SQL; {again}", path.display()));
    }
    analyse(&recording.capture, &case.config()).map_err(|e| e.to_string())
}

/// Everything that a report says of its findings and proposals; a recording's times are fixed.
fn words(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let saves = f.saves.map_or("unknown".to_owned(), |s| format!("{:.3} ms", s.0));
        let _ = writeln!(
            out,
            "{:?} {} run {} node {:?} {:?} {:?}: {saves}, share {:.3}",
            f.severity,
            f.rule,
            f.at.run.unwrap_or(0),
            f.at.node,
            f.relation,
            f.confidence,
            f.share
        );
        for line in [&f.what, &f.why, &f.help] {
            let _ = writeln!(out, "  {line}");
        }
        for e in &f.evidence {
            let _ = writeln!(out, "  {}: {:?} {}", e.label, e.value, e.unit);
        }
        for also in &f.also {
            let _ = writeln!(out, "  also {} at {:?}: {}", also.rule, also.at.node, also.what);
        }
    }
    for judged in &report.proposals {
        let p = &judged.proposal;
        let _ = writeln!(out, "for {:?}, {:?}: {}", p.answers, p.applicability, p.apply.join("; "));
        p.remarks.iter().for_each(|remark| out.push_str(&format!("  {remark}\n")));
    }
    for note in report.statements.iter().flat_map(|s| &s.notes) {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

/// What is said now against what was said when somebody read it.
fn unlike(rule: &str, said: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures").join(rule).join("said.txt");
    if std::env::var_os("PGPROOF_BLESS").is_some() {
        std::fs::write(&path, said).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return None;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let (mut before, mut now) = (known.lines(), said.lines());
    let mut case = "";
    loop {
        match (before.next(), now.next()) {
            (None, None) => return None,
            (was, is) if was == is => {
                if let Some(heading) = is.filter(|line| line.starts_with("## ")) {
                    case = heading;
                }
            }
            (was, is) => {
                return Some(format!(
                    "{rule} / {case}\nsaid {is:?}\nwhere it was {was:?}; PGPROOF_BLESS=1 cargo test --test rules \
                     keeps the new words, for the diff of said.txt to be read\n"
                ));
            }
        }
    }
}
