-- A row with one JSON value for each table, materialized view and index of the user's, in the order of their names.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'name', c.relname,
  'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' WHEN 'm' THEN 'materialized-view'
    WHEN 'i' THEN 'index' ELSE 'partitioned-index' END,
  'table', CASE WHEN t.oid IS NOT NULL
    THEN pg_catalog.json_build_object('schema', tn.nspname, 'name', t.relname) END,
  'definition', CASE WHEN i.indexrelid IS NOT NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid) END,
  'pages', c.relpages,
  'rows', c.reltuples::float8,
  'visible', c.relallvisible,
  'blocks', CASE WHEN c.relkind IN ('r', 'm', 'i') THEN pg_catalog.pg_relation_size(c.oid)
    / pg_catalog.current_setting('block_size')::bigint END,
  'unreadable', CASE WHEN c.relkind IN ('r', 'm', 'p')
      AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid)) THEN true
    ELSE false END,
  'height', NULL,
  'columns', '[]'::json)::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind IN ('r', 'm', 'p', 'i', 'I') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\_temp\_%'
  AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
ORDER BY n.nspname, c.relname
