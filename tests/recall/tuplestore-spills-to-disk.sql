CREATE TABLE measurements (station uuid, taken timestamptz, celsius numeric(5,1), remark varchar(600));
INSERT INTO measurements SELECT md5((i % 50)::text)::uuid, timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', i % 400 / 10.0, repeat(md5(i::text), 16)
FROM generate_series(1, 60000) i;
CREATE TABLE "Trips" ("Id" bigint, "Route" text, "Fare" numeric) PARTITION BY RANGE ("Id");
CREATE TABLE "Trips 1" PARTITION OF "Trips" FOR VALUES FROM (0) TO (30000);
CREATE TABLE "Trips 2" PARTITION OF "Trips" FOR VALUES FROM (30000) TO (200000);
INSERT INTO "Trips" SELECT i, repeat('a route ', 64), i % 97 FROM generate_series(1, 60000) i;
CREATE VIEW totals AS SELECT "Id", "Route", sum("Fare") OVER () AS total FROM "Trips";
CREATE FUNCTION history(days int) RETURNS SETOF measurements LANGUAGE plpgsql STABLE ROWS 1000 AS
$$ BEGIN RETURN QUERY SELECT * FROM measurements m WHERE m.taken < timestamptz '2026-01-01 00:00+00' + days * interval '1 day'; END $$;
ANALYZE;
-- variant: a CTE read three times
-- setting: work_mem=1MB
-- remedy: asking
WITH warm AS (SELECT station, taken, remark FROM measurements WHERE celsius > 2)
SELECT (SELECT count(*) FROM warm), (SELECT count(remark) FROM warm), (SELECT max(taken) FROM warm);
-- variant: a view with a window over partitions
-- setting: work_mem=1MB
-- remedy: asking
SELECT v."Route", v.total FROM totals v;
-- variant: a function's rows
-- setting: work_mem=2MB
-- remedy: asking
SELECT count(*), max(h.taken) FROM history(100) AS h WHERE h.celsius < 30;
-- variant: a share of the whole, in a subquery
-- setting: work_mem=1MB
-- remedy: asking
SELECT count(*), count(remark) FROM (SELECT m.remark, m.celsius / nullif(max(m.celsius) OVER (), 0) AS share FROM measurements m) x WHERE share > 0.01;
-- variant: a materialized CTE with a parameter
-- setting: work_mem=1MB
-- param: 90
-- remedy: asking
WITH cheap AS MATERIALIZED (SELECT "Id", "Route", "Fare" FROM "Trips" WHERE "Fare" < $1) SELECT count("Route"), count("Fare") FROM cheap;
