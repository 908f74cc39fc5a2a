CREATE TABLE trades (symbol varchar(8), at timestamptz, price numeric, trader uuid, memo varchar(80));
INSERT INTO trades SELECT 'S' || i % 50, timestamptz '2026-01-01 00:00+00' + (i::bigint * 48271 % 299999) * interval '1 second', i % 997, md5((i % 50)::text)::uuid, repeat('m', 60)
FROM generate_series(1, 300000) i;
CREATE INDEX ON trades (symbol);
CREATE INDEX ON trades (at);
CREATE INDEX ON trades (trader);
CREATE VIEW dealt AS SELECT trader AS who, price FROM trades;
CREATE TABLE "Cards" ("Set" numeric, "Drawn" date, "Name" text) PARTITION BY LIST ("Set");
CREATE TABLE "Cards 1" PARTITION OF "Cards" FOR VALUES IN (1, 2, 3);
INSERT INTO "Cards" SELECT i % 3 + 1, date '2020-01-01' + (i::bigint * 7919 % 2003)::int, 'card ' || i FROM generate_series(1, 200000) i;
CREATE INDEX ON "Cards" ("Drawn");
CREATE TABLE sessions (id bigint, closed boolean, data text);
INSERT INTO sessions SELECT i, i % 20 <> 0, repeat('d', 200) FROM generate_series(1, 300000) i;
DELETE FROM sessions WHERE closed;
CREATE INDEX ON sessions (id);
VACUUM ANALYZE;
-- variant: a range of times
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
SELECT sum(t.price) FROM trades AS t WHERE t.at BETWEEN '2026-01-01 10:00+00' AND '2026-01-02 12:00+00';
-- variant: a view, a uuid by parameter, a bitmap
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- param: {37693cfc-7480-49e4-5d87-b8c7d8b9aacd,1679091c-5a88-0faf-6fb5-e6087eb1b2dc,eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3}
-- remedy: none
SELECT max(price) FROM dealt WHERE who = ANY ($1);
-- variant: a partition with quoted names
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
SELECT count(c."Name") FROM "Cards" c WHERE c."Drawn" >= '2021-01-01' AND c."Drawn" < '2023-06-01';
-- variant: probes of a loop
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- setting: enable_memoize=off
-- remedy: none
SELECT count(t.price) FROM (VALUES ('S3'), ('S17'), ('S31'), ('S44')) AS v(s) CROSS JOIN LATERAL (SELECT price FROM trades WHERE symbol = v.s OFFSET 0) t;
-- variant: a bloated table
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
SELECT count(data) FROM sessions s WHERE s.id > 1000;
