-- $1: schema; $2: JSON array of index names. One JSON value: what was built.
SELECT pg_catalog.json_build_object(
  'size_bytes', pg_catalog.sum(CASE WHEN c.relkind = 'i' THEN pg_catalog.pg_relation_size(c.oid) ELSE (
    SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf) END),
  'not_yet_usable', pg_catalog.bool_or(i.indcheckxmin OR EXISTS (
    SELECT FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_index ti ON ti.indexrelid = t.relid
    WHERE ti.indcheckxmin)),
  'valid', pg_catalog.bool_and(i.indisvalid))
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname IN (SELECT pg_catalog.json_array_elements_text($2::json))
