-- One row and JSON value for each table, partition, partitioned table and materialized view of the user's. Sizes are
-- those that VACUUM and ANALYZE keep: asking the file system would take a lock on each.
WITH names AS (
  SELECT a.attrelid, pg_catalog.json_object_agg(a.attnum, a.attname) AS columns
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
  GROUP BY a.attrelid
), extension AS (
  SELECT d.objid FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e'
)
SELECT pg_catalog.json_build_object(
  'oid', c.oid::int8,
  'schema', n.nspname,
  'name', c.relname,
  'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' ELSE 'materialized-view' END,
  'rows', CASE WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0) THEN NULL ELSE c.reltuples::float8 END,
  'pages', c.relpages,
  'parent', CASE WHEN c.relispartition THEN (SELECT h.inhparent::int8 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid) END,
  'unlogged', c.relpersistence = 'u',
  'extension', extension.objid IS NOT NULL,
  'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
  'readable', pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid),
  'columns', COALESCE(names.columns, '{}'),
  'options', COALESCE(c.reloptions, '{}'),
  'xid_age', CASE WHEN c.relkind <> 'p' THEN GREATEST(pg_catalog.age(c.relfrozenxid), CASE WHEN t.oid IS NOT NULL THEN pg_catalog.age(t.relfrozenxid) END) ELSE 0 END,
  'multixact_age', CASE WHEN c.relkind <> 'p' THEN GREATEST(pg_catalog.mxid_age(c.relminmxid), CASE WHEN t.oid IS NOT NULL THEN pg_catalog.mxid_age(t.relminmxid) END) ELSE 0 END,
  'counters', CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.json_build_object(
    'live_rows', pg_catalog.pg_stat_get_live_tuples(c.oid),
    'dead_rows', pg_catalog.pg_stat_get_dead_tuples(c.oid),
    'modified_since_analyze', pg_catalog.pg_stat_get_mod_since_analyze(c.oid),
    'inserts', pg_catalog.pg_stat_get_tuples_inserted(c.oid),
    'updates', pg_catalog.pg_stat_get_tuples_updated(c.oid),
    'hot_updates', pg_catalog.pg_stat_get_tuples_hot_updated(c.oid),
    'deletes', pg_catalog.pg_stat_get_tuples_deleted(c.oid),
    'sequential_scans', pg_catalog.pg_stat_get_numscans(c.oid),
    'analyzed_seconds', pg_catalog.date_part('epoch', pg_catalog.now() - GREATEST(
      pg_catalog.pg_stat_get_last_analyze_time(c.oid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid))),
    'vacuumed_seconds', pg_catalog.date_part('epoch', pg_catalog.now() - GREATEST(
      pg_catalog.pg_stat_get_last_vacuum_time(c.oid), pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)))) END)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN names ON names.attrelid = c.oid
LEFT JOIN extension ON extension.objid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid AND c.reltoastrelid <> 0
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname, c.relname
