CREATE TABLE readings (meter uuid, taken timestamptz, kwh numeric);
INSERT INTO readings SELECT md5((i % 1000)::text)::uuid, timestamptz '2026-01-01 00:00+00' + (i::bigint * 48271 % 199999) * interval '1 minute', i % 77 FROM generate_series(1, 200000) i;
CREATE INDEX ON readings (taken);
CREATE TABLE "Votes" ("Voter" varchar(20), "Party" text, "Cast" date);
INSERT INTO "Votes" SELECT 'voter ' || (i::bigint * 7919 % 150001), 'p' || i % 5, date '2026-05-01' FROM generate_series(1, 150000) i;
CREATE INDEX ON "Votes" ("Voter", "Party");
CREATE TABLE rents (flat int, month date, paid numeric) PARTITION BY RANGE (month);
CREATE TABLE rents_1 PARTITION OF rents FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
INSERT INTO rents SELECT i::bigint * 7919 % 150001, date '2026-01-01' + i % 180, (i::bigint * 31 % 9001) FROM generate_series(1, 150000) i;
CREATE INDEX ON rents (paid);
CREATE TABLE tokens (token uuid, filler text);
INSERT INTO tokens SELECT md5(i::text)::uuid, repeat('f', 40) FROM generate_series(1, 150000) i;
CREATE INDEX ON tokens (token);
CREATE VIEW known AS SELECT token AS id FROM tokens;
CREATE TABLE parts (no numeric PRIMARY KEY, name text);
INSERT INTO parts SELECT i::bigint * 7919 % 100003, 'part ' || i FROM generate_series(1, 100000) i;
CREATE TABLE orders (part numeric);
INSERT INTO orders SELECT i FROM generate_series(1, 60000) i;
ANALYZE;
-- variant: a range of times behind an alias
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
SELECT count(*) FROM readings AS r WHERE r.taken >= '2026-01-10 00:00+00' AND r.taken < '2026-05-01 00:00+00';
-- variant: quoted names, two keys
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
SELECT "Party", count(*) FROM "Votes" v WHERE v."Voter" > 'voter 1' GROUP BY "Party";
-- variant: a partition and a parameter
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- param: 100
SELECT sum(paid) FROM rents WHERE paid > $1;
-- variant: a view by uuid
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
SELECT count(*) FROM known WHERE id < 'c0000000-0000-0000-0000-000000000000';
-- variant: probes of a semi join
-- setting: enable_hashjoin=off
-- setting: enable_mergejoin=off
-- setting: enable_bitmapscan=off
SELECT count(*) FROM orders o WHERE EXISTS (SELECT FROM parts p WHERE p.no = o.part);
