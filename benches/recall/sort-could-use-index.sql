CREATE TABLE articles (slug varchar(60), published timestamptz, price numeric(10,2), author uuid);
INSERT INTO articles SELECT 'article-' || i, timestamptz '2024-05-01 00:00+00' + (i::bigint * 48271 % 199999) * interval '1 minute', (i::bigint * 7919 % 99991) / 100.0, md5((i % 3)::text)::uuid
FROM generate_series(1, 200000) i;
CREATE VIEW shop AS SELECT slug AS name, price AS costs FROM articles;
CREATE TABLE "Bids" ("Lot" int, "Placed" date, "Amount" numeric) PARTITION BY HASH ("Lot");
CREATE TABLE "Bids 0" PARTITION OF "Bids" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Bids 1" PARTITION OF "Bids" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO "Bids" SELECT i, date '2026-01-01' + i % 90, (i::bigint * 7919 % 199999) FROM generate_series(1, 200000) i;
ANALYZE;
-- variant: the newest, behind an alias
SELECT a.slug FROM articles AS a ORDER BY a.published DESC NULLS LAST LIMIT 10;
-- variant: a view, the dearest first
SELECT name, costs FROM shop ORDER BY costs DESC, name FETCH FIRST 20 ROWS ONLY;
-- variant: partitions with quoted names
SELECT b."Lot", b."Amount" FROM "Bids" b ORDER BY b."Amount" DESC LIMIT 5;
-- variant: an equality by parameter, and a page
-- param: eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3
-- param: c4ca4238-a0b9-2382-0dcc-509a6f75849b
-- param: 20
SELECT slug, published FROM articles WHERE author IN ($1, $2) ORDER BY published LIMIT $3 OFFSET 40;
-- variant: a CTE that takes the cheapest
WITH cheap AS (SELECT slug, price FROM articles WHERE author = md5('2')::uuid ORDER BY price LIMIT 15) SELECT max(price), count(slug) FROM cheap;
