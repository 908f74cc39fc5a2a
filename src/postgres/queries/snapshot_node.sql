-- Scans of every index of another node of the cluster, one row each.
SELECT n.nspname || '.' || ic.relname, pg_catalog.pg_stat_get_numscans(i.indexrelid)::text,
  pg_catalog.pg_stat_get_tuples_returned(i.indexrelid)::text, pg_catalog.pg_stat_get_tuples_fetched(i.indexrelid)::text,
  i.indexrelid::int8::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = ic.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
