#!/usr/bin/env python3
"""Writes a project of 300 migrations and 450 queries into the folder named: what `pgproof check` is timed on.

    benches/scale/check.py /tmp/project && cd /tmp/project
    # make a database of base/, fill it, then: pgproof pack -d … -o pack.json
    time pgproof check migrations --base base --pack pack.json --queries queries.sql
"""
import os
import sys

root = sys.argv[1]
for folder in ("base", "migrations"):
    os.makedirs(os.path.join(root, folder), exist_ok=True)
TABLES = 120
files = {}
number = 0


def add(text):
    global number
    number += 1
    files[f"{20240101000000 + number}_step.sql"] = text


for table in range(TABLES):
    parent = f" REFERENCES t{table - 1}" if table % 3 else ""
    add(
        f"CREATE TABLE t{table} (id bigint PRIMARY KEY, parent bigint{parent}, kind int, note text, at timestamptz);\n"
        f"CREATE INDEX t{table}_parent ON t{table} (parent);\nCREATE INDEX t{table}_kind ON t{table} (kind, at);\n"
    )
for table in range(TABLES):
    add(f"ALTER TABLE t{table} ADD COLUMN extra int DEFAULT 0;\nCREATE INDEX t{table}_at ON t{table} (at);\n")
base = dict(files)
for table in range(0, 60):
    kind = table % 4
    text = {
        0: f"SET LOCAL lock_timeout = '2s';\nALTER TABLE t{table} ADD COLUMN more text;\n",
        1: f"SET LOCAL lock_timeout = '2s';\nALTER TABLE t{table} ALTER COLUMN kind TYPE bigint;\n",
        2: f"DROP INDEX t{table}_parent;\n",
        3: f"CREATE INDEX t{table}_note ON t{table} (note);\n",
    }[kind]
    add(text)
for name, text in base.items():
    open(os.path.join(root, "base", name), "w").write(text)
for name, text in files.items():
    open(os.path.join(root, "migrations", name), "w").write(text)
queries = []
for at in range(450):
    table = at % TABLES
    other = max(table - 1, 0)
    queries.append(
        [
            f"SELECT * FROM t{table} WHERE parent = $1",
            f"SELECT id, note FROM t{table} WHERE kind = $1 ORDER BY at DESC LIMIT 20",
            f"SELECT c.id, p.note FROM t{table} c JOIN t{other} p ON p.id = c.parent WHERE p.kind = $1",
            f"SELECT kind, count(*) FROM t{table} WHERE at > $1 GROUP BY kind",
        ][at // TABLES]
    )
open(os.path.join(root, "queries.sql"), "w").write(";\n".join(queries) + ";\n")
fill = "\n".join(
    f"INSERT INTO t{t} (id, parent, kind, note, at) SELECT g, {'g' if t % 3 else 'g % 500'}, g % 50, md5(g::text), "
    f"now() - g * interval '1 minute' FROM generate_series(1, 20000) g;"
    for t in range(TABLES)
)
open(os.path.join(root, "fill.sql"), "w").write(fill + "\nVACUUM ANALYZE;\n")
print(f"{len(files)} migrations, {len(files) - len(base)} of them new, {len(queries)} queries")
