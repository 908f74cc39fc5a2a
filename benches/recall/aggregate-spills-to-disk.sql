CREATE TABLE pageviews (visitor uuid, url text, seen timestamptz, agent varchar(600));
INSERT INTO pageviews SELECT md5((i % 40000)::text)::uuid, '/articles/' || i % 35000, timestamptz '2026-03-01 00:00+00' + i * interval '7 seconds', repeat(md5(i::text), 16)
FROM generate_series(1, 80000) i;
CREATE VIEW per_visitor AS SELECT visitor, count(*) AS views, count(agent) AS known FROM pageviews GROUP BY visitor;
CREATE TABLE "Stock" ("Sku" varchar(30), "Day" date, "Count" int, "Remark" text) PARTITION BY RANGE ("Day");
CREATE TABLE "Stock A" PARTITION OF "Stock" FOR VALUES FROM ('2026-01-01') TO ('2026-03-01');
CREATE TABLE "Stock B" PARTITION OF "Stock" FOR VALUES FROM ('2026-03-01') TO ('2026-05-01');
INSERT INTO "Stock" SELECT 'SKU-' || (i::bigint * 7919 % 40000), date '2026-01-01' + i % 118, i % 50, repeat('remark ', 70) FROM generate_series(1, 80000) i;
ANALYZE;
-- variant: a uuid behind an alias
-- setting: work_mem=512kB
-- setting: enable_sort=off
-- remedy: asking
SELECT p.visitor, count(p.agent), max(p.seen) AS last FROM pageviews AS p GROUP BY p.visitor;
-- variant: a view that a query counts
-- setting: work_mem=512kB
-- setting: enable_sort=off
-- remedy: asking
SELECT count(*) FROM per_visitor WHERE views > 1 AND known > 1;
-- variant: the length of the longest, by text
-- setting: work_mem=512kB
-- setting: enable_sort=off
-- remedy: asking
SELECT url, max(length(agent)), min(seen) FROM pageviews GROUP BY url;
-- variant: partitions with quoted names
-- setting: work_mem=512kB
-- setting: enable_sort=off
-- remedy: asking
SELECT s."Sku", sum(s."Count"), count(s."Remark") FROM "Stock" s GROUP BY 1 HAVING sum(s."Count") > 60;
-- variant: a CTE, a parameter, a join above
-- setting: work_mem=512kB
-- setting: enable_sort=off
-- param: 2026-01-10
-- remedy: asking
WITH stock AS (SELECT "Sku" AS sku, avg("Count") AS mean, count("Remark") AS remarks FROM "Stock" WHERE "Day" >= $1 GROUP BY "Sku")
SELECT count(*), max(mean), sum(remarks) FROM stock JOIN (VALUES (0), (1)) AS v(n) ON v.n < stock.mean;
