//! How each framework orders and runs its files: `fixtures/migrations`, a small project of each.

use crate::support::{database, majors};
use crate::{damage::problems_of, files_below, traced};
use pgproof::migrate::Running::{Alone, OneString, Together};
use pgproof::migrate::{File, Framework, Late, Running, put_behind, read};

/// The folder, what it looks like, and its migrations in order.
type Project = (&'static str, Framework, &'static [(&'static str, Running)]);

const PROJECTS: &[Project] = &[
    (
        "sqlx",
        Framework::Sqlx,
        &[
            ("20240105093000_users.sql", Together),
            ("20240212101500_users_email_idx.sql", OneString),
            ("20240301080000_add_name.up.sql", Together),
        ],
    ),
    (
        "diesel",
        Framework::Diesel,
        &[
            ("20240105093000_users/up.sql", Together),
            ("2024-02-12-101500_users_email_idx/up.sql", OneString),
            ("2024-03-01-080000_add_name/up.sql", Together),
        ],
    ),
    (
        // What they look like is Flyway's, which runs such files the same way.
        "refinery",
        Framework::Flyway,
        &[("V1__users.sql", Together), ("V2__add_name.sql", Together), ("V10__add_phone.sql", Together)],
    ),
    (
        "flyway",
        Framework::Flyway,
        &[
            ("V1__users.sql", Together),
            ("V1_1__users_email_idx.sql", Alone),
            ("V1.2__batches.sql", Alone),
            ("V1.10__add_name.sql", Together),
            ("R__people.sql", Together),
        ],
    ),
    (
        "goose",
        Framework::Goose,
        &[("00001_users.sql", Together), ("00002_touch.sql", Together), ("00003_users_email_idx.sql", Alone)],
    ),
    (
        "golang-migrate",
        Framework::GolangMigrate,
        &[
            ("1_users.up.sql", OneString),
            ("2_users_email_idx.up.sql", OneString),
            ("10_add_name.up.sql", OneString),
        ],
    ),
    (
        "dbmate",
        Framework::Dbmate,
        &[("20240105093000_users.sql", Together), ("20240212101500_users_email_idx.sql", OneString)],
    ),
    (
        "prisma",
        Framework::Prisma,
        &[
            ("20240105093000_init/migration.sql", OneString),
            ("20240212101500_email/migration.sql", OneString),
        ],
    ),
    (
        "plain",
        Framework::Plain,
        &[("0001_initial.sql", Alone), ("0002_user_email_idx.sql", Alone), ("0010_user_name.sql", Alone)],
    ),
];

#[test]
fn each_framework_is_known_by_its_files_and_its_order_and_transactions_are_its_own() {
    for (folder, framework, expected) in PROJECTS {
        let files = files_below(folder);
        assert_eq!(Framework::detect(&files), *framework, "{folder}");
        let (migrations, _) = read(&files, *framework).unwrap_or_else(|e| panic!("{folder}: {e}"));
        let found: Vec<(&str, Running)> = migrations.iter().map(|m| (m.name.as_str(), m.running)).collect();
        assert_eq!(found, *expected, "{folder}");
        assert!(migrations.iter().all(|m| m.refused.is_none()), "{folder}: {migrations:#?}");
    }
}

#[test]
fn the_projects_run_on_every_major() {
    for major in majors() {
        for (folder, framework, _) in PROJECTS {
            let db = database(major);
            let (migrations, _) = read(&files_below(folder), *framework).expect("migrations");
            for one in traced(&db, &migrations) {
                let place = &migrations[one.migration].name;
                assert_eq!(one.failure, None, "PostgreSQL {major}: {folder}/{place}");
                assert!(one.effects.is_empty(), "{folder}/{place}: nothing was there before");
            }
        }
    }
}

#[test]
fn a_file_that_its_framework_would_not_run_is_told() {
    let (_, problems) = read(&files_below("flyway"), Framework::Flyway).expect("migrations");
    let told: Vec<&str> = problems.iter().map(|p| p.path.rsplit('/').next().expect("a name")).collect();
    assert_eq!(told, ["V3_forgot_an_underscore.sql"]);
    assert!(problems[0].what.contains("flyway runs no file of this name"), "{}", problems[0].what);
}

#[test]
fn directives_of_goose_in_any_case_keep_the_lines_true() {
    let (migrations, _) = read(&files_below("goose"), Framework::Goose).expect("migrations");
    let lines: Vec<Vec<usize>> =
        migrations.iter().map(|m| m.steps.iter().map(|s| s.line).collect()).collect();
    assert_eq!(lines, [vec![2], vec![2, 4, 11], vec![3]]);
}

/// What a framework refuses of one file, `LINE: WHY`.
fn refused(framework: Framework, name: &str, text: &str) -> Option<String> {
    let (migrations, _) = read(&crate::files(&[(name, text)]), framework).expect("migrations");
    migrations[0].refused.as_ref().map(|refused| format!("{}: {}", refused.line, refused.why))
}

#[test]
fn what_a_framework_itself_refuses_is_known_before_the_server_is_asked() {
    let goose = |text: &str| refused(Framework::Goose, "1_a.sql", &format!("-- +goose Up\n{text}"));
    let function = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND $$;\n";
    assert!(goose(function).is_some_and(|why| why.starts_with("2: ") && why.contains("line 4")));
    let begun = format!("-- +goose StatementBegin\n{function}-- +goose StatementEnd\n");
    assert_eq!(goose(&begun), None);
    assert!(goose("SELECT 1").is_some_and(|why| why.contains("no semicolon")));
    for whole in ["SELECT 1; -- done\n", "SELECT 1\n;\n", "SELECT 1; SELECT 2;\n", "SELECT ';'\n  , 2;\n"] {
        assert_eq!(goose(whole), None, "{whole}");
    }
    let flyway = |text: &str| refused(Framework::Flyway, "V1__a.sql", text);
    let build = "CREATE INDEX CONCURRENTLY i ON t (a);\n";
    assert_eq!(flyway(build), None);
    assert_eq!(flyway(&format!("{build}VACUUM t;\n")), None);
    assert!(flyway(&format!("SET lock_timeout = '1s';\n{build}")).is_some_and(|why| why.starts_with("2: ")));
    // What lifts the transaction does not lift the ban.
    let read = |text| {
        let files = [("V1__a.sql", text), ("V1__a.sql.conf", "executeInTransaction=false\n")];
        crate::migrations(Framework::Flyway, &files).remove(0)
    };
    assert!(read("SELECT 1;\nVACUUM t;\n").refused.is_some());
    let lifted = read("SELECT 1;\n");
    assert_eq!((lifted.refused, lifted.running), (None, Alone));
}

#[test]
fn versions_are_compared_as_their_framework_does() {
    let one = |name: &'static str| (name, "SELECT 1;");
    // Dots and underscores are one, and so are trailing zeros.
    for pair in [["V1_2__a.sql", "V1.2__b.sql"], ["V2__a.sql", "V2.0__b.sql"], ["V01__a.sql", "V1__b.sql"]] {
        let files = crate::files(&pair.map(one));
        let error = read(&files, Framework::Flyway).expect_err("one version twice");
        assert!(error.causes().join(" ").contains("have one version"), "{pair:?}: {:?}", error.causes());
    }
    let order = |framework, names: &[&'static str]| -> Vec<String> {
        let files: Vec<(&str, &str)> = names.iter().map(|name| one(name)).collect();
        crate::migrations(framework, &files).into_iter().map(|m| m.name).collect()
    };
    assert_eq!(
        order(Framework::Flyway, &["V10__c.sql", "R__z.sql", "V1_10__b.sql", "V1.9__a.sql"]),
        ["V1.9__a.sql", "V1_10__b.sql", "V10__c.sql", "R__z.sql"]
    );
    assert_eq!(
        order(Framework::GolangMigrate, &["10_b.up.sql", "9_a.up.sql"]),
        ["9_a.up.sql", "10_b.up.sql"]
    );
    assert_eq!(order(Framework::Plain, &["2.sql", "10.sql"]), ["2.sql", "10.sql"]);
}

#[test]
fn what_comes_before_the_newest_of_the_base_is_behind_it() {
    let all = |names: &[&'static str]| {
        let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "SELECT 1;")).collect();
        crate::migrations(Framework::Flyway, &files)
    };
    let base = all(&["V1__a.sql", "V10__b.sql", "R__z.sql"]);
    let mut new = all(&["V9__c.sql", "V11__d.sql", "R__a.sql"]);
    put_behind(&base, &mut new);
    let behind: Vec<Option<&str>> = new.iter().map(|m| m.behind.as_deref()).collect();
    assert_eq!(behind, [Some("10"), None, None]);
    assert_eq!(Framework::GolangMigrate.late(), Late::Skipped);
    put_behind(&[], &mut new);
    assert_eq!(new.len(), 3);
}

#[test]
fn psqls_commands_are_blanked_for_psql_alone_and_what_they_would_run_is_told() {
    let text = "\\set ON_ERROR_STOP on\n\\i other.sql\nSELECT 1;\n";
    let (plain, problems) = problems_of(Framework::Plain, &[("1.sql", text)]);
    assert_eq!((plain[0].steps.len(), plain[0].steps[0].line), (1, 3));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].what.starts_with("line 2: psql's \\i"), "{problems:?}");
    // Others send the line to the server, which refuses it.
    let (sqlx, _) = problems_of(Framework::Sqlx, &[("20240101000000_a.sql", text)]);
    assert!(sqlx[0].steps[0].text.starts_with("\\set"), "{:?}", sqlx[0].steps);
}

