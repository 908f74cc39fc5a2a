-- One row, one JSON value: since when this server counts, what this role sees, what holds vacuum back.
-- A crash empties the counters and moves the background writer's reset, while the database's stays NULL.
WITH reset AS (
  SELECT pg_catalog.pg_stat_get_db_stat_reset_time(d.oid) AS database,
    pg_catalog.pg_stat_get_bgwriter_stat_reset_time() AS cluster
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
), rights AS (
  SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') OR pg_catalog.current_setting('is_superuser') = 'on' AS all_stats
), sender AS (
  SELECT r.application_name, r.backend_xmin, w.slot_name FROM pg_catalog.pg_stat_replication r
  LEFT JOIN pg_catalog.pg_replication_slots w ON w.active_pid = r.pid
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = r.pid
  -- A logical one belongs to a database.
  WHERE a.datname IS NULL AND r.application_name NOT IN ('pg_receivewal', 'pg_basebackup')
)
SELECT pg_catalog.json_build_object(
  'counting_seconds', pg_catalog.date_part('epoch', pg_catalog.now() - GREATEST(reset.database, reset.cluster)),
  -- Up to 14 a database's counters are made anew at its first use after a crash, which counts as a reset.
  'counting_since', CASE WHEN reset.database >= reset.cluster AND pg_catalog.current_setting('server_version_num')::int >= 150000
    THEN 'counters of this database were reset' WHEN reset.database >= reset.cluster
    THEN 'counters of this database were reset, or the server crashed' ELSE 'the server was made, crashed, or reset its counters' END,
  'in_recovery', pg_catalog.pg_is_in_recovery(),
  'database', (SELECT d.oid::int8 FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
  'identifies', pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'),
  'counts', pg_catalog.current_setting('track_counts') = 'on',
  'commit_timestamps', pg_catalog.current_setting('track_commit_timestamp') = 'on',
  'reads_all_stats', rights.all_stats,
  'block_size', pg_catalog.current_setting('block_size')::int,
  'standbys', CASE WHEN rights.all_stats THEN (SELECT pg_catalog.count(*) FROM sender) END,
  'wal_senders', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),
  'holders', (SELECT COALESCE(pg_catalog.json_agg(h), '[]') FROM (
      -- Between two statements a transaction has no snapshot, and once it has written it still holds vacuum back. A
      -- VACUUM holds back no other.
      SELECT 'transaction' AS kind, 'process ' || a.pid AS name,
        GREATEST(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) AS xid_age,
        pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start) AS seconds, a.state,
        a.usename AS owner, false AS catalogs_only
      FROM pg_catalog.pg_stat_activity a
      WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
        -- Of other roles' sessions not every role sees the kind; autovacuum's belong to nobody.
        AND (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usesysid IS NOT NULL)
        AND a.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database()
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.pid = a.pid)
      UNION ALL
      SELECT 'prepared transaction', p.gid, pg_catalog.age(p.transaction),
        pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.prepared), NULL, p.owner, false
      FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database()
      UNION ALL
      SELECT 'replication slot', s.slot_name, GREATEST(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)), NULL,
        CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL, s.xmin IS NULL
      FROM pg_catalog.pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
      UNION ALL
      SELECT 'standby', s.application_name, pg_catalog.age(s.backend_xmin), NULL, NULL, NULL, false
      FROM sender s WHERE s.backend_xmin IS NOT NULL
      ORDER BY xid_age DESC LIMIT 20) h),
  'slots', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', s.slot_name, 'kind', s.slot_type, 'active', s.active, 'wal_status', s.wal_status,
      'retained_bytes', CASE WHEN NOT pg_catalog.pg_is_in_recovery()
        THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) END) ORDER BY s.slot_name), '[]')
    FROM pg_catalog.pg_replication_slots s),
  'databases', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', d.datname, 'xid_age', pg_catalog.age(d.datfrozenxid), 'multixact_age', pg_catalog.mxid_age(d.datminmxid),
      'here', d.datname = pg_catalog.current_database()) ORDER BY d.datname)
    FROM pg_catalog.pg_database d),
  'settings', (SELECT pg_catalog.json_object_agg(s.name,
      pg_catalog.json_build_object('value', s.setting, 'unit', s.unit, 'source', s.source))
    FROM pg_catalog.pg_settings s WHERE s.name IN ('autovacuum', 'autovacuum_analyze_threshold',
      'autovacuum_analyze_scale_factor', 'autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor',
      'autovacuum_vacuum_max_threshold', 'autovacuum_freeze_max_age', 'autovacuum_multixact_freeze_max_age',
      'random_page_cost', 'seq_page_cost', 'effective_cache_size', 'shared_buffers', 'work_mem', 'hash_mem_multiplier',
      'max_connections', 'jit', 'jit_above_cost', 'default_statistics_target', 'fsync', 'full_page_writes',
      'enable_seqscan', 'enable_indexscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_nestloop', 'enable_sort',
      'enable_bitmapscan', 'enable_indexonlyscan', 'enable_hashagg', 'max_slot_wal_keep_size', 'track_counts',
      'track_io_timing')))
FROM reset, rights
