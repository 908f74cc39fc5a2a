SELECT pg_catalog.json_build_object(
  'unique', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'table', c.relname,
      'column', a.attname, 'data_type', pg_catalog.format_type(a.atttypid, a.atttypmod))
      ORDER BY n.nspname, c.relname, a.attname), '[]')
    FROM (SELECT DISTINCT indrelid, indkey[0] AS attnum FROM pg_catalog.pg_index
      WHERE indisunique AND indnkeyatts = 1 AND indisvalid AND indpred IS NULL AND indexprs IS NULL) i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.attnum),
  'foreign', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'table', c.relname,
      'column', a.attname, 'data_type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'to_schema', tn.nspname, 'to_table', t.relname, 'to_column', ta.attname)
      ORDER BY n.nspname, c.relname, k.conname), '[]')
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    JOIN pg_catalog.pg_attribute ta ON ta.attrelid = k.confrelid AND ta.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND k.conparentid = 0 AND pg_catalog.array_length(k.conkey, 1) = 1))
