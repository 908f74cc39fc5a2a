-- The same as pack_statistics.sql as far as pg_stats shows it, for a role that may not read pg_statistic: of its own
-- tables, and those that it may read. Ranges' statistics are not in that view before 17, and not taken from it.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'relation', c.relname,
  'column', pg_catalog.json_build_object(
    'name', a.attname,
    'number', a.attnum,
    'inherited', s.inherited,
    'null_fraction', s.null_frac,
    'width', s.avg_width,
    'distinct', s.n_distinct,
    'slots', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
        'kind', slot.kind, 'operator', slot.operator, 'collation', slot.coll, 'numbers', slot.numbers,
        'values', slot.vals, 'element', slot.element,
        'labels', slot.vals IS NOT NULL AND ty.typtype = 'e') ORDER BY slot.kind), '[]')
      FROM (VALUES
        (1, base.equal, base.coll, s.most_common_freqs::text, s.most_common_vals::text, base.element),
        (2, base.less, base.coll, NULL, s.histogram_bounds::text, base.element),
        (3, base.less, base.coll, CASE WHEN s.correlation IS NOT NULL
          THEN ARRAY[s.correlation]::real[]::text END, NULL, NULL),
        (4, part.equal, part.coll, s.most_common_elem_freqs::text, s.most_common_elems::text, part.element),
        (5, part.equal, part.coll, s.elem_count_histogram::text, NULL, NULL))
        AS slot(kind, operator, coll, numbers, vals, element)
      WHERE (slot.numbers IS NOT NULL OR slot.vals IS NOT NULL) AND slot.operator IS NOT NULL)))::text
FROM pg_catalog.pg_stats s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname AND NOT a.attisdropped
JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
CROSS JOIN LATERAL (
  SELECT CASE WHEN ty.typtype = 'd' THEN ty.typbasetype ELSE ty.oid END AS oid,
    CASE WHEN ty.oid = 'tsvector'::regtype THEN 'text'::regtype::oid ELSE NULLIF(ty.typelem, 0) END AS part,
    (SELECT pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
      FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
      WHERE co.oid = a.attcollation) AS coll) kind
CROSS JOIN LATERAL (
  SELECT pg_catalog.max(CASE amop.amopstrategy WHEN 3 THEN amop.amopopr::regoperator::text END) AS equal,
    pg_catalog.max(CASE amop.amopstrategy WHEN 1 THEN amop.amopopr::regoperator::text END) AS less,
    kind.coll AS coll, pg_catalog.format_type(kind.oid, NULL) AS element
  FROM pg_catalog.pg_opclass oc
  JOIN pg_catalog.pg_amop amop ON amop.amopfamily = oc.opcfamily
    AND amop.amoplefttype = oc.opcintype AND amop.amoprighttype = oc.opcintype
  JOIN pg_catalog.pg_type own ON own.oid = kind.oid
  WHERE oc.opcdefault AND oc.opcmethod = (SELECT oid FROM pg_catalog.pg_am WHERE amname = 'btree')
    AND (oc.opcintype = kind.oid OR (own.typtype = 'e' AND oc.opcintype = 'anyenum'::regtype)
      OR (own.typcategory = 'A' AND oc.opcintype = 'anyarray'::regtype)
      OR (own.typtype = 'r' AND oc.opcintype = 'anyrange'::regtype)
      OR (kind.oid = 'varchar'::regtype AND oc.opcintype = 'text'::regtype))) base
CROSS JOIN LATERAL (
  SELECT pg_catalog.max(amop.amopopr::regoperator::text) AS equal, kind.coll AS coll,
    pg_catalog.format_type(kind.part, NULL) AS element
  FROM pg_catalog.pg_opclass oc
  JOIN pg_catalog.pg_amop amop ON amop.amopfamily = oc.opcfamily
    AND amop.amoplefttype = oc.opcintype AND amop.amoprighttype = oc.opcintype AND amop.amopstrategy = 3
  WHERE oc.opcdefault AND oc.opcmethod = (SELECT oid FROM pg_catalog.pg_am WHERE amname = 'btree')
    AND (oc.opcintype = kind.part OR (kind.part = 'varchar'::regtype AND oc.opcintype = 'text'::regtype))) part
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname, a.attnum, s.inherited
