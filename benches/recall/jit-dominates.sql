CREATE TABLE prices (sku uuid, shop varchar(20), day date, net numeric, gross numeric, stock int);
INSERT INTO prices SELECT md5(i::text)::uuid, 'shop ' || i % 20, date '2026-01-01' + i % 60, i % 97, i % 97 * 1.19, i % 50 FROM generate_series(1, 3000) i;
CREATE VIEW stocked AS SELECT sku AS article, net, gross, stock FROM prices WHERE stock > 0 AND net < gross;
CREATE TABLE "Hits" ("Page" text, "Day" date, "N" int) PARTITION BY RANGE ("Day");
DO $$ BEGIN FOR i IN 0..29 LOOP EXECUTE format('CREATE TABLE %I PARTITION OF "Hits" FOR VALUES FROM (%L) TO (%L)', 'Hits ' || i, date '2026-01-01' + i, date '2026-01-02' + i); END LOOP; END $$;
INSERT INTO "Hits" SELECT '/page/' || i % 70, date '2026-01-01' + i % 30, i FROM generate_series(1, 3000) i;
ANALYZE;
-- variant: an aggregate over few rows
-- since: 15
-- until: 15
-- setting: jit=on
-- setting: jit_above_cost=0
-- setting: jit_optimize_above_cost=0
-- remedy: asking
SELECT p.shop, sum(p.net), max(p.gross), avg(p.stock) FROM prices AS p WHERE p.net > 5 AND p.stock < 40 GROUP BY p.shop;
-- variant: a view, everything inlined
-- since: 15
-- until: 15
-- setting: jit=on
-- setting: jit_above_cost=0
-- setting: jit_inline_above_cost=0
-- setting: jit_optimize_above_cost=0
-- remedy: asking
SELECT count(*), sum(gross - net) FROM stocked WHERE article > '80000000-0000-0000-0000-000000000000';
-- variant: partitions with quoted names
-- since: 15
-- until: 15
-- setting: jit=on
-- setting: jit_above_cost=0
-- remedy: asking
SELECT h."Page", sum(h."N") FROM "Hits" h WHERE h."N" % 3 = 1 GROUP BY h."Page";
-- variant: joined CTEs and a parameter
-- since: 15
-- until: 15
-- setting: jit=on
-- setting: jit_above_cost=0
-- setting: jit_optimize_above_cost=0
-- param: 2026-01-20
-- remedy: asking
WITH cheap AS (SELECT shop, min(net) AS net FROM prices WHERE day < $1 GROUP BY shop)
SELECT count(*), max(p.gross) FROM prices p JOIN cheap c ON c.shop = p.shop AND c.net < p.net;
-- variant: a window over few rows
-- since: 15
-- until: 15
-- setting: jit=on
-- setting: jit_above_cost=0
-- setting: jit_inline_above_cost=0
-- setting: jit_optimize_above_cost=0
-- remedy: asking
SELECT sku, CASE WHEN stock > 10 THEN upper(shop) ELSE lower(shop) END, rank() OVER (PARTITION BY shop ORDER BY gross DESC) FROM prices WHERE day >= '2026-02-01';
