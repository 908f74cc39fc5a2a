//! Statements as varied as people write them, always the same ones: joins, subqueries, aggregates, windows, sets,
//! CTEs, writes, over the tables of `fixtures/plans/schema.sql`.

use fastrand::Rng;

/// A statement and what to set before it is explained.
pub struct Generated {
    pub settings: Vec<String>,
    /// Options of EXPLAIN beside the format.
    pub options: String,
    pub statement: String,
}

/// Columns that hold integers, by table.
const TABLES: &[(&str, &[&str], &str)] = &[
    ("a", &["id", "grp", "val"], "txt"),
    ("b", &["id", "a_id"], "note"),
    ("small", &["id"], "name"),
    ("part", &["k", "v"], "v::text"),
    ("sparse", &["id", "v"], "txt"),
    ("\"order lines\"", &["id", "\"qty \"\"n\"\"\""], "id::text"),
];

struct From {
    text: String,
    /// Alias and integer columns of what stands in it.
    sources: Vec<(String, Vec<String>, String)>,
}

/// The `number`th statement.
pub fn statement(number: u64) -> Generated {
    let mut rng = Rng::with_seed(number);
    let rng = &mut rng;
    let statement = match rng.u32(..20) {
        0..=7 => select(rng, 0),
        8..=9 => format!("{} UNION {}{}", one_column(rng), all(rng), one_column(rng)),
        10 => format!(
            "{} {} {}{}",
            one_column(rng),
            pick(rng, &["INTERSECT", "EXCEPT"]),
            all(rng),
            one_column(rng)
        ),
        11..=12 => with(rng),
        13 => recursive(rng),
        14..=15 => windows(rng),
        16 => grouping_sets(rng),
        17 => functions(rng),
        _ => write(rng),
    };
    // Undone, a write still leaves dead rows and a longer file: the next plan would differ.
    let writes = ["INSERT", "UPDATE", "DELETE", "WITH gone"].iter().any(|word| statement.starts_with(word));
    let analyze = !writes && rng.u32(..10) < 4;
    let mut options = Vec::new();
    if analyze {
        options.extend(["ANALYZE", "TIMING OFF", "SUMMARY OFF"]);
        options.push(pick(rng, &["BUFFERS OFF", "BUFFERS", "WAL"]));
    } else {
        options.push(pick(rng, &["COSTS", "COSTS OFF", "SETTINGS", "SUMMARY OFF"]));
    }
    if rng.bool() {
        options.push("VERBOSE");
    }
    let mut settings: Vec<String> =
        vec!["SET LOCAL statement_timeout = '700ms'".to_owned(), "SET LOCAL jit = off".to_owned()];
    const SWITCHES: &[&str] = &[
        "enable_hashjoin",
        "enable_mergejoin",
        "enable_nestloop",
        "enable_hashagg",
        "enable_sort",
        "enable_seqscan",
        "enable_indexscan",
        "enable_indexonlyscan",
        "enable_bitmapscan",
        "enable_material",
    ];
    for switch in SWITCHES {
        if rng.u32(..6) == 0 {
            settings.push(format!("SET LOCAL {switch} = off"));
        }
    }
    if rng.u32(..4) == 0 {
        settings.push("SET LOCAL work_mem = '64kB'".to_owned());
    }
    if rng.u32(..4) == 0 {
        for setting in [
            "parallel_setup_cost",
            "parallel_tuple_cost",
            "min_parallel_table_scan_size",
            "min_parallel_index_scan_size",
        ] {
            settings.push(format!("SET LOCAL {setting} = 0"));
        }
    }
    Generated { settings, options: options.join(", "), statement }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

fn all(rng: &mut Rng) -> &'static str {
    if rng.bool() { "ALL " } else { "" }
}

fn source(rng: &mut Rng, depth: u32, number: usize) -> From {
    if depth < 2 && rng.u32(..6) == 0 {
        let alias = pick(rng, &["q", "\"Sub Q\"", "d"]).to_owned();
        let alias = format!(
            "{}{number}{}",
            alias.trim_end_matches('"'),
            if alias.ends_with('"') { "\"" } else { "" }
        );
        let inner = from(rng, depth + 1, 2);
        let (column, condition) = (column(rng, &inner), condition(rng, &inner, depth + 1));
        let tail = pick(rng, &["", " OFFSET 0", " LIMIT 500", " GROUP BY 1"]);
        let text = format!("(SELECT {column} AS x FROM {} WHERE {condition}{tail}) {alias}", inner.text);
        return From { text, sources: vec![(alias.clone(), vec!["x".to_owned()], "x::text".to_owned())] };
    }
    let (table, columns, text) = TABLES[rng.usize(..TABLES.len())];
    let alias = format!("t{number}{depth}");
    let sample =
        if rng.u32(..25) == 0 && table != "part" { " TABLESAMPLE SYSTEM (50) REPEATABLE (7)" } else { "" };
    From {
        text: format!("{table} {alias}{sample}"),
        sources: vec![(alias, columns.iter().map(|c| (*c).to_owned()).collect(), text.to_owned())],
    }
}

