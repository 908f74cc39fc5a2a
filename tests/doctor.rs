//! `pgproof doctor` as four roles: no error, and the one statement that mends what each cannot see.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // Tests are an edge.

mod support;

use serde_json::Value;
use std::process::Command;
use support::{majors, server_with};

fn doctor(url: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    let output = command
        .args(["doctor", "-d", url, "--format", "json"])
        .current_dir(std::env::temp_dir())
        .output()
        .expect("run pgproof");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// Whether a check is well, and its fix.
fn check(report: &Value, name: &str) -> (bool, String) {
    let checks = report["checks"].as_array().expect("checks");
    let check = checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name} in {report:#}"));
    (check["seen"] == true, check["fix"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn each_role_is_told_what_it_lacks() {
    for major in majors() {
        let counting = [("shared_preload_libraries", "pg_stat_statements")];
        let shop = server_with(major, &counting).database();
        shop.execute("CREATE TABLE t (a int); CREATE EXTENSION pg_stat_statements");
        let name = &shop.name;
        shop.execute(&format!(
            "CREATE ROLE {name}_plain LOGIN; CREATE ROLE {name}_monitor LOGIN; GRANT pg_monitor TO {name}_monitor; \
             CREATE ROLE {name}_owner LOGIN; ALTER TABLE t OWNER TO {name}_owner"
        ));
        let of = |role: &str| doctor(&shop.url.replace("user=postgres", &format!("user={name}_{role}")));
        let plain = of("plain");
        assert_eq!(check(&plain, "rights"), (false, format!("GRANT pg_monitor TO {name}_plain")));
        let (seen, fix) = check(&plain, "statistics");
        let grant = if major == 13 { "GRANT SELECT ON ALL TABLES" } else { "GRANT pg_read_all_data TO" };
        assert!(!seen && fix.starts_with(grant), "{fix}");
        assert!(!check(&plain, "owner").0 && check(&plain, "statements").0);
        let monitor = of("monitor");
        assert!(
            check(&monitor, "rights").0 && !check(&monitor, "statistics").0 && !check(&monitor, "owner").0
        );
        let owner = of("owner");
        assert!(!check(&owner, "rights").0 && check(&owner, "statistics").0 && check(&owner, "owner").0);
        let superuser = doctor(&shop.url);
        for name in ["rights", "statistics", "owner", "statements", "pooler", "standby", "clock", "leftovers"]
        {
            assert!(check(&superuser, name).0, "{major}: {name} in {superuser:#}");
        }
        let (seen, fix) = check(&superuser, "I/O timing");
        assert!(!seen && fix == "ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf()", "{fix}");
        shop.execute(&format!("DROP TABLE t; DROP ROLE {name}_plain, {name}_monitor, {name}_owner"));
    }
}

#[test]
fn the_statements_counters_are_looked_for_in_every_state() {
    for major in majors() {
        let loaded = server_with(major, &[("shared_preload_libraries", "pg_stat_statements")]).database();
        let of = |url: &str| check(&doctor(url), "statements");
        assert_eq!(of(&loaded.url), (false, "CREATE EXTENSION pg_stat_statements".to_owned()));
        loaded.execute("CREATE EXTENSION pg_stat_statements VERSION '1.7'");
        assert_eq!(of(&loaded.url), (false, "ALTER EXTENSION pg_stat_statements UPDATE".to_owned()));
        loaded.execute("ALTER EXTENSION pg_stat_statements UPDATE");
        assert!(of(&loaded.url).0);
        let unloaded = support::database(major);
        let (seen, fix) = of(&unloaded.url);
        assert!(
            !seen && fix.contains("shared_preload_libraries") && fix.contains("then CREATE EXTENSION"),
            "{fix}"
        );
        unloaded.execute("CREATE EXTENSION pg_stat_statements");
        let (seen, fix) = of(&unloaded.url);
        assert!(!seen && fix.contains("shared_preload_libraries") && fix.contains("restart"), "{fix}");
    }
}
