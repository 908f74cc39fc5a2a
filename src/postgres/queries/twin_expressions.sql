, (SELECT pg_catalog.array_agg(ROW(0::oid, 0::int2, false, s.null_fraction, s.width::int, s."distinct",
  COALESCE((s.slots->0->>'kind')::int2, 0), COALESCE((s.slots->1->>'kind')::int2, 0), COALESCE((s.slots->2->>'kind')::int2, 0), COALESCE((s.slots->3->>'kind')::int2, 0), COALESCE((s.slots->4->>'kind')::int2, 0),
  COALESCE(pg_catalog.to_regoperator(s.slots->0->>'operator')::oid, 0), COALESCE(pg_catalog.to_regoperator(s.slots->1->>'operator')::oid, 0), COALESCE(pg_catalog.to_regoperator(s.slots->2->>'operator')::oid, 0), COALESCE(pg_catalog.to_regoperator(s.slots->3->>'operator')::oid, 0), COALESCE(pg_catalog.to_regoperator(s.slots->4->>'operator')::oid, 0),
  COALESCE(pg_catalog.to_regcollation(s.slots->0->>'collation')::oid, 0), COALESCE(pg_catalog.to_regcollation(s.slots->1->>'collation')::oid, 0), COALESCE(pg_catalog.to_regcollation(s.slots->2->>'collation')::oid, 0), COALESCE(pg_catalog.to_regcollation(s.slots->3->>'collation')::oid, 0), COALESCE(pg_catalog.to_regcollation(s.slots->4->>'collation')::oid, 0),
  (s.slots->0->>'numbers')::real[], (s.slots->1->>'numbers')::real[], (s.slots->2->>'numbers')::real[], (s.slots->3->>'numbers')::real[], (s.slots->4->>'numbers')::real[],
  CASE WHEN s.slots->0->>'values' IS NOT NULL THEN pg_catalog.array_in(pg_catalog.textout(s.slots->0->>'values'), pg_catalog.to_regtype(s.slots->0->>'element')::oid, -1) END,
  CASE WHEN s.slots->1->>'values' IS NOT NULL THEN pg_catalog.array_in(pg_catalog.textout(s.slots->1->>'values'), pg_catalog.to_regtype(s.slots->1->>'element')::oid, -1) END,
  CASE WHEN s.slots->2->>'values' IS NOT NULL THEN pg_catalog.array_in(pg_catalog.textout(s.slots->2->>'values'), pg_catalog.to_regtype(s.slots->2->>'element')::oid, -1) END,
  CASE WHEN s.slots->3->>'values' IS NOT NULL THEN pg_catalog.array_in(pg_catalog.textout(s.slots->3->>'values'), pg_catalog.to_regtype(s.slots->3->>'element')::oid, -1) END,
  CASE WHEN s.slots->4->>'values' IS NOT NULL THEN pg_catalog.array_in(pg_catalog.textout(s.slots->4->>'values'), pg_catalog.to_regtype(s.slots->4->>'element')::oid, -1) END)::pg_catalog.pg_statistic ORDER BY s.number)
  FROM pg_catalog.jsonb_to_recordset(w.expressions)
    AS s(number int2, null_fraction real, width real, "distinct" real, slots jsonb))
