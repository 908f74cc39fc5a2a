CREATE TABLE windows (id int, opens timestamptz, closes timestamptz);
INSERT INTO windows SELECT i, timestamptz '2026-01-01 00:00+00' + i * interval '10 hours', timestamptz '2026-01-01 00:30+00' + i * interval '10 hours' FROM generate_series(1, 40) i;
CREATE TABLE alarms (raised timestamptz, sensor varchar(12), level numeric);
INSERT INTO alarms SELECT timestamptz '2026-01-01 00:00+00' + (i::bigint * 48271 % 49999) * interval '60 seconds', 'sensor' || i % 2000, i % 5000 / 10.0 FROM generate_series(1, 50000) i;
CREATE TABLE sensors (name varchar(12) PRIMARY KEY, limits numrange);
INSERT INTO sensors SELECT 'sensor' || i, numrange(i, i + 1) FROM generate_series(0, 49) i;
CREATE VIEW open_windows AS SELECT id AS number, opens AS "From", closes AS "To" FROM windows WHERE id > 10;
CREATE TABLE "Bids" ("Lot" bigint, "Amount" numeric) PARTITION BY HASH ("Lot");
CREATE TABLE "Bids 0" PARTITION OF "Bids" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Bids 1" PARTITION OF "Bids" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO "Bids" SELECT i, i::bigint * 7919 % 49999 FROM generate_series(1, 50000) i;
CREATE TABLE bands (low numeric, high numeric);
INSERT INTO bands SELECT i * 1000, i * 1000 + 30 FROM generate_series(1, 50) i;
ANALYZE;
-- variant: a range of times
SELECT w.id, count(a.raised) FROM windows AS w LEFT JOIN alarms AS a ON a.raised >= w.opens AND a.raised < w.closes GROUP BY w.id;
-- variant: a range of numbers that each sensor may show
SELECT s.name, a.raised FROM sensors s LEFT JOIN alarms a ON a.level >= lower(s.limits) AND a.level < upper(s.limits);
-- variant: a view with BETWEEN
SELECT v.number, a.sensor FROM open_windows v LEFT JOIN alarms a ON a.raised BETWEEN v."From" AND v."To";
-- variant: partitions with quoted names, by parameter
-- param: 20000
SELECT count(b."Lot") FROM bands LEFT JOIN "Bids" b ON b."Amount" BETWEEN bands.low AND bands.high WHERE bands.low > $1;
-- variant: the time of a row that a CTE found
WITH chosen AS MATERIALIZED (SELECT opens FROM windows WHERE id % 2 = 0)
SELECT count(a.level) FROM chosen c LEFT JOIN alarms a ON a.raised > c.opens AND a.raised < c.opens + interval '5 minutes';
