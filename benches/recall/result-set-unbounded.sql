CREATE TABLE positions (vessel uuid, at timestamptz, speed numeric(4,1));
INSERT INTO positions SELECT md5((i % 300)::text)::uuid, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 250 / 10.0 FROM generate_series(1, 280000) i;
CREATE TABLE vessels (id uuid PRIMARY KEY, name varchar(50));
INSERT INTO vessels SELECT md5(i::text)::uuid, 'vessel ' || i FROM generate_series(0, 299) i;
CREATE VIEW track AS SELECT v.name AS ship, p.at, p.speed FROM positions p JOIN vessels v ON v.id = p.vessel;
CREATE TABLE "Noise" ("Hour" date, "dB" int) PARTITION BY RANGE ("Hour");
CREATE TABLE "Noise 1" PARTITION OF "Noise" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Noise 2" PARTITION OF "Noise" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO "Noise" SELECT date '2026-01-01' + i % 59, i % 90 FROM generate_series(1, 280000) i;
ANALYZE;
-- variant: an export behind an alias
-- remedy: none
SELECT p.vessel, p.speed FROM positions AS p WHERE p.speed >= 0;
-- variant: a view that joins
-- remedy: none
SELECT ship, at FROM track;
-- variant: partitions with quoted names, sorted
-- setting: work_mem=64MB
-- remedy: none
SELECT n."Hour" FROM "Noise" n ORDER BY n."dB";
-- variant: a UNION ALL of CTEs with a parameter
-- param: 2026-02-03
-- remedy: none
WITH a AS (SELECT at::date AS day FROM positions), b AS (SELECT "Hour" FROM "Noise" WHERE "Hour" < $1) SELECT * FROM a UNION ALL SELECT * FROM b;
-- variant: a window over everything
-- setting: work_mem=64MB
-- remedy: none
SELECT vessel, row_number() OVER (ORDER BY speed DESC) FROM positions;
