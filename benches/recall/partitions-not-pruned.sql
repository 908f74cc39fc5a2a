CREATE TABLE flights (no varchar(10), departs timestamp, gate int) PARTITION BY RANGE (departs);
DO $$ BEGIN FOR i IN 1..8 LOOP EXECUTE format('CREATE TABLE flights_%s PARTITION OF flights FOR VALUES FROM (%L) TO (%L)', i, make_date(2026, i, 1), make_date(2026, i + 1, 1)); END LOOP; END $$;
INSERT INTO flights SELECT 'LH' || i % 9000, timestamp '2026-01-01' + i % 240 * interval '1 day' + i % 1440 * interval '1 minute', i % 90 FROM generate_series(1, 160000) i;
CREATE VIEW board AS SELECT no AS flight, departs AS "Off", gate FROM flights;
CREATE TABLE "Meters" ("Id" bigint, "Kwh" numeric) PARTITION BY RANGE ("Id");
DO $$ BEGIN FOR i IN 0..7 LOOP EXECUTE format('CREATE TABLE %I PARTITION OF "Meters" FOR VALUES FROM (%s) TO (%s)', 'Meters ' || i, i * 20000, (i + 1) * 20000); END LOOP; END $$;
INSERT INTO "Meters" SELECT i, i % 700 FROM generate_series(1, 159000) i;
ANALYZE;
-- variant: a day behind an alias
-- remedy: asking
SELECT f.no, f.gate FROM flights AS f WHERE f.departs::date = '2026-05-05';
-- variant: a view and a month
-- remedy: asking
SELECT count(*) FROM board b WHERE date_trunc('month', b."Off") = '2026-02-01';
-- variant: quoted names and a decimal
-- remedy: asking
SELECT m."Kwh" FROM "Meters" m WHERE m."Id" = 4711.0;
-- variant: a parameter cast to text
-- param: 77123
-- remedy: asking
SELECT "Kwh" FROM "Meters" WHERE "Id"::text = $1;
-- variant: an expression that no one can turn, in a CTE
-- remedy: none
WITH late AS (SELECT no, gate FROM flights WHERE coalesce(departs, '2026-01-01') > '2026-08-28 06:00') SELECT count(*), max(gate) FROM late;
