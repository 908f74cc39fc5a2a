-- One row, one JSON value: foreign keys, constraints that were never validated, operator classes.
SELECT pg_catalog.json_build_object(
  'foreign_keys', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', con.conname, 'table', con.conrelid::int8, 'target', con.confrelid::int8, 'columns', con.conkey,
      'on_delete', con.confdeltype, 'on_update', con.confupdtype) ORDER BY con.conrelid, con.conname), '[]')
    FROM pg_catalog.pg_constraint con WHERE con.contype = 'f' AND con.conparentid = 0),
  'unproven', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', con.conrelid::int8, 'name', con.conname, 'kind', con.contype,
      'target', CASE con.contype WHEN 'f' THEN con.confrelid::int8 END) ORDER BY con.conrelid, con.conname), '[]')
    FROM pg_catalog.pg_constraint con
    -- 18 has constraints that are not enforced: nobody expects them to be proven. It also has NOT NULL that is not
    -- valid. What a partition has from its table is validated there.
    WHERE con.contype IN ('c', 'f', 'n') AND NOT con.convalidated AND con.conparentid = 0 AND con.conrelid <> 0
      AND con.conislocal
      AND COALESCE((pg_catalog.to_jsonb(con) ->> 'conenforced')::boolean, true)),
  'classes', (SELECT pg_catalog.json_object_agg(oc.oid::int8, pg_catalog.json_build_object(
      'family', oc.opcfamily::int8, 'input', oc.opcintype::int8, 'key', oc.opckeytype::int8))
    FROM pg_catalog.pg_opclass oc))
