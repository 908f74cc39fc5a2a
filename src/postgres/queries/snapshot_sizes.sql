-- $1: JSON array of OIDs. Bytes on disk of each; of a partitioned index those of all below it. It waits where somebody
-- holds an exclusive lock.
SELECT asked, CASE c.relkind
  WHEN 'I' THEN (SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
  ELSE pg_catalog.pg_relation_size(c.oid) END::text
FROM pg_catalog.json_array_elements_text($1::json) asked
JOIN pg_catalog.pg_class c ON c.oid = asked::oid
WHERE c.relkind IN ('i', 'I', 'r', 'm')
