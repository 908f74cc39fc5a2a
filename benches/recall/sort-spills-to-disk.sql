CREATE TABLE shipments (tracking uuid NOT NULL, shipped timestamptz NOT NULL, weight numeric(8,2), carrier varchar(20), label text);
INSERT INTO shipments SELECT md5(i::text)::uuid, timestamptz '2025-03-01 08:00+01' + (i::bigint * 48271 % 199999) * interval '1 minute',
  (i::bigint * 7919 % 99991) / 100.0, (ARRAY['DHL', 'UPS', 'Hermes', 'GLS'])[i % 4 + 1], repeat(md5(i::text), 16)
FROM generate_series(1, 20000) i;
CREATE VIEW heavy AS SELECT tracking AS code, weight AS kg, label FROM shipments WHERE weight > 40;
CREATE TABLE "Sensor Log" ("Sensor" int, "Read At" date, "Value" float8, "Raw" text) PARTITION BY LIST ("Sensor");
CREATE TABLE "Sensor Log 0" PARTITION OF "Sensor Log" FOR VALUES IN (0, 1);
CREATE TABLE "Sensor Log 1" PARTITION OF "Sensor Log" FOR VALUES IN (2, 3);
INSERT INTO "Sensor Log" SELECT i % 4, date '2025-01-01' + i % 365, sin(i), repeat('raw ', 120) FROM generate_series(1, 20000) i;
ANALYZE;
-- variant: a uuid under another name
-- setting: work_mem=128kB
-- remedy: asking
SELECT s.tracking AS code, s.label FROM shipments AS s ORDER BY code;
-- variant: a view, a numeric downwards
-- setting: work_mem=128kB
-- remedy: asking
SELECT kg, code, label FROM heavy ORDER BY kg DESC NULLS LAST, code;
-- variant: partitions with quoted names
-- setting: work_mem=128kB
-- remedy: asking
SELECT l."Sensor", l."Raw" FROM "Sensor Log" l ORDER BY l."Value";
-- variant: a window in a CTE
-- setting: work_mem=128kB
-- remedy: asking
WITH ranked AS (SELECT label, rank() OVER (PARTITION BY carrier ORDER BY shipped DESC) AS place FROM shipments)
SELECT label FROM ranked WHERE place <= 3;
-- variant: DISTINCT ON and a parameter
-- setting: work_mem=128kB
-- param: 12.50
-- remedy: asking
SELECT DISTINCT ON (weight) weight, tracking, label FROM shipments WHERE weight > $1 ORDER BY weight, shipped DESC;
