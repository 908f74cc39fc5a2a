-- $1: JSON array of {"oid"}. On servers of ours alone. 13 and 14 make an empty row with the object.
DELETE FROM pg_catalog.pg_statistic_ext_data d
USING pg_catalog.jsonb_to_recordset($1::jsonb) AS w(oid oid)
WHERE d.stxoid = w.oid
