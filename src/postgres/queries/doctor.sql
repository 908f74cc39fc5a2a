SELECT pg_catalog.json_build_object(
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'role', CURRENT_USER,
  'superuser', pg_catalog.current_setting('is_superuser') = 'on',
  'monitor', pg_catalog.pg_has_role(CURRENT_USER, 'pg_monitor', 'USAGE'),
  'read_stats', pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_stats', 'USAGE'),
  'tables', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
  'readable', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')),
  'owned', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.pg_has_role(c.relowner, 'USAGE')),
  'available', (SELECT COALESCE(pg_catalog.json_object_agg(name, default_version), '{}')
    FROM pg_catalog.pg_available_extensions WHERE name IN ('pg_stat_statements', 'hypopg')),
  'installed', (SELECT COALESCE(pg_catalog.json_object_agg(e.extname,
      pg_catalog.json_build_object('version', e.extversion, 'schema', n.nspname)), '{}')
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname IN ('pg_stat_statements', 'hypopg')),
  'settings', (SELECT COALESCE(pg_catalog.json_object_agg(name, value), '{}')
    FROM pg_catalog.unnest(ARRAY['pg_stat_statements.max', 'pg_stat_statements.track', 'track_io_timing',
      'compute_query_id', 'autovacuum', 'track_counts', 'shared_preload_libraries']) AS name,
      -- Libraries are named to those only who may read all settings.
      LATERAL (SELECT CASE WHEN name <> 'shared_preload_libraries'
        OR pg_catalog.pg_has_role(CURRENT_USER, 'pg_read_all_settings', 'USAGE')
        THEN pg_catalog.current_setting(name, true) END AS value) s
    WHERE value IS NOT NULL),
  'in_recovery', pg_catalog.pg_is_in_recovery(),
  'hot_standby_feedback', pg_catalog.current_setting('hot_standby_feedback') = 'on',
  'at', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()),
  'started', pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()),
  'counted_since', (SELECT pg_catalog.date_part('epoch', stats_reset) FROM pg_catalog.pg_stat_database
    WHERE datname = pg_catalog.current_database()))
