-- One row, one JSON value: the user's relations, what this transaction did to them, the locks of this session. On
-- servers of ours alone.
WITH own AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relfilenode, c.relispartition, c.relam,
    c.relrowsecurity
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I', 'v', 'S') AND c.oid >= 16384
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'
)
SELECT pg_catalog.json_build_object(
  'relations', (SELECT COALESCE(pg_catalog.json_object_agg(c.oid, pg_catalog.json_build_object(
      'name', pg_catalog.quote_ident(c.nspname) || '.' || pg_catalog.quote_ident(c.relname),
      'kind', c.relkind,
      'file', c.relfilenode::int8,
      'table', i.indrelid::int8,
      'parent', CASE WHEN c.relispartition THEN (SELECT h.inhparent::int8 FROM pg_catalog.pg_inherits h
        WHERE h.inhrelid = c.oid LIMIT 1) END,
      'columns', CASE WHEN c.relkind IN ('r', 'p', 'm', 'v') THEN (
        SELECT COALESCE(pg_catalog.json_object_agg(a.attnum, pg_catalog.json_build_array(a.attname,
          pg_catalog.format_type(a.atttypid, a.atttypmod),
          a.attnotnull AND (a.attrelid, a.attnum) NOT IN (
            SELECT k.conrelid, k.conkey[1] FROM pg_catalog.pg_constraint k
            WHERE k.contype = 'n' AND NOT k.convalidated AND k.conrelid <> 0 AND k.conkey[1] IS NOT NULL),
          a.atthasdef OR a.atthasmissing OR a.attidentity <> '', a.atttypid || ' ' || a.atttypmod)), '{}')
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
        ELSE '{}' END,
      'rest', (SELECT pg_catalog.json_build_array(a.attnum, pg_catalog.pg_get_partition_constraintdef(c.oid))
        FROM pg_catalog.pg_partitioned_table p
        JOIN pg_catalog.pg_attribute key ON key.attrelid = p.partrelid AND key.attnum = (p.partattrs::int2[])[0]
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = key.attname AND NOT a.attisdropped
        WHERE p.partdefid = c.oid AND p.partnatts = 1 AND pg_catalog.pg_get_partition_constraintdef(c.oid) IS NOT NULL),
      'hidden', c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p
        WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('r', '*')),
      'made', CASE WHEN i.indexrelid IS NOT NULL THEN pg_catalog.json_build_array(i.indisunique,
        i.indisvalid, (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = c.relam),
        (i.indkey::int2[])[0:i.indnkeyatts - 1], pg_catalog.pg_get_expr(i.indpred, i.indrelid),
        -- Since 15.
        COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
        pg_catalog.pg_get_expr(i.indexprs, i.indrelid)) END)), '{}')
    FROM own c LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid),
  'counts', (SELECT COALESCE(pg_catalog.json_object_agg(c.oid, pg_catalog.json_build_array(
      pg_catalog.pg_stat_get_xact_numscans(c.oid),
      pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid))), '{}')
    FROM own c WHERE c.relkind IN ('r', 'm') AND pg_catalog.pg_stat_get_xact_numscans(c.oid) > 0),
  'locks', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(l.relation::int8, l.mode)), '[]')
    FROM pg_catalog.pg_locks l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation >= 16384
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())),
  'lock_timeout', (SELECT s.setting::float8 FROM pg_catalog.pg_settings s WHERE s.name = 'lock_timeout'),
  'constraints', (SELECT COALESCE(pg_catalog.json_object_agg(k.oid, pg_catalog.json_build_object(
      'table', k.conrelid::int8,
      'name', k.conname,
      'kind', k.contype,
      'validated', k.convalidated,
      'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'index', NULLIF(k.conindid, 0)::int8,
      'columns', COALESCE(k.conkey, '{}'),
      'refers', NULLIF(k.confrelid, 0)::int8,
      'refers_to', COALESCE(k.confkey, '{}'),
      'inherited', k.conparentid <> 0)), '{}')
    FROM pg_catalog.pg_constraint k JOIN own c ON c.oid = k.conrelid
    WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')))
