-- $1: JSON array of {"oid", "pages", "rows", "visible"}. On servers of ours alone.
UPDATE pg_catalog.pg_class c SET relpages = w.pages::int, reltuples = w.rows, relallvisible = w.visible::int
FROM pg_catalog.json_to_recordset($1::json) AS w(oid oid, pages float8, rows real, visible float8)
WHERE c.oid = w.oid