fn from(rng: &mut Rng, depth: u32, most: usize) -> From {
    let mut all = source(rng, depth, 0);
    for number in 1..1 + rng.usize(..most) {
        let next = source(rng, depth, number);
        let kind = pick(rng, &["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let (left, right) = (column(rng, &all), column(rng, &next));
        // FULL JOIN takes nothing but equality.
        let equal = kind == "FULL JOIN" || rng.u32(..8) > 0;
        let operator = if equal { "=" } else { pick(rng, &["<", "<>", "="]) };
        all.text = format!("{} {kind} {} ON {left} {operator} {right}", all.text, next.text);
        all.sources.extend(next.sources);
    }
    all
}

fn column(rng: &mut Rng, from: &From) -> String {
    let (alias, columns, _) = &from.sources[rng.usize(..from.sources.len())];
    format!("{alias}.{}", columns[rng.usize(..columns.len())])
}

fn text(rng: &mut Rng, from: &From) -> String {
    let (alias, _, text) = &from.sources[rng.usize(..from.sources.len())];
    format!("{alias}.{text}")
}

fn condition(rng: &mut Rng, from: &From, depth: u32) -> String {
    let one = |rng: &mut Rng| {
        let (column, text) = (column(rng, from), text(rng, from));
        let number = rng.u32(..2000);
        match rng.u32(..if depth < 2 { 17 } else { 11 }) {
            0 => format!("{column} = {number}"),
            1 => format!("{column} < {number}"),
            2 => format!("{column} BETWEEN {} AND {number}", number / 2),
            3 => format!("{column} IN ({number}, 7, 12, 900)"),
            4 => format!("{text} LIKE '%{}%'", number % 100),
            5 => format!("{text} = 'it''s \"{number}\": (cost=1.00..2.00 rows=1 width=4)'"),
            6 => format!("{column} % 7 = 3"),
            7 => format!("{column} IS NOT NULL"),
            8 => format!("lower({text}) > 'row {number}'"),
            9 => format!("({column} = 5 OR {text} = E'a\\tb')"),
            10 => format!("coalesce({column}, 0) <> ALL ('{{1,2,{number}}}'::int[])"),
            11 => format!("{column} > (SELECT avg({0}) FROM {1})", "id", "small"),
            12 => format!("EXISTS (SELECT 1 FROM b e WHERE e.a_id = {column})"),
            13 => format!("NOT EXISTS (SELECT 1 FROM a e WHERE e.grp = {column} AND e.id < {number})"),
            14 => format!("{column} IN (SELECT a_id FROM b WHERE id < {number})"),
            15 => format!("{column} NOT IN (SELECT grp FROM a WHERE id < 50)"),
            _ => format!("{column} = ANY (ARRAY(SELECT id FROM small))"),
        }
    };
    let first = one(rng);
    match rng.u32(..4) {
        0 => format!("{first} AND {}", one(rng)),
        1 => format!("({first} OR {})", one(rng)),
        _ => first,
    }
}

fn tail(rng: &mut Rng, columns: usize) -> String {
    let order = match rng.u32(..3) {
        0 => format!(" ORDER BY {}{}", 1 + rng.usize(..columns), pick(rng, &["", " DESC", " NULLS FIRST"])),
        _ => String::new(),
    };
    format!("{order}{}", pick(rng, &["", "", " LIMIT 10", " LIMIT 10 OFFSET 20", " OFFSET 5"]))
}

fn select(rng: &mut Rng, depth: u32) -> String {
    let from = from(rng, depth, 4);
    let condition = condition(rng, &from, depth);
    let (one, other, words) = (column(rng, &from), column(rng, &from), text(rng, &from));
    match rng.u32(..7) {
        0 => format!("SELECT count(*), sum({one}) FROM {} WHERE {condition}", from.text),
        1 => {
            format!("SELECT {one}, count(*) FROM {} WHERE {condition} GROUP BY 1{}", from.text, tail(rng, 2))
        }
        2 => format!("SELECT DISTINCT {one}, {words} FROM {} WHERE {condition}{}", from.text, tail(rng, 2)),
        3 => format!(
            "SELECT {one}, (SELECT max(id) FROM b s WHERE s.a_id = {other}) FROM {} WHERE {condition}{}",
            from.text,
            tail(rng, 2)
        ),
        4 => format!(
            "SELECT min({one}), max({other}) FROM {} WHERE {condition} HAVING count(*) > 1",
            from.text
        ),
        5 => format!(
            "SELECT {one}, l.id FROM {} CROSS JOIN LATERAL (SELECT id FROM a z WHERE z.grp = {other} ORDER BY val LIMIT 2) l WHERE {condition} LIMIT 50",
            from.text
        ),
        _ => format!("SELECT {one}, {other}, {words} FROM {} WHERE {condition}{}", from.text, tail(rng, 3)),
    }
}

fn one_column(rng: &mut Rng) -> String {
    let from = from(rng, 1, 2);
    let (column, condition) = (column(rng, &from), condition(rng, &from, 2));
    format!("SELECT {column} FROM {} WHERE {condition}", from.text)
}

fn with(rng: &mut Rng) -> String {
    let how = pick(rng, &["MATERIALIZED", "NOT MATERIALIZED", ""]);
    let name = pick(rng, &["w", "\"my cte\"", "\"CTE\""]);
    let inner = one_column(rng);
    let condition = pick(rng, &["x.c > 10", "x.c = y.c", "x.c IN (SELECT id FROM small)"]);
    format!("WITH {name}(c) AS {how} ({inner}) SELECT x.c, count(*) FROM {name} x JOIN {name} y USING (c) WHERE {condition} GROUP BY 1{}", tail(rng, 2))
        .replace("y.c", "x.c")
}

fn recursive(rng: &mut Rng) -> String {
    let (until, all) = (5 + rng.u32(..40), all(rng));
    format!(
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION {all}SELECT n + 1 FROM r WHERE n < {until}) SELECT r.n, s.name FROM r LEFT JOIN small s ON s.id = r.n{}",
        tail(rng, 2)
    )
}

fn windows(rng: &mut Rng) -> String {
    let from = from(rng, 1, 2);
    let (one, other) = (column(rng, &from), column(rng, &from));
    let condition = condition(rng, &from, 2);
    let frame = pick(rng, &["", " ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", " RANGE UNBOUNDED PRECEDING"]);
    let function = pick(rng, &["row_number()", "rank()", "sum(1)", "count(*)"]);
    let outer = pick(rng, &["", "WHERE n <= 3", "WHERE n < 100 ORDER BY n"]);
    format!(
        "SELECT * FROM (SELECT {one} AS c, {function} OVER (PARTITION BY {other} ORDER BY {one}{frame}) AS n FROM {} WHERE {condition}) w {outer} LIMIT 100",
        from.text
    )
}

fn grouping_sets(rng: &mut Rng) -> String {
    let sets = pick(
        rng,
        &[
            "ROLLUP (grp, val % 3)",
            "CUBE (grp, val % 3)",
            "GROUPING SETS ((grp), (val % 3), ())",
            "GROUPING SETS ((grp, val % 3), ())",
        ],
    );
    format!(
        "SELECT grp, val % 3, count(*) FROM a WHERE id < {} GROUP BY {sets}{}",
        100 + rng.u32(..3000),
        tail(rng, 3)
    )
}

fn functions(rng: &mut Rng) -> String {
    let number = 1 + rng.u32(..20);
    pick(rng, &[
        "SELECT g, s.name FROM generate_series(1, N) g LEFT JOIN small s ON s.id = g",
        "SELECT * FROM ROWS FROM (generate_series(1, N), unnest(ARRAY[1, 2])) WITH ORDINALITY AS r(a, b, o)",
        "SELECT unnest(ARRAY[id, N]), name FROM small",
        "SELECT * FROM (VALUES (1, 'x'), (N, 'y')) v(n, \"the text\") JOIN a ON a.id = v.n",
        "SELECT * FROM a WHERE ctid = '(N,1)'",
        "SELECT j.k, j.value FROM small, json_each_text('{\"a\": N}'::json) AS j(k, value)",
        "SELECT count(*) FROM regexp_split_to_table(repeat('a b ', N), ' ') w",
        "SELECT * FROM small WHERE id < N FOR UPDATE",
        "SELECT 1 WHERE false",
        "SELECT N, current_setting('work_mem')",
    ])
    .replace('N', &number.to_string())
}

fn write(rng: &mut Rng) -> String {
    let number = 1 + rng.u32(..300);
    pick(rng, &[
        "INSERT INTO target SELECT id + 10000, N FROM small RETURNING id",
        "INSERT INTO target VALUES (N, 1) ON CONFLICT (id) DO UPDATE SET n = target.n + 1 WHERE target.n < N",
        "INSERT INTO target VALUES (N, 1) ON CONFLICT DO NOTHING",
        "UPDATE target SET n = N WHERE id < N",
        "UPDATE target t SET n = s.id FROM small s WHERE s.id = t.id RETURNING t.id, s.name",
        "DELETE FROM target WHERE id IN (SELECT a_id FROM b WHERE id < N)",
        "UPDATE part SET v = v + 1 WHERE k BETWEEN N AND N + 900",
        "DELETE FROM part p USING small s WHERE p.k = s.id",
        "WITH gone AS (DELETE FROM target WHERE id < N RETURNING id) SELECT count(*) FROM gone",
    ])
    .replace('N', &number.to_string())
}
