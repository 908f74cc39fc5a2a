CREATE TABLE calls (id bigint, caller varchar(12), placed date, agent uuid, note text);
INSERT INTO calls SELECT i, '+49' || (i::bigint * 48271 % 50), date '2026-01-01' + (i::bigint * 7919 % 61)::int, md5((i::bigint * 31 % 50)::text)::uuid, repeat('n', 110)
FROM generate_series(1, 250000) i;
CREATE INDEX ON calls (caller);
CREATE INDEX ON calls (placed);
CREATE INDEX ON calls (agent);
CREATE VIEW spoken AS SELECT agent AS who, id FROM calls;
CREATE TABLE "Parcels" ("Depot" numeric, "Weight" int, "Label" text) PARTITION BY RANGE ("Weight");
CREATE TABLE "Parcels 1" PARTITION OF "Parcels" FOR VALUES FROM (0) TO (50);
CREATE TABLE "Parcels 2" PARTITION OF "Parcels" FOR VALUES FROM (50) TO (100);
INSERT INTO "Parcels" SELECT i::bigint * 7919 % 41, i % 100, repeat('l', 140) FROM generate_series(1, 250000) i;
CREATE INDEX ON "Parcels" ("Depot");
ANALYZE;
-- variant: a varchar behind an alias
-- setting: work_mem=64kB
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- remedy: asking
SELECT max(c.id) FROM calls AS c WHERE c.caller = '+497';
-- variant: a range of dates
-- setting: work_mem=64kB
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- remedy: asking
SELECT count(note) FROM calls WHERE placed >= '2026-02-01' AND placed < '2026-02-02';
-- variant: a view by uuid, with a parameter
-- setting: work_mem=64kB
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- param: 1679091c-5a88-0faf-6fb5-e6087eb1b2dc
-- remedy: asking
SELECT max(id) FROM spoken WHERE who = $1;
-- variant: partitions with quoted names
-- setting: work_mem=64kB
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- remedy: asking
SELECT sum("Weight") FROM "Parcels" p WHERE p."Depot" = 17;
-- variant: two conditions joined by OR, in a CTE
-- setting: work_mem=64kB
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- remedy: asking
WITH found AS MATERIALIZED (SELECT id, note FROM calls WHERE caller = '+4911' OR placed = '2026-01-17') SELECT count(*) FROM found;
