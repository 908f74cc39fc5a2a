-- One row, one JSON value: the server as far as its planner's choices depend on it.
SELECT pg_catalog.json_build_object(
  'version_num', pg_catalog.current_setting('server_version_num')::int,
  'database', d.datname,
  'encoding', pg_catalog.pg_encoding_to_char(d.encoding),
  'collate', d.datcollate,
  'ctype', d.datctype,
  -- The columns' names differ by version: daticulocale (15), datlocale (17).
  'provider', COALESCE(pg_catalog.to_json(d)->>'datlocprovider', 'c'),
  'locale', COALESCE(pg_catalog.to_json(d)->>'datlocale', pg_catalog.to_json(d)->>'daticulocale'),
  'block_size', pg_catalog.current_setting('block_size')::int,
  'settings', (SELECT pg_catalog.json_object_agg(s.name, pg_catalog.current_setting(s.name) ORDER BY s.name)
    FROM pg_catalog.pg_settings s
    WHERE s.context IN ('user', 'superuser')
      AND (s.category LIKE 'Query Tuning%' OR s.name IN ('work_mem', 'hash_mem_multiplier', 'jit',
        'max_parallel_workers', 'max_parallel_workers_per_gather', 'timezone', 'TimeZone',
        'default_statistics_target', 'temp_buffers', 'array_nulls', 'transform_null_equals'))),
  'search_path', pg_catalog.current_setting('search_path'),
  'extensions', (SELECT COALESCE(pg_catalog.json_object_agg(e.extname, e.extversion ORDER BY e.extname), '{}')
    FROM pg_catalog.pg_extension e),
  'reads_statistics', pg_catalog.has_table_privilege('pg_catalog.pg_statistic', 'SELECT'),
  'reads_extended', pg_catalog.has_table_privilege('pg_catalog.pg_statistic_ext_data', 'SELECT'),
  'reads_files', pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text,bigint,bigint)', 'EXECUTE'))
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
