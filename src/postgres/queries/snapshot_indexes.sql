-- One row and JSON value for each index of the user's tables; keys as numbers, which two indexes are compared by.
-- $1: the role sees the progress of other sessions' builds.
WITH own AS (
  SELECT con.conindid, pg_catalog.min(con.conname::text) AS name FROM pg_catalog.pg_constraint con
  WHERE con.conindid <> 0 AND con.contype IN ('p', 'u', 'x') GROUP BY con.conindid
), needed AS (
  SELECT con.conindid AS oid FROM pg_catalog.pg_constraint con WHERE con.conindid <> 0 AND con.contype = 'f'
  UNION
  SELECT d.refobjid FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class r ON r.oid = d.refobjid AND r.relkind IN ('i', 'I')
  WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
), extension AS (
  SELECT DISTINCT d.objid FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('e', 'x')
), special AS (
  SELECT a.attrelid,
    pg_catalog.json_object_agg(a.attnum, pg_catalog.array_to_string(a.attoptions, ',')) FILTER (WHERE a.attoptions IS NOT NULL) AS options,
    pg_catalog.json_object_agg(a.attnum, a.attstattarget) FILTER (WHERE a.attstattarget >= 0) AS targets
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('i', 'I')
  WHERE a.attoptions IS NOT NULL OR a.attstattarget >= 0
  GROUP BY a.attrelid
), building AS (
  SELECT DISTINCT p.relid FROM pg_catalog.pg_stat_progress_create_index p WHERE p.relid IS NOT NULL AND p.datname = pg_catalog.current_database()
), locked AS (
  SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
)
SELECT pg_catalog.json_build_object(
  'oid', i.indexrelid::int8,
  'table', i.indrelid::int8,
  'schema', n.nspname,
  'name', ic.relname,
  'method', am.amname,
  'columns', i.indkey::int2[],
  'key_count', i.indnkeyatts,
  'classes', i.indclass::oid[]::int8[],
  'collations', i.indcollation::oid[]::int8[],
  'orders', i.indoption::int2[],
  'expressions', CASE WHEN i.indexprs IS NULL THEN '[]' ELSE (
    SELECT pg_catalog.json_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false) ORDER BY k)
    FROM pg_catalog.generate_series(1, i.indnkeyatts) k WHERE (i.indkey::int2[])[k - 1] = 0) END,
  'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
  'class_options', COALESCE(special.options, '{}'),
  'targets', COALESCE(special.targets, '{}'),
  'options', COALESCE(ic.reloptions, '{}'),
  'unique', i.indisunique,
  'primary', i.indisprimary,
  'exclusion', i.indisexclusion,
  'immediate', i.indimmediate,
  -- The column came with 15.
  'nulls_not_distinct', CASE WHEN i.indisunique THEN COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) ELSE false END,
  'valid', i.indisvalid,
  'ready', i.indisready,
  'live', i.indislive,
  'clustered', i.indisclustered,
  'replica_identity', i.indisreplident,
  'constraint', own.name,
  'needed', needed.oid IS NOT NULL,
  'extension', extension.objid IS NOT NULL,
  'partitioned', ic.relkind = 'I',
  'parent', CASE WHEN ic.relispartition THEN (SELECT h.inhparent::int8 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = ic.oid) END,
  'pages', ic.relpages,
  'rows', CASE WHEN ic.reltuples < 0 OR (ic.reltuples = 0 AND ic.relpages = 0) THEN NULL ELSE ic.reltuples::float8 END,
  'scans', pg_catalog.pg_stat_get_numscans(i.indexrelid),
  'tuples_read', pg_catalog.pg_stat_get_tuples_returned(i.indexrelid),
  'tuples_fetched', pg_catalog.pg_stat_get_tuples_fetched(i.indexrelid),
  'build', CASE WHEN building.relid IS NOT NULL THEN 'running'
    WHEN NOT i.indisvalid AND ($1::boolean IS NOT TRUE) AND (on_table.relation IS NOT NULL OR on_index.relation IS NOT NULL) THEN 'unknown'
    ELSE 'none' END)::text,
  -- How old the entry is, for the index's own age: exact where commits are timed, else in transactions.
  pg_catalog.age(i.xmin)::text,
  CASE WHEN pg_catalog.current_setting('track_commit_timestamp') = 'on' AND i.xmin::text::int8 >= 3
    THEN pg_catalog.date_part('epoch', pg_catalog.now() - pg_catalog.pg_xact_commit_timestamp(i.xmin))::text END
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = ic.relnamespace
JOIN pg_catalog.pg_am am ON am.oid = ic.relam
LEFT JOIN own ON own.conindid = i.indexrelid
LEFT JOIN needed ON needed.oid = i.indexrelid
LEFT JOIN extension ON extension.objid = i.indexrelid
LEFT JOIN special ON special.attrelid = i.indexrelid
LEFT JOIN building ON building.relid = i.indrelid
LEFT JOIN locked on_table ON on_table.relation = i.indrelid
LEFT JOIN locked on_index ON on_index.relation = i.indexrelid
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY n.nspname, ic.relname
