-- $1: process; $2: when it started. One row while it lives; it is told to end each time we look.
SELECT pg_catalog.pg_terminate_backend(pid)::text
FROM pg_catalog.pg_stat_get_activity($1::int) WHERE pg_catalog.date_part('epoch', backend_start)::text = $2
