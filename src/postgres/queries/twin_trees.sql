-- $1: JSON array of {"oid", "at", "head", "pages"}: of each index the new part of its metapage, the byte it begins at,
-- and pages to follow, in hexadecimal digits. A row each: the large object that now holds them, and the file they are
-- for. On servers of ours alone.
SELECT pg_catalog.lo_from_bytea(0,
    overlay(pg_catalog.pg_read_binary_file(file.path) PLACING pg_catalog.decode(w.head, 'hex') FROM w.at + 1)
      || pg_catalog.decode(w.pages, 'hex'))::text, file.path
FROM pg_catalog.json_to_recordset($1::json) AS w(oid oid, at int, head text, pages text)
CROSS JOIN LATERAL (SELECT pg_catalog.pg_relation_filepath(w.oid) AS path) file
