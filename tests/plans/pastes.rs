//! Plans as people paste them: the same plan comes out of every dress.
//!
//! The dresses that psql makes are recorded (`fixtures/pastes/record`); those of mails, chats and terminals are put
//! on here, over every recorded plan.

use super::MAJORS;
use pgproof::plan::{Plan, find, read};
use std::path::Path;

/// Every text plan that was recorded, by name.
fn texts() -> Vec<(String, String)> {
    recorded("txt")
}

fn recorded(ending: &str) -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans");
    let mut all = Vec::new();
    // A dress hangs on the notation, not on the version: the oldest and the newest print every line there is.
    for major in [MAJORS[0], MAJORS[MAJORS.len() - 1]] {
        for entry in std::fs::read_dir(top.join(major.to_string())).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == ending) {
                let name = format!("{major}/{}", path.file_stem().unwrap().to_string_lossy());
                all.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// Reads every plan of this notation in a dress, and compares it with the plan as it was printed.
fn each(ending: &str, dress: impl Fn(&str) -> Option<String>) {
    let mut failures = Vec::new();
    let mut dressed = 0;
    for (name, text) in recorded(ending) {
        let Some(other) = dress(&text) else { continue };
        dressed += 1;
        let plain = read(&text, None).unwrap();
        match read(&other, None) {
            Ok(plans) if same(&plans, &plain) => {}
            Ok(plans) => failures.push(format!("{name}: {}\n{other}", differ(&plain, &plans))),
            Err(e) => failures.push(format!("{name}: {e}: {:?} {:?}\n{other}", e.causes(), e.excerpt())),
        }
    }
    assert!(dressed > 30, "only {dressed} plans wear this");
    let (count, shown) = (failures.len(), failures.into_iter().take(3).collect::<Vec<_>>());
    assert!(count == 0, "{count} of {dressed}:\n{}", shown.join("\n\n"));
}

fn same(a: &[Plan], b: &[Plan]) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn differ(a: &[Plan], b: &[Plan]) -> String {
    let (a, b) = (format!("{a:#?}"), format!("{b:#?}"));
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let at = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    format!("{:?} is {:?} now (near {:?})", a.get(at), b.get(at), a.get(at.saturating_sub(2)))
}

/// Cuts lines of more than `width` characters, whatever stands there.
fn cut(text: &str, width: usize) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let chars: Vec<char> = line.chars().collect();
        out.extend(chars.chunks(width).map(|part| part.iter().collect::<String>()));
        if chars.is_empty() {
            out.push(String::new());
        }
    }
    out.join("\n")
}

