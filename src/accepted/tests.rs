//! Files of accepted findings: written, read back, damaged; and what is said of each entry.
//!
//! Refuses to need a server: what entries meet is made here.

use super::*;

fn entry(finding: &str, until: Option<&str>) -> Entry {
    Entry {
        rule: "blocking-rewrite".to_owned(),
        object: "public.orders".to_owned(),
        finding: finding.to_owned(),
        migration: None,
        from: None,
        to: None,
        reason: "at \"night\"".to_owned(),
        until: until.map(str::to_owned),
    }
}

#[test]
fn a_file_is_sorted_with_one_entry_to_a_line_and_read_back() {
    let text = write(&[entry("b", None), entry("a", Some("2027-01-31")), entry("a", Some("2027-01-31"))])
        .expect("JSON");
    assert_eq!(text.lines().count(), 7, "{text}");
    let accepted = read(&text, "f.json").expect("what was written");
    assert_eq!(accepted.entries, [entry("a", Some("2027-01-31")), entry("b", None)]);
    assert_eq!(accepted.lines, [4, 5]);
    assert_eq!(write(&accepted.entries).expect("JSON"), text);
    assert_eq!(read(&write(&[]).expect("JSON"), "f.json").expect("an empty one").entries, []);
}

#[test]
fn damage_is_told_with_its_place() {
    let whole = write(&[entry("a", Some("2027-01-31"))]).expect("JSON");
    for (from, to, words) in [
        ("\"format\": 1", "\"format\": 2", "format 2"),
        ("\"reason\"", "\"raeson\"", "line 4, column"),
        ("2027-01-31", "2027-02-31", "`2027-02-31` is no day"),
        ("  ]", "", "line"),
        ("\"rule\":\"blocking-rewrite\",", "", "missing field `rule`"),
    ] {
        let damaged = whole.replacen(from, to, 1);
        assert_ne!(damaged, whole);
        let error = read(&damaged, "f.json").expect_err(from);
        let told = format!("{error} {:?}", error.causes());
        assert!(told.contains(words) && told.contains("f.json"), "{from}: {told}");
    }
    for at in 0..whole.len() {
        let _ = read(&whole[..at], "f.json");
    }
}

#[test]
fn an_entry_says_what_became_of_it() {
    let config = Config { today: Some("2026-11-26".to_owned()), ..Config::default() };
    let named = Named {
        object: String::new(),
        fingerprint: "a".to_owned(),
        migration: None,
        from: Some("a1:1".to_owned()),
        to: Some("a1:2".to_owned()),
    };
    let planned = |to: &str| Entry {
        from: Some("a1:1".to_owned()),
        to: Some(to.to_owned()),
        ..entry("a", Some("2026-11-26"))
    };
    let migrations = Migrations {
        framework: "plain",
        applied: 1,
        new: 1,
        files: vec!["m/2_b.sql".to_owned()],
        base: vec!["1_a.sql".to_owned()],
        failed: false,
        packed: true,
    };
    let all = Seen { migrations: Some(migrations.clone()), compared: true };
    let status = |entry: &Entry, met| judge(entry, met, &config, &all).0;
    let unmet = |entry: &Entry, seen: Migrations, compared| {
        judge(entry, None, &config, &Seen { migrations: Some(seen), compared }).0
    };
    let of = |file: &str| Entry { migration: Some(file.to_owned()), ..entry("a", None) };
    assert_eq!(unmet(&of("m/b.sql"), migrations.clone(), true), Status::Unused);
    assert_eq!(unmet(&of("m/a.sql"), migrations.clone(), true), Status::Merged);
    assert_eq!(unmet(&of("m/c.sql"), migrations.clone(), true), Status::Idle);
    assert_eq!(unmet(&of("m/b.sql"), Migrations { failed: true, ..migrations.clone() }, true), Status::Idle);
    assert_eq!(unmet(&of("m/b.sql"), Migrations { packed: false, ..migrations.clone() }, true), Status::Idle);
    let regressed = Entry { rule: "plan-regressed".to_owned(), ..entry("a", None) };
    assert_eq!(unmet(&regressed, migrations.clone(), false), Status::Idle);
    assert_eq!(unmet(&regressed, migrations, true), Status::Unused);
    let fails = Entry { rule: FAILS.to_owned(), ..entry("a", None) };
    assert_eq!(status(&fails, Some(&named)), Status::Unused);
    assert_eq!(status(&entry("a", None), Some(&named)), Status::Applied);
    assert_eq!(status(&planned("a1:2"), Some(&named)), Status::Applied);
    assert_eq!(status(&planned("a1:3"), Some(&named)), Status::Unused);
    assert_eq!(status(&planned("a1:3"), None), Status::Unused);
    assert_eq!(status(&entry("a", Some("2026-11-25")), Some(&named)), Status::Expired);
    assert_eq!(status(&Entry { reason: " ".to_owned(), ..entry("a", None) }, Some(&named)), Status::NoReason);
    let unknown = Entry { rule: "blocking-rewrit".to_owned(), ..entry("a", None) };
    assert_eq!(status(&unknown, Some(&named)), Status::UnknownRule);
    let off = Config { severity: [("blocking-rewrite".to_owned(), None)].into(), ..config.clone() };
    assert_eq!(judge(&entry("a", None), None, &off, &all).0, Status::Idle);
}

#[test]
fn of_two_entries_for_one_finding_the_first_stays() {
    let two = [entry("a", None), Entry { reason: "again".to_owned(), ..entry("a", None) }, entry("b", None)];
    let mut accepted = read(&write(&two).expect("JSON"), "f.json").expect("what was written");
    assert_eq!(accepted.lines, [4, 5, 6]);
    let mut report = Report::default();
    hold(&mut report, &accepted, &Config::default());
    // As if the first had met its finding.
    report.suppressions[0].status = Status::Applied;
    assert_eq!(accepted.prune(&report), 2);
    assert_eq!(accepted.entries.len(), 1);
}
