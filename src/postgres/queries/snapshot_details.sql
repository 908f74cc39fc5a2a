-- $1: JSON array of the OIDs of indexes in question. One row and JSON value for each: what it takes to make it again.
SELECT c.oid::int8::text, pg_catalog.json_build_object(
  'definition', pg_catalog.pg_get_indexdef(c.oid),
  'tablespace', ts.spcname,
  'comment', pg_catalog.obj_description(c.oid, 'pg_class'),
  'children', CASE WHEN c.relkind = 'I' THEN (
    SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
        'schema', cn.nspname, 'name', k.relname, 'partitioned', k.relkind = 'I',
        'parent_schema', pn.nspname, 'parent_name', p.relname,
        'definition', pg_catalog.pg_get_indexdef(k.oid), 'tablespace', kt.spcname,
        'comment', pg_catalog.obj_description(k.oid, 'pg_class'),
        'predicate', (SELECT pg_catalog.pg_get_expr(x.indpred, x.indrelid) FROM pg_catalog.pg_index x WHERE x.indexrelid = k.oid))
      ORDER BY t.level, cn.nspname, k.relname), '[]')
    FROM pg_catalog.pg_partition_tree(c.oid) t
    JOIN pg_catalog.pg_class k ON k.oid = t.relid
    JOIN pg_catalog.pg_namespace cn ON cn.oid = k.relnamespace
    JOIN pg_catalog.pg_class p ON p.oid = t.parentrelid
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
    LEFT JOIN pg_catalog.pg_tablespace kt ON kt.oid = k.reltablespace
    WHERE t.level > 0) ELSE '[]' END)::text
FROM pg_catalog.json_array_elements_text($1::json) asked
JOIN pg_catalog.pg_class c ON c.oid = asked::oid
LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
