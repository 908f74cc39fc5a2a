SELECT pid::text, pg_catalog.date_part('epoch', backend_start)::text
FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()
