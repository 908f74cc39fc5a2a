-- $1: the prefix of trial objects. One row per trial index that a backend is still building or dropping.
SELECT n.nspname::text, c.relname::text, l.pid::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_locks l ON l.locktype = 'relation' AND l.relation = i.indrelid
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
WHERE pg_catalog.starts_with(c.relname::text, $1)
ORDER BY n.nspname, c.relname
