-- $1: JSON array of {"oid", "inherited", "distinct", "dependencies", "common"}. On servers of ours alone, with casts of ours.
-- `/* inherited */` stands where 15 and newer have a column more.
WITH wanted AS MATERIALIZED (
  SELECT * FROM pg_catalog.jsonb_to_recordset($1::jsonb)
    AS w(oid oid, inherited boolean, "distinct" text, dependencies text, common text, expressions jsonb)
)
INSERT INTO pg_catalog.pg_statistic_ext_data
SELECT w.oid, /* inherited */
  pg_catalog.decode(w."distinct", 'hex')::pg_ndistinct,
  pg_catalog.decode(w.dependencies, 'hex')::pg_dependencies,
  pg_catalog.decode(w.common, 'hex')::pg_mcv_list /* expressions */
FROM wanted w
