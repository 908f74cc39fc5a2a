-- $1: JSON array of {"oid", "number", "inherited"}. On servers of ours alone.
DELETE FROM pg_catalog.pg_statistic s
USING pg_catalog.jsonb_to_recordset($1::jsonb) AS w(oid oid, number int2, inherited boolean)
WHERE s.starelid = w.oid AND s.staattnum = w.number AND s.stainherit = w.inherited
