-- Reads of single blocks by clients, 16 and later: scans of large tables count elsewhere.
SELECT COALESCE(pg_catalog.sum(s.reads), 0)::float8::text, COALESCE(pg_catalog.sum(s.read_time), 0)::float8::text
FROM pg_catalog.pg_stat_io s
WHERE s.backend_type = 'client backend' AND s.object = 'relation' AND s.context = 'normal'
