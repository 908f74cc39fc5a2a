//! Names as PostgreSQL itself would choose them (`ChooseIndexName`), within 63 bytes.
//!
//! Refuses to reuse a name that is taken.

use super::definition::Key;
use crate::sql::ident::clip;

/// The longest name the server keeps (`NAMEDATALEN - 1`).
pub const MAX_NAME_BYTES: usize = 63;

/// `table_column_column_idx`, with a number behind `idx` where that is taken.
pub fn index_name(table: &str, keys: &[Key], include: &[String], taken: &[String]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for key in keys {
        parts.push(unique_part(key_name(key), &parts));
    }
    for column in include {
        parts.push(unique_part(column.clone(), &parts));
    }
    object_name(table, &parts.join("_"), "idx", taken)
}

/// `table_column_column_stat`.
pub fn statistics_name(table: &str, columns: &str, taken: &[String]) -> String {
    object_name(table, columns, "stat", taken)
}

/// The name of a trial index: recognisable, and the same for the same definition.
pub fn trial_name(definition: &str) -> String {
    format!("{TRIAL_PREFIX}{}", crate::sql::hex(crate::sql::fingerprint(definition)))
}

/// What every trial index starts with; leftovers are found by it.
pub const TRIAL_PREFIX: &str = "pgproof_trial_";

fn key_name(key: &Key) -> String {
    if key.column {
        return key.text.clone();
    }
    let function = key.text.split('(').next().unwrap_or("");
    let named = !function.is_empty() && function.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if named { function.to_owned() } else { "expr".to_owned() }
}

fn unique_part(name: String, taken: &[String]) -> String {
    if !taken.contains(&name) {
        return name;
    }
    (1..).map(|n| format!("{name}{n}")).find(|candidate| !taken.contains(candidate)).unwrap_or(name)
}

/// `makeObjectName`: the longer of table and columns is shortened until all fits.
fn object_name(table: &str, columns: &str, label: &str, taken: &[String]) -> String {
    let columns = clip(columns, MAX_NAME_BYTES);
    (0..)
        .map(|pass| {
            let label = if pass == 0 { label.to_owned() } else { format!("{label}{pass}") };
            let available = MAX_NAME_BYTES - label.len() - 2;
            let (mut a, mut b) = (table.len(), columns.len());
            while a + b > available {
                if a > b { a -= 1 } else { b -= 1 }
            }
            format!("{}_{}_{label}", clip(table, a), clip(columns, b))
        })
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_servers_convention() {
        let keys = [Key::column("user_id"), Key::column("created_at")];
        assert_eq!(index_name("orders", &keys, &[], &[]), "orders_user_id_created_at_idx");
        let taken = ["orders_user_id_created_at_idx".to_owned()];
        assert_eq!(index_name("orders", &keys, &[], &taken), "orders_user_id_created_at_idx1");
        let expr = |text: &str| Key { text: text.into(), column: false, ..Key::column("") };
        assert_eq!(
            index_name("t", &[expr("lower(a)"), expr("a + b"), expr("b + c")], &[], &[]),
            "t_lower_expr_expr1_idx"
        );
        let long = index_name(&"é".repeat(40), &[Key::column(&"b".repeat(60))], &[], &[]);
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("_idx"), "{long}");
    }
}
