-- $1: the prefix of trial objects. One row per trial index that no backend is building or dropping.
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE pg_catalog.starts_with(c.relname::text, $1)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'relation' AND l.relation IN (i.indrelid, i.indexrelid)
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid())
ORDER BY n.nspname, c.relname