#[test]
fn rows_of_a_copy_are_left_out_where_the_framework_sends_them() {
    let text = "CREATE TABLE t (a int, b text);\nCOPY public.t (a, b)\n  FROM stdin;\n1\tit's; one\n2\t$$\n\\.\n\nSELECT 1;\n\
                copy t FROM STDIN (FORMAT csv);\n\\.\nCOPY t TO stdout;\n";
    for (framework, name) in [(Framework::Plain, "1.sql"), (Framework::Flyway, "V1__a.sql")] {
        let (read, problems) = problems_of(framework, &[(name, text)]);
        let steps: Vec<(&str, usize)> = read[0].steps.iter().map(|s| (s.text.as_str(), s.line)).collect();
        assert_eq!(steps, [("CREATE TABLE t (a int, b text)", 1), ("SELECT 1", 8), ("COPY t TO stdout", 11)]);
        assert!(problems[0].what.contains("rows of 2 COPY"), "{problems:?}");
    }
    // Others wait for rows that nobody sends; and so does one whose rows never end.
    let file = |name: &str, text: &str| File {
        path: name.to_owned(),
        name: name.to_owned(),
        root: String::new(),
        text: text.to_owned(),
    };
    assert!(read(&[file("20240101000000_a.sql", text)], Framework::Sqlx).is_err());
    assert!(read(&[file("1.sql", "COPY t FROM stdin;\n1\t2\n")], Framework::Plain).is_err());
}

