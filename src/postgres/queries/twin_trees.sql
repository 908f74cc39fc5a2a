-- $1: JSON array of {"oid", "head", "levels"}: of each B-tree the new part of its metapage and the pages below it, in
-- hexadecimal digits. A row each: the large object that now holds them, and the file they are for. On servers of ours
-- alone.
SELECT pg_catalog.lo_from_bytea(0,
    overlay(pg_catalog.pg_read_binary_file(file.path, 0, 8192) PLACING pg_catalog.decode(w.head, 'hex') FROM 33)
      || pg_catalog.decode(w.levels, 'hex'))::text, file.path
FROM pg_catalog.json_to_recordset($1::json) AS w(oid oid, head text, levels text)
CROSS JOIN LATERAL (SELECT pg_catalog.pg_relation_filepath(w.oid) AS path) file
