//! `pgproof.toml`: severities and thresholds, for some paths only, and what mistakes in it look like.

use super::output::{SLOW, busy_shop};
use super::{explain, pgproof};

const SETTINGS: &str = "[rules]
seq-scan-discards-rows = \"warning\"

[[paths]]
match = \"reports/**/*.sql\"
rules = { seq-scan-discards-rows = \"off\" }

[[paths]]
match = \"reports/large.sql\"
rules = { seq-scan-discards-rows = \"error\" }

[[paths]]
match = \"jobs/*.sql\"
[paths.thresholds.seq-scan-discards-rows]
min-rows = 10_000_000
";

#[test]
fn what_holds_for_a_path_wins_over_what_holds_for_all_and_a_flag_over_both() {
    let database = busy_shop();
    let severity = |path: &str, here: &str, flags: &[&str]| {
        let args = [&["-f", path, "--format", "json"], flags].concat();
        let mut run = explain(&database, &args).file("pgproof.toml", SETTINGS.as_bytes());
        for folder in ["reports/2026", "jobs"] {
            std::fs::create_dir_all(run.home.path().join(folder)).expect("a folder");
        }
        run.command.current_dir(run.home.path().join(here));
        for name in ["a.sql", "reports/a.sql", "reports/2026/a.sql", "reports/large.sql", "jobs/a.sql"] {
            run = run.file(name, SLOW.as_bytes());
        }
        run.succeeds().json()["findings"][0]["severity"].as_str().map(str::to_owned)
    };
    let plain = |path: &str| severity(path, "", &[]);
    assert_eq!(plain("a.sql").as_deref(), Some("warning"));
    assert_eq!(plain("reports/a.sql"), None);
    assert_eq!(plain("./reports/2026/a.sql"), None);
    assert_eq!(plain("reports/large.sql").as_deref(), Some("error"), "a later part wins");
    assert_eq!(plain("jobs/a.sql"), None, "400,000 rows are under the threshold of jobs");
    assert_eq!(severity("2026/a.sql", "reports", &[]), None, "paths start where pgproof.toml is");
    assert_eq!(severity("../a.sql", "jobs", &[]).as_deref(), Some("warning"));
    let flag = ["--rule", "seq-scan-discards-rows=info"];
    assert_eq!(severity("reports/large.sql", "", &flag).as_deref(), Some("info"));
}

#[test]
fn mistakes_in_the_settings_have_a_place_and_the_nearest_right_word() {
    for (text, words) in [
        (
            "[rulez]\n",
            &["--> pgproof.toml:1:2", "there is no key `rulez`", "help: did you mean `rules`?"][..],
        ),
        (
            "[rules]\nsort-spils-to-disk = \"off\"\n",
            &[
                "--> pgproof.toml:2:1",
                "there is no rule `sort-spils-to-disk`",
                "help: did you mean `sort-spills",
            ],
        ),
        (
            "[thresholds.sort-spills-to-disk]\nmax-work-men = 64\n",
            &["--> pgproof.toml:2:1", "no threshold `max-work-men`", "`max-work-mem`"],
        ),
        (
            "[[paths]]\nmatch = \"a/***\"\n",
            &["--> pgproof.toml:2:", "this is no glob", "help: * is any part of a name"],
        ),
        (
            "[[paths]]\nmatch = \"a\"\nthreshold = 1\n",
            &["--> pgproof.toml:3:1", "there is no key `threshold`", "`thresholds`"],
        ),
        ("[rules]\nestimate-drift = warning\n", &["--> pgproof.toml:2:18"]),
    ] {
        let run = pgproof(&["plan", "-"]).file("pgproof.toml", text.as_bytes());
        let all = [&["failed to read the settings in ", "pgproof.toml"], words].concat();
        run.fails(2, &all.iter().map(|word| word.trim_start_matches("--> ")).collect::<Vec<_>>());
    }
}
