-- A row with one JSON value for each column's statistics, as pg_statistic stores them. The last part of a slot is the
-- type of the values that the array holds: for arrays, tsvector and ranges not the column's.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'relation', c.relname,
  'column', pg_catalog.json_build_object(
    'name', a.attname,
    'number', a.attnum,
    'inherited', s.stainherit,
    'null_fraction', s.stanullfrac,
    'width', s.stawidth,
    'distinct', s.stadistinct,
    'slots', /* pack_slots.sql */))::text
FROM pg_catalog.pg_statistic s
JOIN pg_catalog.pg_class c ON c.oid = s.starelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'm', 'p', 'i', 'I') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY n.nspname, c.relname, a.attnum, s.stainherit
