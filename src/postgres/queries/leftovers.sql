-- $1: the prefix of trial objects. One row per trial index: schema, name, the process that is building or dropping it
-- (NULL: nobody), whether this is a standby. Vacuum and ANALYZE take the same lock and are not at work on it.
SELECT n.nspname::text, c.relname::text, worker.pid::text, pg_catalog.pg_is_in_recovery()::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT pg_catalog.min(l.pid) AS pid
  FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'relation' AND l.relation IN (i.indrelid, i.indexrelid)
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
    AND l.pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_progress_vacuum
      UNION ALL SELECT pid FROM pg_catalog.pg_stat_progress_analyze)
) worker ON true
WHERE pg_catalog.starts_with(c.relname::text, $1) AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname
