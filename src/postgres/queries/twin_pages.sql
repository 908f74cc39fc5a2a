-- $1: JSON array of [large object, file]: writes the ones over the others. On servers of ours alone.
SELECT pg_catalog.lo_export((w->>0)::oid, w->>1)::text, pg_catalog.lo_unlink((w->>0)::oid)::text
FROM pg_catalog.json_array_elements($1::json) w
