CREATE TABLE receipts (no bigint PRIMARY KEY, printed timestamp, till varchar(10), total numeric, mail text);
INSERT INTO receipts SELECT i, timestamp '2025-01-01' + i * interval '3 minutes', 'till ' || i % 9, i % 5003 - 2500, 'Customer' || i || '@Example.COM' FROM generate_series(1, 150000) i;
CREATE INDEX ON receipts (printed);
CREATE INDEX ON receipts (total);
CREATE VIEW buyers AS SELECT no AS receipt, mail AS address FROM receipts;
CREATE TABLE "Rides" ("Start" timestamptz, "Bike" uuid, "Plate" varchar(12)) PARTITION BY LIST ("Bike");
CREATE TABLE "Rides 1" PARTITION OF "Rides" FOR VALUES IN ('11111111-1111-1111-1111-111111111111');
CREATE TABLE "Rides 2" PARTITION OF "Rides" FOR VALUES IN ('22222222-2222-2222-2222-222222222222');
INSERT INTO "Rides" SELECT timestamptz '2026-01-01 00:00+00' + i * interval '1 minute', repeat((i % 2 + 1)::text, 32)::uuid, 'B-' || i FROM generate_series(1, 150000) i;
CREATE INDEX ON "Rides" ("Start");
ANALYZE;
-- variant: a month behind an alias
-- remedy: asking
SELECT sum(r.total) FROM receipts AS r WHERE date_trunc('month', r.printed) = '2025-03-01';
-- variant: a view in another case
SELECT b.receipt FROM buyers b WHERE lower(b.address) = 'customer777@example.com';
-- variant: arithmetic and a parameter
-- param: 2505
-- remedy: asking
SELECT no FROM receipts WHERE total + 5 > $1;
-- variant: partitions with quoted names, an expression to index
SELECT r."Start" FROM "Rides" r WHERE upper(r."Plate") = 'B-4711';
-- variant: a day in a CTE
-- remedy: asking
WITH day AS MATERIALIZED (SELECT till, total FROM receipts WHERE printed::date = date '2025-04-05') SELECT till, sum(total) FROM day GROUP BY till;
