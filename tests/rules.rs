//! Replays the recorded captures of every page's cases without a server.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod cases;

use pgproof::analyse::analyse;
use pgproof::capture::Capture;
use pgproof::rules::Config;

#[derive(serde::Deserialize)]
struct Recording {
    made_from: String,
    capture: Capture,
}

#[test]
fn recorded_captures_give_what_the_pages_say() {
    let (mut wrong, mut replayed) = (Vec::new(), 0);
    for (spec, cases) in cases::pages() {
        for case in &cases {
            let path = cases::recording(spec.name, case);
            let problem = replay(&path, case);
            replayed += 1;
            if let Err(problem) = problem {
                wrong.push(format!("{} / {}\n{problem}\n", spec.name, case.name));
            }
        }
    }
    assert!(replayed >= 60, "only {replayed} cases");
    assert!(wrong.is_empty(), "{} of {replayed} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn replay(path: &std::path::Path, case: &pgproof::rules::page::Case) -> Result<(), String> {
    let again = "record it: PGPROOF_RECORD=1 cargo test --test rules_live";
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}; {again}", path.display()))?;
    let recording: Recording = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    if recording.made_from != cases::made_from(case) {
        return Err(format!("{} was made from other SQL; {again}", path.display()));
    }
    let report = analyse(&recording.capture, &Config::default()).map_err(|e| e.to_string())?;
    cases::difference(&report, case).map_or(Ok(()), Err)
}
