-- A row with one JSON value for each B-tree that a plan could use: how to ask for its two ends, and for its height.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'name', c.relname,
  'table', pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname),
  'table_schema', tn.nspname,
  'table_name', t.relname,
  'column', a.attname,
  'key', pg_catalog.pg_get_indexdef(i.indexrelid, 1, false),
  'order', (SELECT pg_catalog.string_agg(
      '(' || pg_catalog.pg_get_indexdef(i.indexrelid, k, false) || ')'
        || COALESCE((SELECT ' COLLATE ' || pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
          FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
          WHERE co.oid = (i.indcollation::oid[])[k - 1]), '')
        || CASE WHEN (i.indoption::int2[])[k - 1] & 1 = 1 THEN ' DESC' ELSE '' END
        || CASE WHEN (i.indoption::int2[])[k - 1] & 2 = 2 THEN ' NULLS FIRST' ELSE ' NULLS LAST' END, ', ' ORDER BY k)
    FROM pg_catalog.generate_series(1, i.indnkeyatts) k),
  'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
  'plain', NOT EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) k
    JOIN pg_catalog.pg_opclass oc ON oc.oid = (i.indclass::oid[])[k] WHERE NOT oc.opcdefault),
  'rows', c.reltuples::float8,
  'table_rows', t.reltuples::float8,
  'blocks', pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint)::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' AND c.relpersistence <> 't'
JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'btree'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum <> 0 AND a.attnum = (i.indkey::int2[])[0]
WHERE i.indisvalid AND i.indisready AND i.indislive
  AND tn.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND pg_catalog.has_table_privilege(t.oid, 'SELECT')
ORDER BY n.nspname, c.relname
