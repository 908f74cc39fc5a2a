SELECT pg_catalog.json_build_object(
  'server', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'database', pg_catalog.current_database(),
  'extension', (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements'),
  'schema', (SELECT n.nspname FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'),
  'available', EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pg_stat_statements'),
  'at', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()),
  'started', pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()),
  'max', pg_catalog.current_setting('pg_stat_statements.max', true)::int8,
  'track', pg_catalog.current_setting('pg_stat_statements.track', true),
  'planning', COALESCE(pg_catalog.current_setting('pg_stat_statements.track_planning', true), 'off') = 'on',
  'io_timing', pg_catalog.current_setting('track_io_timing') = 'on',
  'query_ids', COALESCE(pg_catalog.current_setting('compute_query_id', true), 'auto') <> 'off',
  'identifies', pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'),
  'role', CURRENT_USER)