/// Breaks lines at blanks, as mail programs do.
fn filled(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut rest = line;
        while rest.chars().count() > width {
            let limit = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
            let start = rest.len() - rest.trim_start().len();
            let Some(blank) = rest[start..limit].rfind(' ').map(|at| start + at) else { break };
            out.push_str(rest[..blank].trim_end());
            out.push('\n');
            rest = rest[blank..].trim_start();
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

fn map_lines(text: &str, of: impl Fn(&str) -> String) -> String {
    text.lines().map(|line| of(line) + "\n").collect()
}

/// A literal of the statement that holds a line feed: such lines bear no dress of their own.
fn has_line_feed(text: &str) -> bool {
    text.lines().any(|line| line.matches('\'').count() % 2 == 1)
}

#[test]
fn quoted_by_a_mail() {
    each("txt", |text| Some(format!("He wrote:\n\n{}\nBye", map_lines(text, |line| format!("> {line}")))));
}

#[test]
fn with_carriage_returns_a_byte_order_mark_and_odd_blanks() {
    each("txt", |text| Some(format!("\u{feff}{}", text.replace('\n', "\r\n"))));
    each("txt", |text| {
        Some(map_lines(text, |line| {
            let start = line.len() - line.trim_start().len();
            format!("{}{}", "\u{a0}".repeat(start), &line[start..])
        }))
    });
    each("json", |text| Some(format!("\u{feff}{}", text.replace('\n', "\r\n"))));
}

#[test]
fn behind_a_tab_or_with_tabs_in_front() {
    each("txt", |text| Some(map_lines(text, |line| format!("\t{line}"))));
    each("txt", |text| {
        Some(map_lines(text, |line| {
            let start = line.len() - line.trim_start().len();
            format!("{}{}{}", "\t".repeat(start / 8), " ".repeat(start % 8), &line[start..])
        }))
    });
}

#[test]
fn in_a_code_block_between_prose() {
    each("txt", |text| {
        Some(format!("It's slow (10 s):\n\n```\n{text}```\n\nNote: the cache was warm.\nThanks!\n"))
    });
    each("json", |text| Some(format!("It's slow:\n\n```json\n{text}```\n\nThanks!\n")));
    each("yaml", |text| Some(format!("It's slow:\n\n{text}\nThanks!\n")));
    each("xml", |text| Some(format!("It's slow:\n\n{text}\nThanks!\n")));
}

#[test]
fn several_in_one_input_with_prose_between() {
    for ending in ["txt", "json", "yaml", "xml"] {
        let all: Vec<String> = recorded(ending).into_iter().map(|(_, text)| text).take(9).collect();
        let count: usize = all.iter().map(|text| read(text, None).unwrap().len()).sum();
        let whole = format!("First:\n\n{}\n", all.join("\n\nand then this one [see above]:\n\n"));
        let together = read(&whole, None).unwrap();
        assert_eq!(together.len(), count, "{ending}");
        let apart: Vec<Plan> = all.iter().flat_map(|text| read(text, None).unwrap()).collect();
        assert!(same(&together, &apart), "{ending}: {}", differ(&apart, &together));
    }
}

#[test]
fn escaped_for_a_web_page() {
    let html = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    each("txt", |text| text.contains("->").then(|| html(text)));
    each("txt", |text| text.contains("->").then(|| format!("<pre><code>{}</code></pre>", html(text))));
    each("txt", |text| {
        text.contains("->").then(|| html(text).replace('\n', "<br>\n").replace("  ", "&nbsp;&nbsp;"))
    });
    each("json", |text| Some(html(text).replace('"', "&quot;")));
}

#[test]
fn quoted_line_by_line_by_a_client() {
    let quoted = |line: &str| format!("\"{}\"", line.replace('"', "\"\""));
    each("txt", |text| Some(format!("\"QUERY PLAN\"\n{}", map_lines(text, quoted))));
    // Only where the line holds a comma or a quote.
    each("txt", |text| {
        text.contains("(cost=").then(|| {
            map_lines(text, |line| if line.contains([',', '"']) { quoted(line) } else { line.to_owned() })
        })
    });
    let number = std::cell::Cell::new(0);
    each("txt", |text| {
        number.set(0);
        (text.lines().count() > 1).then(|| {
            map_lines(text, |line| {
                number.set(number.get() + 1);
                format!("{}: {}", number.get(), quoted(line))
            })
        })
    });
}

#[test]
fn in_the_borders_of_a_client() {
    let width = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    each("txt", |text| {
        let width = width(text);
        Some(format!(
            "{:width$}|\n{}+\n{}",
            "QUERY PLAN",
            "-".repeat(width),
            map_lines(text, |l| format!("{l:width$}|"))
        ))
    });
    each("txt", |text| {
        let width = width(text);
        let rule = format!("+-{}-+\n", "-".repeat(width));
        let rows = map_lines(text, |l| format!("| {l:width$} |"));
        Some(format!("{rule}| {:^width$} |\n{rule}{rows}{rule}(9 rows)\n", "QUERY PLAN"))
    });
}

#[test]
fn as_rows_of_a_client() {
    each("txt", |text| {
        let rows: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::json!({ "QUERY PLAN": line })).collect();
        Some(serde_json::to_string_pretty(&rows).unwrap())
    });
    each("json", |text| {
        let document: serde_json::Value = serde_json::from_str(text).ok()?;
        // Python's and JavaScript's own printing of a fetched row.
        Some(serde_json::json!([{ "QUERY PLAN": document }]).to_string())
    });
    each("json", |text| Some(format!("\"{}\"", text.trim_end().replace('"', "\"\""))));
    each("json", |text| Some(serde_json::Value::from(text).to_string()));
    each("txt", |text| (text.lines().count() > 3).then(|| serde_json::Value::from(text).to_string()));
}

#[test]
fn in_a_table_of_markdown() {
    each("txt", |text| {
        let escaped = |line: &str| {
            let mut out = String::new();
            for c in line.chars() {
                if matches!(c, '\\' | '(' | ')' | '_' | '[' | ']' | '*' | '|') {
                    out.push('\\');
                }
                out.push(c);
            }
            out.replace('>', "&gt;").replace('<', "&lt;")
        };
        // Without a cost nothing tells that the backslashes are Markdown's.
        let rows = map_lines(text, |line| format!("| {} |", escaped(line)));
        (text.contains("(cost=") && text.contains("->")).then(|| format!("| QUERY PLAN |\n| :--- |\n{rows}"))
    });
}

#[test]
fn as_rows_of_a_program() {
    let literal = |line: &str| format!("'{}'", line.replace('\\', "\\\\").replace('\'', "\\'"));
    each("txt", |text| {
        let rows: Vec<String> = text.lines().map(|line| format!("({},)", literal(line))).collect();
        text.contains("(cost=").then(|| format!("[{}]", rows.join(", ")))
    });
    each("txt", |text| {
        let rows = map_lines(text, |line| format!("  {{ 'QUERY PLAN': {} }},", literal(line)));
        text.contains("(cost=").then(|| format!("[\n{rows}]\n"))
    });
}

#[test]
fn with_numbers_at_the_nodes_alone() {
    each("txt", |text| {
        let number = std::cell::Cell::new(0);
        let numbered = map_lines(text, |line| {
            if line.contains("->") || line.contains("(cost=") {
                number.set(number.get() + 1);
                format!("{}. {line}", number.get())
            } else {
                format!("   {line}")
            }
        });
        let few = text.lines().filter(|line| line.contains("(cost=")).count() < 9;
        (text.contains("->") && few && !has_line_feed(text)).then_some(numbered)
    });
}

#[test]
fn with_empty_lines_and_one_character_for_two_points() {
    each("txt", |text| (!has_line_feed(text)).then(|| text.replace('\n', "\n\n").replace("..", "…")));
}

#[test]
fn as_python_prints_it() {
    each("json", |text| {
        // A string with both kinds of quotes Python escapes: such plans are left out here.
        (!text.contains('\'') && !text.contains("\\\"")).then(|| {
            let python = text
                .replace('"', "'")
                .replace("false", "False")
                .replace("true", "True")
                .replace("null", "None");
            python.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
        })
    });
}

#[test]
fn cut_by_a_terminal() {
    for width in [60, 80, 132] {
        each("txt", |text| (!has_line_feed(text)).then(|| cut(text, width)));
        each("json", |text| Some(cut(text, width)));
        each("yaml", |text| Some(cut(text, width)));
    }
    // What stood behind the last column may have lost its blanks.
    each("txt", |text| {
        (!has_line_feed(text)).then(|| map_lines(&cut(text, 83), |line| line.trim_end().to_owned()))
    });
}

#[test]
fn filled_by_a_mail_program() {
    for width in [72, 78] {
        each("txt", |text| {
            // Blanks inside literals are lost in such a mail, for us as for anybody.
            (!has_line_feed(text) && text.contains("(cost=")).then(|| filled(text, width))
        });
    }
}

#[test]
fn without_indentation() {
    let mut refused = 0;
    let mut read_right = 0;
    for (name, text) in texts() {
        let plain = read(&text, None).unwrap();
        if plain.iter().map(|plan| plan.nodes.len()).max() < Some(3) || has_line_feed(&text) {
            continue;
        }
        let bare = map_lines(&text, |line| line.trim_start().to_owned());
        match read(&bare, None) {
            Ok(plans) => {
                let tree = |plans: &[Plan]| -> Vec<String> {
                    let nodes = plans.iter().flat_map(|plan| &plan.nodes);
                    nodes.map(|n| format!("{:?} {} {:?}", n.parent, n.kind, n.detail.filter)).collect()
                };
                assert_eq!(tree(&plans), tree(&plain), "{name}: a wrong tree\n{bare}");
                read_right += 1;
            }
            Err(e) => {
                assert!(
                    e.excerpt().is_some_and(|e| e.label.contains("indentation")),
                    "{name}: {:?}\n{bare}",
                    e.excerpt()
                );
                refused += 1;
            }
        }
    }
    assert!(read_right > 60 && refused > 5, "{read_right} read, {refused} refused");
}

#[test]
fn every_format_of_psql() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pastes");
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&top).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("plain.txt").exists() {
            continue;
        }
        let plain = read(&std::fs::read_to_string(folder.join("plain.txt")).unwrap(), None).unwrap();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            count += 1;
            match read(&text, None) {
                Ok(plans) if shape(&plans) == shape(&plain) => {}
                Ok(plans) => failures.push(format!(
                    "{}: {:#?}\n{text}",
                    path.display(),
                    (shape(&plain), shape(&plans))
                )),
                Err(e) => failures.push(format!(
                    "{}: {e}: {:?} {:?}\n{text}",
                    path.display(),
                    e.causes(),
                    e.excerpt()
                )),
            }
        }
    }
    let (failed, shown) = (failures.len(), failures.into_iter().take(2).collect::<Vec<_>>());
    assert!(failed == 0, "{failed} of {count}:\n{}", shown.join("\n\n"));
    assert!(count >= 50, "{count}");
}

