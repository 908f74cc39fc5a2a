SELECT pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())::text, pg_catalog.current_database()::text,
  (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
