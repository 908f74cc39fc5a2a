-- 16 and later: when indexes were last scanned, and updates that found no room on their page.
SELECT i.indexrelid::int8::text, pg_catalog.date_part('epoch', pg_catalog.now() - pg_catalog.pg_stat_get_lastscan(i.indexrelid))::text
FROM pg_catalog.pg_index i
WHERE i.indexrelid >= 16384 AND pg_catalog.pg_stat_get_lastscan(i.indexrelid) IS NOT NULL
UNION ALL
SELECT c.oid::int8::text, pg_catalog.pg_stat_get_tuples_newpage_updated(c.oid)::text
FROM pg_catalog.pg_class c
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm') AND pg_catalog.pg_stat_get_tuples_updated(c.oid) > 0
