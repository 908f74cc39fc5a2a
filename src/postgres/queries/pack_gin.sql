-- A row with one JSON value for each GIN index: from its metapage what VACUUM last counted there, in hexadecimal digits.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'name', c.relname,
  'counts', pg_catalog.encode(pg_catalog.substr(
    pg_catalog.pg_read_binary_file(pg_catalog.pg_relation_filepath(c.oid), 0, 72), 49, 24), 'hex'))::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'gin'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND pg_catalog.pg_relation_size(c.oid) > 0
ORDER BY n.nspname, c.relname