/// What psql's formats must not change: every execution has its own times.
fn shape(plans: &[Plan]) -> Vec<String> {
    plans
        .iter()
        .flat_map(|plan| &plan.nodes)
        .map(|n| {
            let d = &n.detail;
            let removed = d.rows_removed_by_filter.filter(|rows| *rows != 0.0);
            format!(
                "{:?} {} {:?} {:?} {:?} {:?} {:?}",
                n.parent, n.kind, n.estimate, d.filter, d.sort_key, d.hash_cond, removed
            )
        })
        .collect()
}

#[test]
fn a_plan_that_is_cut_off_says_so() {
    let text = "Hash Join  (cost=1.0..2.0 rows=1 width=4)\n  Hash Cond: (a.id = b.id)\n  ->  Seq Scan on a  (cost=0.0..1.0 rows=1 width=4)\n";
    let reading = find(text, None).unwrap();
    let cut = reading.plans[0].cut.as_deref().unwrap();
    assert_eq!(cut, "the plan is not whole: Hash Join at line 1 lacks an input");
    assert_eq!(reading.plans[0].plan.nodes.len(), 2);
}

fn log(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pastes/logs").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn entries_of_auto_explain_in_every_destination() {
    let reading = |text: &str| {
        let reading = find(text, None).unwrap_or_else(|e| panic!("{:?} {:?}", e.causes(), e.excerpt()));
        assert!(reading.left_out.is_empty(), "{:?}", reading.left_out);
        reading.plans.into_iter().map(|found| found.plan).collect::<Vec<Plan>>()
    };
    let stderr = reading(&log("stderr.log"));
    // Four statements, one of them inside a function, in four formats.
    assert_eq!(stderr.len(), 16);
    for format in stderr.chunks(4) {
        assert_eq!(shape(format), shape(&stderr[..4]));
        assert!(format.iter().all(|plan| plan.duration.is_some_and(|time| time.0 > 0.0)));
        let texts: Vec<&str> = format.iter().filter_map(|plan| plan.query_text.as_deref()).collect();
        assert_eq!(texts[0], "SELECT count(*) FROM a\nWHERE txt > 'x\n it''s \"q\"';");
        assert_eq!(texts[1], "SELECT count(*) FROM a WHERE id < 5");
        assert_eq!(format[3].query_parameters.as_deref(), Some("$1 = '3'"));
    }
    for (name, other) in [
        ("csvlog", log("csvlog.csv")),
        ("jsonlog", log("jsonlog.json")),
        ("a container's prefix", map_lines(&log("stderr.log"), |line| format!("db-1  | {line}"))),
        (
            "syslog",
            map_lines(&log("stderr.log"), |line| {
                format!("Nov 21 10:00:00 db1 postgres[17]: [5-1] {}", line.replacen('\t', "#011", 1))
            }),
        ),
        ("tabs lost", map_lines(&log("stderr.log"), |line| line.replacen('\t', "        ", 1))),
    ] {
        let plans = reading(&other);
        assert_eq!(plans.len(), stderr.len(), "{name}");
        assert_eq!(shape(&plans), shape(&stderr), "{name}");
    }
}

