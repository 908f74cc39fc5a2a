CREATE TABLE scans WITH (fillfactor = 10) AS SELECT md5(i::text)::uuid AS id, timestamptz '2026-01-01 00:00+00' + i * interval '1 hour' AS made, repeat('x', 450) AS image FROM generate_series(1, 5000) i;
CREATE INDEX ON scans (made);
CREATE TABLE "Tapes" WITH (fillfactor = 10) AS SELECT i::numeric AS "No", repeat('y', 450) AS "Text" FROM generate_series(1, 5000) i;
CREATE INDEX ON "Tapes" ("No");
CREATE VIEW tape AS SELECT "No" AS number, "Text" AS content FROM "Tapes";
CREATE TABLE diary (day date NOT NULL, entry text) PARTITION BY RANGE (day);
CREATE TABLE diary_1 WITH (fillfactor = 10) AS SELECT date '2000-01-01' + i AS day, repeat('z', 450) AS entry FROM generate_series(1, 5000) i;
CREATE INDEX ON diary_1 (day);
ALTER TABLE diary_1 ALTER day SET NOT NULL;
ALTER TABLE diary ATTACH PARTITION diary_1 FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE MATERIALIZED VIEW summaries WITH (fillfactor = 10) AS SELECT 'key' || lpad(i::text, 6, '0') AS key, repeat('s', 450) AS body FROM generate_series(1, 5000) i;
CREATE INDEX ON summaries (key);
CREATE TABLE pictures WITH (fillfactor = 10) AS SELECT i AS id, repeat('p', 450) AS data FROM generate_series(1, 5000) i;
CREATE INDEX ON pictures (id);
ANALYZE;
CHECKPOINT;
-- variant: a range of times behind an alias
-- setting: track_io_timing=on
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
SELECT count(s.image) FROM scans AS s WHERE s.made < '2026-05-01 00:00+00';
-- variant: a view with quoted names, by parameter, a bitmap
-- setting: track_io_timing=on
-- setting: enable_seqscan=off
-- setting: enable_indexscan=off
-- setting: effective_io_concurrency=0
-- param: 2600
-- remedy: none
SELECT max(content) FROM tape WHERE number < $1;
-- variant: a partition
-- setting: track_io_timing=on
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
SELECT count(d.entry) FROM diary d WHERE d.day BETWEEN '2000-02-01' AND '2007-01-01';
-- variant: a materialized view in a CTE
-- setting: track_io_timing=on
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
WITH s AS (SELECT body FROM summaries WHERE key <= 'key002600') SELECT count(body) FROM s;
-- variant: probes of a loop
-- setting: track_io_timing=on
-- setting: enable_seqscan=off
-- setting: enable_bitmapscan=off
-- remedy: none
SELECT count(p.data) FROM generate_series(1, 2600, 520) g CROSS JOIN LATERAL (SELECT data FROM pictures WHERE id BETWEEN g AND g + 519 OFFSET 0) p;
