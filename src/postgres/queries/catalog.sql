-- $1: JSON array of {"schema", "name"}; $2: JSON array of function names; $3: the statement writes;
-- $4: it has parameters.
-- One row, one JSON value: everything known of these relations, of the partitioned tables above them, and of
-- the functions' volatility. Of a statement that writes also of the relations whose foreign keys its deletes and
-- updates may reach, one cascading into the next.
WITH RECURSIVE asked AS (
  SELECT c.oid
  FROM pg_catalog.json_to_recordset($1::json) AS wanted(schema text, name text)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
), referring AS MATERIALIZED (
  -- A partition's copy of a key that its whole table has is left out: nothing is checked through it.
  SELECT con.oid, con.conname, con.conrelid, con.confrelid, con.conkey,
    con.confdeltype <> 'a' AND con.confdeltype <> 'r' OR con.confupdtype <> 'a' AND con.confupdtype <> 'r' AS cascades
  FROM pg_catalog.pg_constraint con
  LEFT JOIN pg_catalog.pg_constraint whole ON whole.oid = con.conparentid
  WHERE $3::boolean AND con.contype = 'f' AND con.confrelid IS DISTINCT FROM whole.confrelid
), reached AS (
  SELECT oid, true AS cascades FROM asked
  UNION
  SELECT r.conrelid, r.cascades FROM reached JOIN referring r ON r.confrelid = reached.oid WHERE reached.cascades
), named AS (
  SELECT DISTINCT oid FROM reached
), target AS (
  SELECT oid FROM named
  UNION
  SELECT pg_catalog.pg_partition_root(c.oid)::oid
  FROM named JOIN pg_catalog.pg_class c USING (oid) WHERE c.relispartition
), called AS MATERIALIZED (
  SELECT p.proname, p.provolatile, p.pronamespace FROM pg_catalog.pg_proc p
  WHERE p.proname = ANY (ARRAY(SELECT pg_catalog.json_array_elements_text($2::json))::name[])
), database AS (
  SELECT d.datcollate IN ('C', 'POSIX') AS c_collation
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
)
SELECT pg_catalog.json_build_object(
  'functions', COALESCE((
    SELECT pg_catalog.json_object_agg(f.proname, f.volatility) FROM (
      SELECT proname, pg_catalog.max(provolatile::text) AS volatility FROM called GROUP BY proname) f), '{}'),
  'volatile_functions', COALESCE((
    SELECT pg_catalog.json_agg(DISTINCT proname) FROM called
    WHERE provolatile = 'v'
      AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)), '[]'),
  'relations', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'schema', n.nspname,
      'name', c.relname,
      'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' WHEN 'm' THEN 'materialized-view'
        WHEN 'f' THEN 'foreign' ELSE 'other' END,
      'rows', CASE WHEN c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0) THEN NULL ELSE c.reltuples::float8 END,
      'pages', c.relpages,
      'all_visible_pages', c.relallvisible,
      'size_bytes', CASE WHEN c.relkind IN ('r', 'm', 't') THEN pg_catalog.pg_relation_size(c.oid) END,
      'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
      'statistics_visible', pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND NOT pg_catalog.row_security_active(c.oid),
      'temporary', c.relpersistence = 't',
      'options', COALESCE(c.reloptions, '{}'),
      -- An index serves a key whose columns, in any order, are its first ones. NULLs are never looked for.
      'referenced_by', (
        SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
          'name', r.conname,
          'triggers', (SELECT COALESCE(pg_catalog.json_agg(t.tgname ORDER BY t.tgname), '[]')
            FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = r.oid AND t.tgrelid = c.oid),
          'schema', kn.nspname,
          'relation', k.relname,
          'columns', (SELECT pg_catalog.json_agg(a.attname ORDER BY part.place)
            FROM pg_catalog.unnest(r.conkey) WITH ORDINALITY part(attnum, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = r.conrelid AND a.attnum = part.attnum),
          'index', (SELECT pg_catalog.min(ic.relname)
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
            JOIN pg_catalog.pg_am am ON am.oid = ic.relam
            WHERE i.indrelid = r.conrelid AND i.indisvalid AND i.indisready
              AND (am.amname = 'btree' OR am.amname = 'hash')
              AND i.indnkeyatts >= pg_catalog.cardinality(r.conkey)
              AND (i.indkey::int2[])[0:pg_catalog.cardinality(r.conkey) - 1] @> r.conkey
              AND (i.indkey::int2[])[0:pg_catalog.cardinality(r.conkey) - 1] <@ r.conkey
              AND (i.indpred IS NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid) IN (
                SELECT '(' || pg_catalog.quote_ident(a.attname) || ' IS NOT NULL)'
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.conrelid AND a.attnum = ANY (r.conkey)))))
          ORDER BY kn.nspname, k.relname, r.conname), '[]')
        FROM referring r
        JOIN pg_catalog.pg_class k ON k.oid = r.conrelid
        JOIN pg_catalog.pg_namespace kn ON kn.oid = k.relnamespace
        WHERE r.confrelid = c.oid),
      'partition_root', CASE WHEN c.relispartition THEN (
        SELECT pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname)
        FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
        WHERE r.oid = pg_catalog.pg_partition_root(c.oid)) END,
      'partition_key', CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
      'partitions', CASE WHEN c.relkind = 'p' THEN (
        SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object('schema', pn.nspname, 'name', p.relname,
            'partitioned', NOT t.isleaf, 'parent', parent.relname, 'taken_names', (
              SELECT COALESCE(pg_catalog.json_agg(o.relname), '[]') FROM pg_catalog.pg_index i
              JOIN pg_catalog.pg_class o ON o.oid = i.indexrelid WHERE i.indrelid = p.oid))
            ORDER BY t.level, p.relname), '[]')
        FROM pg_catalog.pg_partition_tree(c.oid) t
        JOIN pg_catalog.pg_class p ON p.oid = t.relid
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        JOIN pg_catalog.pg_class parent ON parent.oid = t.parentrelid
        WHERE t.level > 0) ELSE '[]' END,
      'taken_names', (
        SELECT COALESCE(pg_catalog.json_agg(o.relname), '[]') FROM pg_catalog.pg_class o
        WHERE o.relnamespace = c.relnamespace AND o.relkind IN ('i', 'I', 'r', 'v', 'm', 'S', 'p', 'f')
          AND pg_catalog.starts_with(o.relname::text, pg_catalog.left(c.relname::text, 20))
          AND o.relname::text ~ '_idx[0-9]*$'),
      -- The functions beneath pg_stat_all_tables: planning that view takes longer than all the rest.
      'activity', CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.json_build_object(
        'live_rows', pg_catalog.pg_stat_get_live_tuples(c.oid),
        'dead_rows', pg_catalog.pg_stat_get_dead_tuples(c.oid),
        'modified_since_analyze', pg_catalog.pg_stat_get_mod_since_analyze(c.oid),
        'inserts', pg_catalog.pg_stat_get_tuples_inserted(c.oid),
        'updates', pg_catalog.pg_stat_get_tuples_updated(c.oid),
        'hot_updates', pg_catalog.pg_stat_get_tuples_hot_updated(c.oid),
        'deletes', pg_catalog.pg_stat_get_tuples_deleted(c.oid),
        'sequential_scans', pg_catalog.pg_stat_get_numscans(c.oid),
        'index_scans', (SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_stat_get_numscans(x.indexrelid))::bigint, 0)
          FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid),
        'analyzed', pg_catalog.pg_stat_get_analyze_count(c.oid)
          + pg_catalog.pg_stat_get_autoanalyze_count(c.oid) > 0,
        'last_analyzed', GREATEST(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
          pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid))) END,
      'columns', (
        SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
          'number', a.attnum,
          'name', a.attname,
          'data_type', pg_catalog.format_type(a.atttypid, a.atttypmod),
          'type_length', ty.typlen,
          'category', ty.typcategory,
          'not_null', a.attnotnull,
          'btree', EXISTS (SELECT FROM pg_catalog.pg_opclass oc
            JOIN pg_catalog.pg_am am ON am.oid = oc.opcmethod AND am.amname = 'btree'
            WHERE oc.opcdefault AND (oc.opcintype = CASE WHEN ty.typtype = 'd' THEN ty.typbasetype ELSE ty.oid END
              OR (ty.typtype = 'e' AND oc.opcintype = 'anyenum'::regtype)
              OR (ty.typcategory = 'A' AND oc.opcintype = 'anyarray'::regtype)
              OR (ty.typtype = 'r' AND oc.opcintype = 'anyrange'::regtype)
              OR oc.opcintype IN (SELECT k.casttarget FROM pg_catalog.pg_cast k
                WHERE k.castsource = ty.oid AND k.castmethod = 'b' AND k.castcontext = 'i'))),
          'c_collation', a.attcollation = 0 OR (co.collname IN ('C', 'POSIX'))
            OR (a.attcollation = 'pg_catalog."default"'::regcollation AND database.c_collation),
          'statistics', (
            SELECT pg_catalog.json_build_object('null_fraction', st.null_frac, 'average_width', st.avg_width,
              'n_distinct', st.n_distinct, 'correlation', st.correlation,
              'common_values', COALESCE((st.most_common_vals::text::text[])[1:10], '{}'),
              'common_frequencies', COALESCE(st.most_common_freqs[1:10], '{}'),
              'least_common', CASE WHEN $4::boolean AND st.most_common_freqs IS NOT NULL THEN
                pg_catalog.json_build_array(
                  (st.most_common_vals::text::text[])[pg_catalog.cardinality(st.most_common_freqs)],
                  st.most_common_freqs[pg_catalog.cardinality(st.most_common_freqs)]) END,
              'quantiles', (
                SELECT COALESCE(pg_catalog.json_agg(
                  bounds.v[1 + pg_catalog.round(at * (pg_catalog.cardinality(bounds.v) - 1))::int] ORDER BY at), '[]')
                FROM (SELECT st.histogram_bounds::text::text[] AS v) bounds,
                  pg_catalog.unnest('{0,0.01,0.5,0.51,0.99,1}'::numeric[]) at
                WHERE $4::boolean AND bounds.v IS NOT NULL))
            FROM pg_catalog.pg_stats st
            WHERE st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
              AND st.inherited = (c.relkind = 'p'))) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
        CROSS JOIN database
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'indexes', (
        SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
          'schema', ns.nspname,
          'name', ic.relname,
          'method', am.amname,
          'keys', (
            SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
              'text', COALESCE(ta.attname::text, pg_catalog.pg_get_indexdef(i.indexrelid, k, false)),
              'column', ta.attname IS NOT NULL,
              'descending', (i.indoption::int2[])[k - 1] & 1 = 1,
              'nulls_first', (i.indoption::int2[])[k - 1] & 2 = 2,
              'operator_class', CASE WHEN NOT oc.opcdefault THEN oc.opcname END) ORDER BY k)
            FROM pg_catalog.generate_series(1, i.indnkeyatts) k
            LEFT JOIN pg_catalog.pg_attribute ta ON ta.attrelid = i.indrelid AND ta.attnum <> 0
              AND ta.attnum = (i.indkey::int2[])[k - 1]
            LEFT JOIN pg_catalog.pg_opclass oc ON oc.oid = (i.indclass::oid[])[k - 1]),
          'include', (
            SELECT COALESCE(pg_catalog.json_agg(ta.attname ORDER BY k), '[]')
            FROM pg_catalog.generate_series(i.indnkeyatts + 1, i.indnatts) k
            JOIN pg_catalog.pg_attribute ta ON ta.attrelid = i.indrelid AND ta.attnum = (i.indkey::int2[])[k - 1]),
          'predicate', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
          'unique', i.indisunique,
          'primary', i.indisprimary,
          'usable', i.indisvalid AND i.indisready AND i.indislive,
          'size_bytes', CASE WHEN ic.relkind = 'i' THEN pg_catalog.pg_relation_size(ic.oid) END,
          'scans', pg_catalog.pg_stat_get_numscans(i.indexrelid),
          'definition', pg_catalog.pg_get_indexdef(i.indexrelid)) ORDER BY ic.relname), '[]')
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace ns ON ns.oid = ic.relnamespace
        JOIN pg_catalog.pg_am am ON am.oid = ic.relam
        WHERE i.indrelid = c.oid),
      'statistics', (
        SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
          'name', e.stxname,
          'kinds', e.stxkind,
          'columns', (SELECT COALESCE(pg_catalog.json_agg(a.attname ORDER BY a.attnum), '[]')
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = e.stxrelid AND a.attnum = ANY (e.stxkeys::int2[])),
          'definition', pg_catalog.pg_get_statisticsobjdef(e.oid)) ORDER BY e.stxname), '[]')
        FROM pg_catalog.pg_statistic_ext e WHERE e.stxrelid = c.oid)) ORDER BY n.nspname, c.relname)
    FROM target
    JOIN pg_catalog.pg_class c USING (oid)
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace), '[]'))
