-- A row with one JSON value for each expression of an extended statistics object (14+), like a column's.
SELECT pg_catalog.json_build_object(
  'schema', n.nspname,
  'name', e.stxname,
  'inherited', COALESCE((pg_catalog.to_json(d)->>'stxdinherit')::boolean, false),
  'column', pg_catalog.json_build_object(
    'name', s.place::text,
    'number', s.place,
    'inherited', COALESCE((pg_catalog.to_json(d)->>'stxdinherit')::boolean, false),
    'null_fraction', s.stanullfrac,
    'width', s.stawidth,
    'distinct', s.stadistinct,
    'slots', /* pack_slots.sql */))::text
FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_statistic_ext_data d ON d.stxoid = e.oid
JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
CROSS JOIN LATERAL pg_catalog.unnest(d.stxdexpr) WITH ORDINALITY AS s(starelid, staattnum, stainherit, stanullfrac,
  stawidth, stadistinct, stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
  stacoll1, stacoll2, stacoll3, stacoll4, stacoll5, stanumbers1, stanumbers2, stanumbers3, stanumbers4, stanumbers5,
  stavalues1, stavalues2, stavalues3, stavalues4, stavalues5, place)
ORDER BY n.nspname, e.stxname, 1
