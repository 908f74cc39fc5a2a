CREATE TABLE measurements (station uuid, taken timestamptz, celsius numeric(5,1), remark varchar(600));
INSERT INTO measurements SELECT md5((i % 50)::text)::uuid, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 400 / 10.0, repeat(md5(i::text), 12)
FROM generate_series(1, 20000) i;
CREATE TABLE "Trips" ("Id" bigint, "Route" text, "Fare" numeric) PARTITION BY RANGE ("Id");
CREATE TABLE "Trips 1" PARTITION OF "Trips" FOR VALUES FROM (0) TO (10000);
CREATE TABLE "Trips 2" PARTITION OF "Trips" FOR VALUES FROM (10000) TO (200000);
INSERT INTO "Trips" SELECT i, repeat('a route ', 48), i % 97 FROM generate_series(1, 20000) i;
CREATE VIEW totals AS SELECT "Id", "Route", sum("Fare") OVER () AS total FROM "Trips";
CREATE FUNCTION history(days int) RETURNS SETOF measurements LANGUAGE plpgsql STABLE ROWS 1000 AS
$$ BEGIN RETURN QUERY SELECT * FROM measurements m WHERE m.taken < timestamptz '2026-01-01 00:00+00' + days * interval '1 day'; END $$;
ANALYZE;
-- variant: a CTE read for each of some days
-- setting: work_mem=256kB
-- remedy: asking
WITH warm AS MATERIALIZED (SELECT station, taken, remark FROM measurements WHERE celsius > 2)
SELECT d, (SELECT count(*) FROM warm w WHERE w.taken < d) FROM generate_series(timestamptz '2026-01-02 00:00+00', timestamptz '2026-01-13 00:00+00', interval '8 hours') d;
-- variant: a view with a window over partitions
-- setting: work_mem=256kB
-- remedy: none
SELECT v."Route", v.total FROM totals v;
-- variant: a function's rows
-- setting: work_mem=256kB
-- remedy: none
SELECT count(*), max(h.taken) FROM history(100) AS h WHERE h.celsius < 30;
-- variant: a share of the whole, in a subquery
-- setting: work_mem=256kB
-- remedy: none
SELECT count(*), count(remark) FROM (SELECT m.remark, m.celsius / nullif(max(m.celsius) OVER (), 0) AS share FROM measurements m) x WHERE share > 0.01;
-- variant: a materialized CTE with a parameter, read for each fare
-- setting: work_mem=256kB
-- param: 90
-- remedy: asking
WITH cheap AS MATERIALIZED (SELECT "Id", "Route", "Fare" FROM "Trips" WHERE "Fare" < $1) SELECT f, (SELECT count("Route") FROM cheap c WHERE c."Fare" = f) FROM generate_series(1, 40) f;
