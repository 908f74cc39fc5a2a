-- A part of pack_statistics.sql and pack_expressions.sql: the slots of `s`, a row of pg_statistic.
(SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
        'kind', slot.kind,
        'operator', NULLIF(slot.op, 0)::regoperator::text,
        'collation', (SELECT pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
          FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
          WHERE co.oid = slot.coll),
        'numbers', slot.numbers::text,
        'values', slot.vals,
        'element', CASE WHEN slot.head IS NOT NULL THEN
          pg_catalog.format_type((('x' || pg_catalog.encode(slot.head, 'hex'))::bit(32)::int)::oid, NULL) END,
        'labels', slot.head IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_type label WHERE label.typtype = 'e'
          AND label.oid = (('x' || pg_catalog.encode(slot.head, 'hex'))::bit(32)::int)::oid))
        ORDER BY slot.place), '[]')
      FROM (VALUES
        (1, s.stakind1, s.staop1, s.stacoll1, s.stanumbers1, s.stavalues1::text, pg_catalog.substr(pg_catalog.array_send(s.stavalues1), 9, 4)),
        (2, s.stakind2, s.staop2, s.stacoll2, s.stanumbers2, s.stavalues2::text, pg_catalog.substr(pg_catalog.array_send(s.stavalues2), 9, 4)),
        (3, s.stakind3, s.staop3, s.stacoll3, s.stanumbers3, s.stavalues3::text, pg_catalog.substr(pg_catalog.array_send(s.stavalues3), 9, 4)),
        (4, s.stakind4, s.staop4, s.stacoll4, s.stanumbers4, s.stavalues4::text, pg_catalog.substr(pg_catalog.array_send(s.stavalues4), 9, 4)),
        (5, s.stakind5, s.staop5, s.stacoll5, s.stanumbers5, s.stavalues5::text, pg_catalog.substr(pg_catalog.array_send(s.stavalues5), 9, 4)))
        AS slot(place, kind, op, coll, numbers, vals, head)
      WHERE slot.kind <> 0)