#[test]
fn an_entry_that_is_cut_off_is_told_and_the_others_are_read() {
    let whole = log("stderr.log");
    // Cut inside the first entry, which is in text, and inside the fifth, which is in JSON.
    let entry = |number: usize| whole.match_indices("LOG:  duration").nth(number).unwrap().0;
    for number in [4, 8, 12] {
        let cut = whole[entry(number)..].match_indices('\n').nth(9).unwrap().0 + entry(number);
        let next = whole[..entry(number + 1)].rfind('\n').unwrap();
        let text = format!("{}{}", &whole[..cut], &whole[next..]);
        let reading = find(&text, None).unwrap();
        // YAML closes nothing: what is left looks like a plan, which cannot be whole.
        let cut: Vec<String> = reading.plans.iter().filter_map(|found| found.cut.clone()).collect();
        assert_eq!(reading.plans.len() - cut.len(), 15, "{number}");
        assert_eq!(reading.left_out.len() + cut.len(), 1, "{number}");
        let told = reading.left_out.iter().chain(&cut).all(|words| words.starts_with("the plan "));
        assert!(told, "{:?} {cut:?}", reading.left_out);
    }
}

#[test]
fn what_no_server_prints_is_refused_in_time() {
    // Each was quadratic, or worse, once.
    let node = "Limit  (cost=0.00..1.00 rows=1 width=4)\n";
    let deep = format!("{node}{}", format!("  ->  {node}").repeat(20_000));
    let error = find(&deep, None).unwrap_err();
    assert!(error.excerpt().is_some_and(|e| e.label.contains("indentation")), "{:?}", error.excerpt());
    assert!(find(&"Sort  (cos\n".repeat(100_000), None).is_err());
    let flat = format!(
        "Append  (cost=0.00..1.00 rows=1 width=4)\n{}",
        format!("->  Seq Scan on t  {}Filter: x\n", &node[7..]).repeat(20_000)
    );
    assert_eq!(find(&flat, None).unwrap().plans[0].plan.nodes.len(), 20_001);
    let list: String = (0..200_000).map(|n| if n % 12 == 0 { "1000000,\n" } else { "1000000," }).collect();
    let long = format!(
        "{}  Filter: (x = ANY ('{{{list}1}}'::integer[]))\n  ->  Seq Scan on t  {}",
        node,
        &node[7..]
    );
    assert_eq!(find(&long, None).unwrap().plans[0].plan.nodes.len(), 2);
}
