-- One row, one JSON value: the sequences that fill columns of 2 or 4 bytes, or that end as early themselves. Reading
-- one locks it until the transaction ends, so there is an end to how many are read: the largest tables' first.
WITH candidate AS (
  SELECT s.seqrelid, n.nspname, c.relname, d.refobjid AS relid, a.attname, s.seqincrement, s.seqcycle,
    pg_catalog.format_type(COALESCE(a.atttypid, s.seqtypid), NULL) AS type_name,
    LEAST(s.seqmax, CASE COALESCE(a.atttypid, s.seqtypid) WHEN 'int2'::regtype THEN 32767
      WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END) AS last_possible,
    t.reltuples
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = s.seqrelid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
  WHERE c.relpersistence <> 't' AND s.seqincrement > 0
), small AS (
  SELECT *, pg_catalog.row_number() OVER (ORDER BY reltuples DESC NULLS LAST, seqrelid) AS place,
    pg_catalog.has_sequence_privilege(seqrelid, 'SELECT,USAGE') AS allowed
  FROM candidate WHERE last_possible <= 2147483647
), read AS (
  SELECT *, CASE WHEN allowed AND place <= 1000 THEN pg_catalog.pg_sequence_last_value(seqrelid) END AS last
  FROM small
)
SELECT pg_catalog.json_build_object(
  'unread', (SELECT pg_catalog.count(*) FROM small WHERE NOT allowed OR place > 1000),
  'sequences', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', nspname, 'name', relname, 'table', relid::int8, 'column', attname, 'type_name', type_name,
      'last', last, 'end', last_possible, 'increment', seqincrement, 'cycles', seqcycle) ORDER BY nspname, relname), '[]')
    FROM read WHERE last IS NOT NULL))
