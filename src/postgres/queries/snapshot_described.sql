-- The tables with column statistics that this role may see, one row each, and whether they describe its descendants.
SELECT c.oid::int8::text, s.inherited::text
FROM (SELECT DISTINCT schemaname, tablename, inherited FROM pg_catalog.pg_stats
  WHERE schemaname NOT IN ('pg_catalog', 'information_schema')) s
JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
WHERE c.relkind IN ('r', 'p', 'm')
