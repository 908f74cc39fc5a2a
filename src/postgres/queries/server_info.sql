SELECT pg_catalog.json_build_object(
  'version_num', pg_catalog.current_setting('server_version_num')::int,
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'database', pg_catalog.current_database(),
  'in_recovery', pg_catalog.pg_is_in_recovery(),
  'superuser', pg_catalog.current_setting('is_superuser') = 'on',
  'settings', (SELECT pg_catalog.json_object_agg(name, value)
    FROM pg_catalog.unnest(ARRAY['work_mem', 'hash_mem_multiplier', 'shared_buffers', 'effective_cache_size',
      'random_page_cost', 'seq_page_cost', 'jit', 'max_parallel_workers_per_gather', 'max_parallel_workers',
      'max_worker_processes', 'track_io_timing',
      'maintenance_work_mem', 'max_connections', 'plan_cache_mode', 'default_statistics_target']) AS name,
      LATERAL pg_catalog.current_setting(name, true) AS value
    WHERE value IS NOT NULL),
  'extensions', (SELECT COALESCE(pg_catalog.json_object_agg(e.extname,
      pg_catalog.json_build_object('version', e.extversion, 'schema', n.nspname)), '{}')
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace),
  'hypopg', (SELECT pg_catalog.json_build_object('version', e.extversion, 'schema', n.nspname)
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'hypopg'),
  -- By the index on names: this runs each time, and few databases have any.
  'trial_index', EXISTS (SELECT FROM pg_catalog.pg_class c
    WHERE c.relname >= 'pgproof_trial_' AND c.relname < 'pgproof_trial`' AND c.relkind IN ('i', 'I')))