#[test]
fn a_baseline_of_flyways_runs_where_what_it_stands_for_is_gone() {
    let names = |files: &[(&str, &str)]| -> Vec<String> {
        let (read, _) = problems_of(Framework::Flyway, files);
        read.into_iter().map(|migration| migration.name).collect()
    };
    let (one, two, six) = (("V1__a.sql", "SELECT 1"), ("V2__b.sql", "SELECT 1"), ("V6__c.sql", "SELECT 1"));
    let (old, new) = (("B3__x.sql", "SELECT 1"), ("B5__y.sql", "SELECT 1"));
    assert_eq!(names(&[one, two, six, old, new]), ["V1__a.sql", "V2__b.sql", "V6__c.sql"]);
    assert_eq!(names(&[six, old, new]), ["B5__y.sql", "V6__c.sql"]);
}

#[test]
fn placeholders_of_flyways_have_values_or_are_told() {
    use pgproof::migrate::placeholders::fill;
    let file = |name: &str, text: &str| File {
        path: format!("m/{name}"),
        name: name.to_owned(),
        root: String::new(),
        text: text.to_owned(),
    };
    let given = [("app".to_owned(), "shop".to_owned())].into();
    let text = "CREATE TABLE ${app}.t (a text DEFAULT '${flyway:filename} ${ x }$');\n-- ${nobody}\n";
    let conf = file("V2__b.sql.conf", "placeholderReplacement = false\n");
    let mut files = [file("V1__a.sql", text), file("V2__b.sql", "SELECT '${left}'"), conf];
    fill(&mut files, Framework::Flyway, &given).expect("values for all");
    assert_eq!(files[0].text, "CREATE TABLE shop.t (a text DEFAULT 'V1__a.sql ${ x }$');\n-- ${nobody}\n");
    assert_eq!(files[1].text, "SELECT '${left}'");
    let mut files = [file("V1__a.sql", "SELECT 1;\nSELECT '${none}'")];
    let error = fill(&mut files, Framework::Flyway, &given).expect_err("no value");
    let said = format!("{error} {:?}", error.causes());
    assert!(said.contains("m/V1__a.sql") && said.contains("line 2") && said.contains("${none}"), "{said}");
    fill(&mut files, Framework::Sqlx, &given).expect("they are of Flyway's alone");
}

#[test]
fn a_frameworks_name_is_what_the_flag_takes() {
    for (folder, framework, _) in PROJECTS {
        let named: Framework = folder.parse().expect("a framework");
        assert!(named == *framework || *folder == "refinery", "{folder}");
        assert_eq!(named.name(), *folder);
    }
    assert!("alembic".parse::<Framework>().is_err());
    assert_eq!(Framework::detect(&[] as &[File]), Framework::Plain);
}
