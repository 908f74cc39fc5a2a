-- One row, one JSON value: what a database without rows is made of.
SELECT pg_catalog.json_build_object(
  'relations', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', c.oid::int8,
      'schema', n.nspname,
      'name', c.relname,
      'kind', c.relkind,
      'table', i.indrelid::int8,
      'method', CASE WHEN i.indexrelid IS NOT NULL THEN am.amname END,
      'parent', CASE WHEN c.relispartition THEN (SELECT h.inhparent::int8 FROM pg_catalog.pg_inherits h
        WHERE h.inhrelid = c.oid LIMIT 1) END,
      'blocks', CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) / 8192 END,
      'definition', CASE WHEN i.indexrelid IS NOT NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid) END,
      'columns', (SELECT COALESCE(pg_catalog.json_object_agg(a.attnum, pg_catalog.json_build_array(a.attname,
          pg_catalog.format_type(a.atttypid, a.atttypmod))), '{}')
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'expressions', (SELECT COALESCE(pg_catalog.json_object_agg(k, pg_catalog.pg_get_indexdef(i.indexrelid, k, false)), '{}')
        FROM pg_catalog.generate_series(1, i.indnkeyatts) k WHERE (i.indkey::int2[])[k - 1] = 0),
      'strict', (SELECT COALESCE(pg_catalog.json_agg(a.attnum), '[]') FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          -- A CHECK that says so, validated or not, holds for each new row.
          AND (a.attnotnull OR c.relchecks > 0 AND EXISTS (SELECT FROM pg_catalog.pg_constraint k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
              AND pg_catalog.pg_get_expr(k.conbin, k.conrelid) = '(' || pg_catalog.quote_ident(a.attname) || ' IS NOT NULL)'))
          AND c.relkind IN ('r', 'p')
          -- A trigger before each row of an INSERT may fill what it lacks.
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
            WHERE (t.tgtype & 7) = 7 AND t.tgenabled <> 'D'
              AND (t.tgrelid = c.oid OR t.tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid))))))
      ORDER BY c.oid), '[]')
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 'p', 'i', 'I') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')),
  'objects', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', e.oid::int8, 'table', e.stxrelid::int8, 'schema', n.nspname, 'name', e.stxname) ORDER BY e.oid), '[]')
    FROM pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace),
  'enums', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.format_type(t.oid, NULL) ORDER BY t.oid), '[]')
    FROM pg_catalog.pg_type t WHERE t.typtype = 'e'))
