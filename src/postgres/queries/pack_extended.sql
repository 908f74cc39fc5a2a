-- A row with one JSON value for each extended statistics object that ANALYZE has filled: its parts as bytes, which a
-- server of the same major takes back, and those of its expressions like a column's.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'name', e.stxname,
  'table', pg_catalog.json_build_object('schema', tn.nspname, 'name', t.relname),
  'definition', pg_catalog.pg_get_statisticsobjdef(e.oid),
  'inherited', COALESCE((pg_catalog.to_json(d)->>'stxdinherit')::boolean, false),
  'distinct', pg_catalog.encode(d.stxdndistinct::bytea, 'hex'),
  'dependencies', pg_catalog.encode(d.stxddependencies::bytea, 'hex'),
  'common', pg_catalog.encode(d.stxdmcv::bytea, 'hex'))::text
FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_statistic_ext_data d ON d.stxoid = e.oid
JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
JOIN pg_catalog.pg_class t ON t.oid = e.stxrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
ORDER BY n.nspname, e.stxname, 1
